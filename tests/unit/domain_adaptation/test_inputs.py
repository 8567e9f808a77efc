"""Nothing leaks from the target's labels, and nobody's data is touched."""

import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from torch import nn

DIVERGENCES = ["dann", "cdan", "mmd", "coral", "wasserstein", "mdd"]


def weights(model):
    return {k: v.numpy() for k, v in model.net_.module_.state_dict().items()}


def require_same_weights(model, other):
    ours, theirs = weights(model), weights(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])


@pytest.mark.parametrize(
    "params",
    [
        {"diagnostics": True},
        {"divergence": "cdan", "entropy": 0.1},
        {"divergence": "mdd", "partial": True, "max_epochs": 3},
        {"early_stopping": True, "class_weight": "balanced"},
        {"label_shift": "em"},
        {"selection": "safe"},
        {"domain_norm": "adabn"},
        {"warm_start": True},
    ],
    ids=lambda p: "-".join(p),
)
@pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.DomainWarning")
def test_labels_of_the_target_are_ignored_to_the_last_bit(toy, dann, params):
    X, y, ids = toy
    rows = np.flatnonzero(ids < 0)
    shuffled = y.copy()
    shuffled[rows] = np.random.default_rng(5).permutation(y[rows])
    strange = y.copy()
    strange[rows] = 77  # not even a class of the source
    masked = y.copy()
    masked[rows] = -1
    model = dann(**params).fit(X, y, ids)
    for other in (shuffled, strange, masked):
        assert not np.array_equal(other, y)
        found = dann(**params).fit(X, other, ids)
        require_same_weights(found, model)
        assert found.classes_.tolist() == [0, 1, 2]
        for key, value in model.adaptation_report_.items():
            np.testing.assert_equal(found.adaptation_report_[key], value)


def test_labels_of_the_target_are_used_on_demand(toy, dann):
    X, y, ids = toy
    wrong = np.where(ids < 0, (y + 1) % 3, y)
    use = {"target_labels": "use", "max_epochs": 8}
    right = dann(**use).fit(X, y, ids).score(X, y, ids)
    assert right > dann(**use).fit(X, wrong, ids).score(X, y, ids) + 0.2


@pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.DomainWarning")
@pytest.mark.parametrize("kind", ["array", "read-only", "memmap", "frame", "float32"])
def test_inputs_are_left_alone(toy, dann, mme, kind, tmp_path):
    X, y, ids = toy
    X = np.ascontiguousarray(X)
    y = np.where((ids < 0) & (np.arange(70) % 5 > 0), -1, y)
    given = {"X": X, "y": y, "ids": ids, "w": np.linspace(0, 2, 70)}
    if kind == "float32":
        given["X"] = X.astype(np.float32)
    if kind == "read-only":
        for array in given.values():
            array.setflags(write=False)
    if kind == "memmap":
        for name, array in given.items():
            np.save(tmp_path / f"{name}.npy", array)
            given[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    if kind == "frame":
        given = {k: pd.DataFrame(v) if v.ndim > 1 else pd.Series(v)
                 for k, v in given.items()}  # fmt: skip
    before = copy.deepcopy({k: np.array(v) for k, v in given.items()})
    data = given["X"], given["y"], given["ids"], given["w"]
    settings = {"label_shift": "bbse", "domain_norm": "adabn", "diagnostics": True}
    for model in (dann(**settings), mme(), dann(backbone="mlp", target_labels="use")):
        model.fit(*data)
        model.predict(given["X"])
        model.transform(given["X"])
        model.score(given["X"], given["y"], given["ids"], given["w"])
        model.adapt(given["X"])
    for name, array in before.items():
        np.testing.assert_array_equal(np.array(given[name]), array)


class Dropping(nn.Module):
    """A backbone that draws random numbers in training."""

    def __init__(self, shape):
        super().__init__()
        self.out_features = 6
        self.layers = nn.Sequential(
            nn.Linear(shape[0], 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5)
        )

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"backbone": Dropping},
        {"domain_norm": "shared"},
        {"early_stopping": True, "max_epochs": 4},
        {"class_weight": "balanced"},
        {"discriminator": (7, 7)},
        {"divergence": "mdd"},
        {"dtype": "float64", "partial": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("several", [False, True], ids=["two", "five"])
def test_lambda_0_is_source_only_training_to_the_last_bit(
    domains, dann, params, several
):
    X, y, ids = domains(n=50, m=41)
    if several:
        ids = np.where(ids > 0, np.arange(91) % 3, -1 - np.arange(91) % 2)
    source = ids >= 0
    model = dann(lambda_=0, **params).fit(X, y, ids)
    alone = dann(lambda_=0, **params).fit(X[source], y[source])
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))
    assert model.loss_curve_ == alone.loss_curve_
    # And the value of lambda makes no difference where there is no target.
    other = dann(**params).fit(X[source], y[source])
    np.testing.assert_array_equal(other.predict_proba(X), alone.predict_proba(X))
    assert model.lambda_path_.tolist() == [0.0] * model.n_iter_


def test_lambda_0_of_a_regressor(toy, regressor):
    X, _, ids = toy
    y = X[:, 0] - X[:, 2]
    model = regressor(lambda_=0).fit(X, np.where(ids < 0, np.nan, y))
    alone = regressor(lambda_=0).fit(X[ids > 0], y[ids > 0])
    np.testing.assert_array_equal(model.predict(X), alone.predict(X))
    assert model.y_mean_ == alone.y_mean_


@pytest.mark.parametrize("name", DIVERGENCES)
def test_names_of_domains_within_a_sign_do_not_matter(toy, dann, name):
    X, y, ids = toy
    expected = dann(divergence=name).fit(X, y, ids)
    for pair in ((0, -1), (7, -33), (2.5, -0.5)):
        model = dann(divergence=name).fit(X, y, np.where(ids > 0, *pair))
        require_same_weights(model, expected)
    many = np.where(ids > 0, np.arange(70) % 2, -1 - np.arange(70) % 3)
    renamed = np.array([9, 4, -2, -8, -5])[np.where(many < 0, 1 - many, many)]
    first, second = (dann(divergence=name).fit(X, y, d) for d in (many, renamed))
    require_same_weights(first, second)


# Wasserstein draws points between rows, in their order.
@pytest.mark.parametrize("name", [d for d in DIVERGENCES if d != "wasserstein"])
def test_the_order_of_rows_does_not_matter(toy, dann, name):
    X, y, ids = toy
    settings = {"divergence": name, "batch_size": 100, "dtype": "float64",
                "max_epochs": 4}  # fmt: skip
    weight = np.random.default_rng(0).uniform(0.5, 2, 70)
    order = np.random.default_rng(3).permutation(70)
    model = dann(**settings).fit(X, y, ids, weight)
    other = dann(**settings).fit(X[order], y[order], ids[order], weight[order])
    np.testing.assert_allclose(
        model.predict_proba(X), other.predict_proba(X), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"backbone": Dropping},
        {"divergence": "wasserstein"},
        {"label_shift": "bbse"},
        {"selection": "safe"},
        {"target_labels": "use"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.DomainWarning")
def test_seeds_are_enough(toy, dann, params):
    X, y, ids = toy
    model = dann(**params).fit(X, y, ids)
    expected = model.predict_proba(X)
    torch.manual_seed(1)
    np.random.seed(1)  # the global generator is the point
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    again = clone(model).fit(X, y, ids)
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    np.testing.assert_array_equal(model.fit(X, y, ids).predict_proba(X), expected)
    other = dann(random_state=1, **params).fit(X, y, ids)
    assert not np.array_equal(other.predict_proba(X), expected)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_predict_the_same(toy, dann, mme, regressor, copied):
    X, y, ids = toy
    for model in (
        dann(domain_norm="adabn"),
        mme(),
        regressor(),
        dann(divergence="cdan"),
    ):
        model.fit(X, y, ids)
        again = copied(model)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        np.testing.assert_array_equal(again.lambda_path_, model.lambda_path_)
        assert again.adaptation_report_.verdict == model.adaptation_report_.verdict
        # Training may go on, with the same result.
        require_same_weights(
            again.partial_fit(X, y, sample_domain=ids),
            copied(model).partial_fit(X, y, sample_domain=ids),
        )


def test_fits_in_threads(toy, dann):
    X, y, ids = toy
    expected = dann(backbone=Dropping).fit(X, y, ids).predict_proba(X)
    found = {}

    def fit(k):
        found[k] = dann(backbone=Dropping).fit(X, y, ids).predict_proba(X)

    threads = [threading.Thread(target=fit, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for one in found.values():
        np.testing.assert_array_equal(one, expected)


def test_the_data_does_not_stay_in_memory(toy, dann):
    model = dann(partial=True).fit(*toy)
    assert model.net_.pairs_ is None
    assert model.net_.last_sides_ == ()
    assert not hasattr(model.net_, "streams_")
