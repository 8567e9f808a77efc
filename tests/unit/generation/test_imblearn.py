"""CGANSampler among imbalanced-learn's tools, which the package never imports."""

import os
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline as plain_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlmi_sklearn import CGANSampler

pytest.importorskip("imblearn")

from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from imblearn.utils import estimator_checks as checks

CHECKS = {c.__name__: c for c in checks._yield_all_checks(CGANSampler(max_iter=5))}


def data(n=60):
    return make_classification(
        n, 5, n_informative=3, n_redundant=0, weights=[0.8], random_state=0
    )


def small(**params):
    return CGANSampler(**{"max_iter": 5, "random_state": 0, **params})


# -- its own checks -----------------------------------------------------------------


def test_all_checks_are_there():
    expected = {
        "check_samplers_pandas",
        "check_samplers_pandas_sparse",
        "check_samplers_list",
        "check_samplers_nan",
        "check_samplers_multiclass_ova",
        "check_sampler_get_feature_names_out_pandas",
    }
    assert expected <= set(CHECKS)
    assert len(CHECKS) >= 15


# imbalanced-learn runs its checks on seeded samplers: some compare two fits.
@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.filterwarnings("ignore")
def test_checks(name):
    CHECKS[name]("CGANSampler", small())


@pytest.mark.parametrize(
    "check",
    [
        checks.check_samplers_sparse,
        checks.check_param_validation,
        checks.check_dataframe_column_names_consistency,
    ],
)
def test_checks_that_tags_do_not_ask_for(check):
    check("CGANSampler", small())


@pytest.mark.filterwarnings("ignore")
def test_arrays_of_strings_with_named_categories():
    checks.check_samplers_string("CGANSampler", small(categorical_features=[0]))


# -- pipelines ----------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_over_a_pipeline(n_jobs):
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), small(), LogisticRegression())
    grid = {"cgansampler__lr": [1e-3, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    sampler = search.best_estimator_["cgansampler"]
    assert sampler.sampling_strategy_ == {1: int((y == 0).sum() - (y == 1).sum())}
    # Test rows are never resampled.
    assert search.predict(X).shape == (60,)


def test_the_classifier_sees_balanced_classes():
    X, y = data()
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            seen.append(np.bincount(y).tolist())
            return super().fit(X, y)

    make_pipeline(small(), Spy()).fit(X, y)
    n = int((y == 0).sum())
    assert seen == [[n, n]]


def test_a_cache_gives_the_same_samples(tmp_path):
    X, y = data()

    def fitted(memory):
        steps = StandardScaler(), small(), LogisticRegression()
        return make_pipeline(*steps, memory=memory).fit(X, y)

    plain, first, cached = (fitted(m) for m in (None, str(tmp_path), str(tmp_path)))
    assert any(tmp_path.rglob("*.pkl"))
    assert_array_equal(plain.predict_proba(X), first.predict_proba(X))
    assert_array_equal(plain.predict_proba(X), cached.predict_proba(X))


def test_a_step_may_be_another_sampler_or_none():
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), small(), LogisticRegression())
    grid = {"cgansampler": ["passthrough", small(), SMOTE(k_neighbors=1)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    bare = plain_pipeline(StandardScaler(), LogisticRegression())
    expected = cross_val_score(bare, X, y, cv=2).mean()
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(expected)


def test_the_pipeline_of_scikit_learn_refuses_it_in_the_middle():
    X, y = data()
    with pytest.raises(TypeError, match="transform"):
        plain_pipeline(small(), LogisticRegression()).fit(X, y)


# -- conditions ---------------------------------------------------------------------


def images(n=24):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 4 == 0
    return rng.normal(size=(n, 1, 8, 6)), y.astype(int), rng.normal(size=(n, 2, 8, 6))


def flat_model():
    return plain_pipeline(
        FunctionTransformer(lambda X: X.reshape(len(X), -1)), LogisticRegression()
    )


class Seen(CGANSampler):
    """Remembers what fit_resample was given."""

    def fit_resample(self, X, y, *, condition=None):
        Seen.shapes.append((X.shape, None if condition is None else condition.shape))
        return super().fit_resample(X, y, condition=condition)


def test_a_routed_condition_reaches_fit_resample(monkeypatch):
    X, y, condition = images()
    monkeypatch.setattr(Seen, "shapes", [], raising=False)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(Seen(max_iter=3, random_state=0), flat_model())
        search = GridSearchCV(
            pipeline, {"seen__lr": [1e-3, 1e-2]}, cv=2, error_score="raise"
        )
        search.fit(X, y, condition=condition)
    halves = [((12, 1, 8, 6), (12, 2, 8, 6))] * 4
    assert Seen.shapes == [*halves, ((24, 1, 8, 6), (24, 2, 8, 6))]


def test_the_request_is_there_whenever_imbalanced_learn_is_imported():
    code = (
        "import sys\n"
        "from mlmi_sklearn import CGANSampler\n"
        "assert not [m for m in sys.modules if m.split('.')[0] == 'imblearn']\n"
        "import imblearn.pipeline\n"
        "requests = CGANSampler().get_metadata_routing()\n"
        "assert requests.fit_resample.requests == {'condition': True}\n"
        "assert requests.fit.requests == {'condition': True}\n"
        "print('as wanted')\n"
    )
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MLMI_SKLEARN_PLUGINS": "none"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert "as wanted" in done.stdout, done.stderr


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_over_the_sampler_itself(routing):
    X, y = data()
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(small(), {"lr": [1e-3, 1e-2]}, cv=2, error_score="raise")
        search.fit(X, y)
    samples, labels = search.best_estimator_.sample(4, y=[0, 1, 1, 0])
    assert samples.shape == (4, 5)
    assert labels.tolist() == [0, 1, 1, 0]
    assert search.cv_results_["mean_test_score"].max() == search.best_score_
