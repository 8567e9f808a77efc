"""Searches on loky, Dask and Ray score exactly as one process does.

Each backend is a local cluster of two processes that do not share memory with this one.
"""

import os

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    MAMLRegressor,
    MILClassifier,
    NetClassifier,
)
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.model_selection import search_tasks

pytestmark = pytest.mark.slow  # processes start in seconds

WORKERS = 2


@pytest.fixture(scope="module")
def loky():
    yield {"backend": "loky", "inner_max_num_threads": 1}
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
    )
    with cluster, distributed.Client(cluster):
        yield {"backend": "dask"}


@pytest.fixture(scope="module")
def ray(start_ray):
    start_ray()
    return {"backend": "ray"}


@pytest.fixture(scope="module", params=["loky", "dask", "ray"])
def backend(request):
    return request.getfixturevalue(request.param)


def table(n=90, columns=4):
    X = np.random.default_rng(0).normal(size=(n, columns)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(int)


def bags(n=40):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(rng.integers(1, 6), 3)) for _ in range(n)]
    y = np.array([part[:, 0].max() > 0.8 for part in parts])
    return Bags.from_list(parts), y


def of_net():
    grid = {"lr": [1e-3, 1e-2], "backbone__dropout": [0.0, 0.5]}
    net = NetClassifier("mlp", max_epochs=3, random_state=0)
    return GridSearchCV(net, grid, cv=3).fit(*table()).cv_results_


def of_bags():
    grid = {"pooling": ["max", "attention"], "max_instances": [None, 2]}
    model = MILClassifier(max_epochs=3, random_state=0)
    return GridSearchCV(model, grid, cv=3).fit(*bags()).cv_results_


def of_domains():
    X, y = table()
    domain = np.arange(len(X)) % 3 - 1
    domain[domain == 0] = 1
    grid = {"divergence": ["dann", "mmd"], "lambda_": [0.1, 1.0]}
    model = DANNClassifier(max_epochs=3, random_state=0)
    cv = StratifiedKFold(3)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, grid, cv=cv, refit=False)
        return search.fit(X, y, sample_domain=domain).cv_results_


def of_generation():
    model = CGANSampler(max_iter=20, batch_size=16, random_state=0)
    grid = {"conditioning": ["concat", "projection"]}
    return GridSearchCV(model, grid, cv=2, refit=False).fit(*table(60)).cv_results_


def of_tasks():
    X, y, groups = make_sinusoid_tasks(n_tasks=12, n_samples=20, random_state=0)
    model = MAMLRegressor(max_epochs=2, random_state=0)
    found = search_tasks(
        model,
        {"inner_lr": [0.01, 0.1]},
        X,
        y,
        groups,
        n_way=None,
        n_shot=5,
        n_query=5,
        n_episodes=10,
        random_state=0,
    )
    return found.search_.cv_results_


def comparable(results):
    """Return all columns but times."""
    return {
        name: np.asarray(column)
        for name, column in results.items()
        if not name.endswith("_time")
    }


@pytest.fixture(scope="module")
def alone():
    """Return search -> its results in this process, computed once."""
    kept = {}

    def results(search):
        if search not in kept:
            kept[search] = comparable(search())
        return kept[search]

    return results


SEARCHES = [of_net, of_bags, of_domains, of_generation, of_tasks]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.__name__)
def test_the_same_numbers_as_in_one_process(backend, alone, search):
    expected = alone(search)
    with joblib.parallel_config(n_jobs=WORKERS, **backend):
        found = comparable(search())
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)
    scores = next(v for k, v in expected.items() if k.startswith("mean_test"))
    assert np.isfinite(scores).all()
    assert len(set(scores.tolist())) > 1, "a search that cannot tell candidates apart"


def process(_):
    return os.getpid()


def test_the_work_is_done_elsewhere(backend):
    with joblib.parallel_config(n_jobs=WORKERS, **backend):
        found = joblib.Parallel()(joblib.delayed(process)(i) for i in range(8))
    assert os.getpid() not in found
