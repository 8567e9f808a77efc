"""Synthetic samples of the smaller classes, appended in the types in which X came."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.generation.joining import copied, densified, joined
from mlmi_sklearn.generation.resampling import samples_to_add

Y = np.array([0] * 12 + [1] * 5 + [2] * 8)


def table(seed=0):
    return np.random.default_rng(seed).normal(size=(len(Y), 3)).round(2)


def sampler(**params):
    return CGANSampler(**{"max_iter": 4, "random_state": 0, **params})


# -- how many -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "added"),
    [
        ("auto", {1: 7, 2: 4}),
        ("not majority", {1: 7, 2: 4}),
        ("minority", {1: 7}),
        ("not minority", {0: 0, 2: 4}),
        ("all", {0: 0, 1: 7, 2: 4}),
        ({1: 6}, {1: 1}),
        ({0: 12, 2: 20}, {0: 0, 2: 12}),
        (lambda y: {1: len(y)}, {1: 20}),
    ],
)
def test_numbers_by_strategy(strategy, added):
    assert samples_to_add(strategy, Y) == added
    X_all, y_all = sampler(sampling_strategy=strategy).fit_resample(table(), Y)
    found = {c: int((y_all[len(Y) :] == c).sum()) for c in added}
    assert found == added
    assert len(X_all) == len(y_all) == len(Y) + sum(added.values())


@pytest.mark.parametrize("strategy", ["auto", "minority", "not minority", "all", 0.9])
def test_numbers_are_those_of_imbalanced_learn(strategy):
    pytest.importorskip("imblearn")
    from imblearn.utils import check_sampling_strategy

    y = np.array(["a"] * 31 + ["b"] * 7)
    theirs = check_sampling_strategy(strategy, y, "over-sampling")
    assert samples_to_add(strategy, y) == dict(theirs)


@pytest.mark.parametrize(
    ("strategy", "y", "message"),
    [
        ("most", Y, "not known"),
        ({3: 20}, Y, "not present in y"),
        ({0: 3}, Y, "greater or equal"),
        (0.5, Y, "two classes"),
        (0.1, np.array([0, 0, 0, 1]), "larger ratio"),
        (0.0, np.array([0, 0, 0, 1]), "above 0"),
        (1.5, np.array([0, 0, 0, 1]), "at most 1"),
        ([0, 1], Y, "must be one of"),
        (True, Y, "must be one of"),
    ],
)
def test_bad_strategies_say_what_is_right(strategy, y, message):
    with pytest.raises(ValueError, match=message):
        samples_to_add(strategy, y)


def test_a_bad_strategy_is_found_before_training(monkeypatch):
    model = sampler(sampling_strategy={7: 100})
    monkeypatch.setattr(model, "fit", lambda *a, **k: pytest.fail("it trained"))
    with pytest.raises(ValueError, match="not present"):
        model.fit_resample(table(), Y)


# -- what comes back ----------------------------------------------------------------


def as_list(X, y):
    return X.tolist(), y.tolist()


def as_frame(X, y):
    index = np.arange(len(X))[::-1] * 3
    return pd.DataFrame(X, list(index), list("abc")), pd.Series(y, index, name="k")


def as_sparse_frame(X, y):
    return as_frame(X, y)[0].astype(pd.SparseDtype(float, 0.0)), y


def as_csr(X, y):
    return sparse.csr_matrix(X), y


def as_indicators(X, y):
    return X, np.eye(3, dtype=int)[y]


def as_column(X, y):
    return X, y[:, None]


def dense(X):
    return np.asarray(X.toarray() if sparse.issparse(X) else X)


@pytest.mark.parametrize(
    "form", [as_list, as_frame, as_sparse_frame, as_csr, as_indicators, as_column]
)
def test_forms_of_the_data_change_nothing_but_the_type(form):
    X, y = table(), Y
    X[X < 0] = 0.0
    X_all, y_all = sampler().fit_resample(X, y)
    assert_array_equal(X_all[: len(y)], X)
    X_form, y_form = form(X, y)
    found, labels = sampler().fit_resample(X_form, y_form)
    assert type(found) is type(X_form)
    assert type(labels) is type(y_form)
    assert_array_equal(dense(found), X_all)
    labels = np.asarray(labels)
    flat = labels.argmax(1) if labels.ndim == 2 and labels.shape[1] > 1 else labels
    assert_array_equal(flat.ravel(), y_all)


def test_tables_keep_columns_types_and_names():
    X, y = as_frame(table(), Y)
    X["a"] = pd.arrays.SparseArray(np.where(X["a"] > 0, X["a"], 0.0), fill_value=0.0)
    X["s"] = pd.Categorical(["u", "v", "u", "w", "v"] * 5, categories=list("wvu"))
    X["n"] = np.arange(len(X), dtype=np.int16)
    y = pd.Series(pd.Categorical(np.array(["x", "y", "z"])[Y]), y.index, name="k")
    before = X.copy()
    found, labels = sampler().fit_resample(X, y)
    pd.testing.assert_frame_equal(X, before)
    assert_array_equal(found.dtypes, X.dtypes)
    assert labels.dtype == y.dtype
    assert labels.name == "k"
    assert labels.value_counts().tolist() == [12, 12, 12]
    assert_array_equal(found.index, np.arange(36))
    pd.testing.assert_frame_equal(found.iloc[:25], X.reset_index(drop=True))


def test_polars_stays_polars():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"a": table()[:, 0], "s": ["u", "v", "u", "w", "v"] * 5})
    found, labels = sampler().fit_resample(X, polars.Series("k", Y))
    assert found.schema == X.schema
    assert found[: len(Y)].equals(X)
    assert isinstance(labels, polars.Series)
    assert labels.name == "k"
    assert labels.value_counts()["count"].to_list() == [12, 12, 12]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_images_keep_shape_and_type(dtype):
    images = np.random.default_rng(0).integers(0, 4000, (len(Y), 1, 8, 6)).astype(dtype)
    maps = np.random.default_rng(1).normal(size=(len(Y), 2, 8, 6))
    found, labels = sampler().fit_resample(images, Y, condition=maps)
    assert found.shape == (36, 1, 8, 6)
    assert found.dtype == dtype
    assert_array_equal(found[: len(Y)], images)
    assert len(labels) == 36


def test_a_condition_comes_from_a_row_of_the_same_class(monkeypatch):
    model = sampler()
    seen = {}
    draw = CGANSampler._draw

    def spy(self, y, condition, n, source):
        seen.update(y=y, condition=condition)
        return draw(self, y, condition, n, source)

    monkeypatch.setattr(CGANSampler, "_draw", spy)
    condition = np.column_stack([Y * 10.0, np.arange(len(Y))])
    model.fit_resample(table(), Y, condition=condition)
    assert_array_equal(seen["condition"][:, 0], seen["y"] * 10)


def test_balanced_data_come_back_as_a_copy():
    X, y = table()[:10].tolist(), [0, 1] * 5
    found, labels = sampler().fit_resample(X, y)
    assert found == X
    assert labels == y
    found[0][0] = labels[0] = 99
    assert X[0][0] != 99
    assert y[0] == 0


# -- what is refused ----------------------------------------------------------------


def test_columns_of_which_not_one_is_1():
    y = np.eye(3, dtype=int)[Y]
    for row in ([1, 1, 0], [0, 0, 0]):
        y[3] = row
        with pytest.raises(ValueError, match="not exactly one of them is 1"):
            sampler().fit_resample(table(), y)


@pytest.mark.parametrize(
    ("y", "params", "message"),
    [
        (np.zeros(25), {}, "one class"),
        (np.linspace(0, 1, 25), {}, "Unknown label type"),
        (Y, {"condition": "none"}, "condition='none' ignores y"),
        (Y, {"max_iter": 0}, "max_iter"),
    ],
)
def test_unusable_targets_and_parameters(y, params, message):
    with pytest.raises(ValueError, match=message):
        sampler(**params).fit_resample(table(), y)


# -- seeds --------------------------------------------------------------------------


def test_a_seed_gives_the_same_bytes_and_touches_nothing():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    first, again = (sampler().fit_resample(table(), Y)[0] for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert_array_equal(np.random.get_state()[1], before)
    other = sampler(random_state=1).fit_resample(table(), Y)[0]
    assert not np.array_equal(first, other)


def test_names_of_features_but_no_transform():
    model = sampler()
    model.fit_resample(as_frame(table(), Y)[0], Y)
    assert model.get_feature_names_out().tolist() == ["a", "b", "c"]
    assert not hasattr(model, "transform")
    assert not hasattr(model, "set_output")


# -- helpers ------------------------------------------------------------------------


def test_joining_puts_nothing_back_into_the_first():
    first = np.array([[1, 2]], dtype=np.int8)
    both = joined(first, np.array([[3.0, 4.0]]))
    assert both.dtype == np.int8
    assert_array_equal(both, [[1, 2], [3, 4]])
    rows = [[1, "a"]]
    assert joined(rows, np.array([[2, "b"]], dtype=object)) == [[1, "a"], [2, "b"]]
    array = sparse.coo_array(np.eye(2))
    assert joined(array, np.ones((1, 2))).format == "coo"


def test_dense_tables_are_passed_through():
    frame = pd.DataFrame([[1, 2.0]], columns=["a", "a"])
    assert densified(frame) is frame
    assert densified([1]) == [1]
    assert copied((1, 2)).tolist() == [1, 2]
