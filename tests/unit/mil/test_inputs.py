"""What can be passed for X, and what is said of what cannot."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator

from mlmi_sklearn import Bags
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil.inputs import holds_bags, read_bags

ROWS = np.arange(8.0).reshape(4, 2)
RAGGED = [ROWS[:3], ROWS[3:]]


def object_array(items, shape=(-1,)):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


READ_AS_BAGS = {
    "Bags": Bags.from_list(RAGGED),
    "list": RAGGED,
    "tuple": tuple(RAGGED),
    "nested lists": [bag.tolist() for bag in RAGGED],
    "nested list of equal bags": [ROWS[:2].tolist(), ROWS[2:].tolist()],
    "object array": object_array(RAGGED),
    "object column": object_array(RAGGED, (-1, 1)),
    "Series": pd.Series(RAGGED),
    "one-column frame": pd.DataFrame({"bag": RAGGED}),
    "3-D array": ROWS.reshape(2, 2, 2),
    "3-D tensor": torch.from_numpy(ROWS.reshape(2, 2, 2)),
    "tensors": [torch.from_numpy(bag) for bag in RAGGED],
    "tensors with gradient": [torch.tensor(b, requires_grad=True) for b in RAGGED],
    "frames": [pd.DataFrame(bag) for bag in RAGGED],
    "sparse bags": [sparse.csr_array(bag) for bag in RAGGED],
    "images": np.zeros((2, 3, 4, 4)),
    "jagged tensor": torch.nested.as_nested_tensor(
        [torch.from_numpy(bag) for bag in RAGGED], layout=torch.jagged
    ),
}
READ_AS_ROWS = {
    "2-D array": ROWS,
    "2-D tensor": torch.from_numpy(ROWS),
    "list of lists": ROWS.tolist(),
    "list of rows": list(ROWS),
    "frame": pd.DataFrame(ROWS, columns=["a", "b"]),
    "one-column frame of numbers": pd.DataFrame({"a": ROWS[:, 0]}),
    "objects": ROWS.astype(object),
    "one object column": ROWS[:, :1].astype(object),
    "sparse": sparse.csr_array(ROWS),
    "integers": ROWS.astype(int),
}


@pytest.mark.parametrize("name", READ_AS_BAGS)
def test_read_as_bags(name):
    assert holds_bags(READ_AS_BAGS[name])


@pytest.mark.parametrize("name", READ_AS_ROWS)
def test_read_as_rows(name):
    assert not holds_bags(READ_AS_ROWS[name])


@pytest.mark.parametrize("name", [n for n in READ_AS_BAGS if "sparse" not in n])
def test_bags_are_read_in_order(name):
    estimator = BaseEstimator()
    bags = read_bags(estimator, READ_AS_BAGS[name], reset=True)
    assert bags.values.dtype == np.float64
    assert estimator.n_features_in_ == bags.values.shape[1]
    if name != "images":
        assert_array_equal(bags.values, ROWS)
        assert len(bags) == 2


@pytest.mark.parametrize("name", [n for n in READ_AS_ROWS if n != "sparse"])
def test_rows_become_bags_of_one(name):
    X = READ_AS_ROWS[name]
    bags = read_bags(BaseEstimator(), X, reset=True)
    assert_array_equal(bags.lengths, np.ones(4))
    assert_array_equal(bags.values, ROWS[:, : bags.n_features])


@pytest.mark.parametrize(
    ("given", "read"),
    [("float32", "float32"), ("float64", "float64"), ("float16", "float32"),
     ("int64", "float32"), ("bool", "float32"), (">f8", "float64")],
)  # fmt: skip
def test_types(given, read):
    bags = Bags.from_list([bag.astype(given) for bag in RAGGED])
    assert read_bags(BaseEstimator(), bags, reset=True).values.dtype.newbyteorder(
        "="
    ) == np.dtype(read)


def test_nothing_is_copied_that_need_not_be():
    bags = Bags(ROWS, [3, 1], groups=["a", "b"], bag_ids=[7, 8])
    read = read_bags(BaseEstimator(), bags, reset=True)
    assert np.shares_memory(read.values, ROWS)
    assert_array_equal(read.groups, bags.groups)
    named = Bags(ROWS, [3, 1], feature_names=["a", "b"])
    assert np.shares_memory(read_bags(BaseEstimator(), named, reset=True).values, ROWS)


# -- names of features ---------------------------------------------------------


def test_names_in_bags_are_those_of_a_table(bags, quick):
    X, y = bags
    X = X.with_values(X.values, feature_names=list("abcd"))
    model = quick().fit(X, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = model.decision_function(X)
    swapped = X.with_values(X.values[:, ::-1], feature_names=list("dcba"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(swapped)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = model.decision_function(X.to_list())
    assert_array_equal(found, expected)


def test_names_go_when_later_data_have_none(bags, quick):
    X, y = bags
    named = X.with_values(X.values, feature_names=list("abcd"))
    model = quick().fit(named, y).fit(X, y)
    assert not hasattr(model, "feature_names_in_")


# -- bad input -----------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_list", [False, True])
def test_the_bag_that_is_not_finite_is_named(value, as_list):
    values = np.vstack([ROWS, ROWS])
    values[6, 1] = value
    bags = Bags(values, [3, 2, 3])
    what = "NaN" if np.isnan(value) else "infinity"
    remedy = "InstanceWise\\(SimpleImputer" if np.isnan(value) else "drop"
    with pytest.raises(
        ValueError, match=rf"(?s)X contains {what}.*bag 2.*instance 1.*{remedy}"
    ):
        read_bags(BaseEstimator(), bags.to_list() if as_list else bags, reset=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_csr", [False, True])
@pytest.mark.parametrize(
    ("row", "bag", "instance"), [(0, 0, 0), (2, 0, 2), (3, 1, 0), (5, 2, 0), (7, 2, 2)]
)
def test_the_message_says_where_and_what_to_do(value, as_csr, row, bag, instance):
    values = np.zeros((8, 3))
    values[1:3, 0] = 1.0  # rows with and without stored numbers
    values[row, 1] = value
    values[row:, 2] = values[row:, 2] + np.where(np.arange(row, 8) > row, value, 0)
    given = sparse.csr_array(values) if as_csr else values
    what, remedy = "infinity", "Clip the values, or"
    if np.isnan(value):
        what, remedy = "NaN", "Fill it in with InstanceWise(SimpleImputer()), or"
    message = (
        f"Input X contains {what}: bag {bag} does, in instance {instance}. {remedy} "
        "drop such instances."
    )
    with pytest.raises(BagError, match=f"^{re.escape(message)}$"):
        bags = Bags(given, [3, 2, 3])
        read_bags(BaseEstimator(), bags, reset=True, accept_sparse=True)


def test_sparse_bags_are_refused_with_a_remedy():
    bags = Bags(sparse.csr_array(ROWS), [3, 1])
    message = (
        "X holds sparse instances, but BaseEstimator needs dense ones: pass "
        "X.with_values(X.values.toarray()), or reduce them first with "
        "InstanceWise(TruncatedSVD(100))."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        read_bags(BaseEstimator(), bags, reset=True)


def test_a_table_after_bags_is_warned_about(bags, quick):
    X, y = bags
    model = quick().fit(X, y)
    message = (
        f"X is a table, so each of its {X.n_instances} rows is read as a bag of one "
        "instance, but the model was fitted on bags. For a single bag pass [X]; for "
        "instances use predict_instances."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as caught:
        model.predict(X.values)
    assert len(caught) == 1
    table = quick().fit(X.values, np.repeat(y, X.lengths))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table.predict(X.values)
        table.predict(X)
        model.predict(X)


@pytest.mark.parametrize(
    ("X", "n", "advice"),
    [
        (Bags(ROWS, [3, 1]), 4, r"y has one entry for each instance; pass one for "
         r"each bag, and labels of instances as y_instances=\.$"),
        (Bags(ROWS, [3, 1]), 3, r"Pass one target for each bag\.$"),
        (ROWS, 2, r"The rows of a 2-D array are bags of one instance; to group rows, "
         r"pass Bags\(X, lengths=\.\.\.\) or Bags\.from_frame\(df, bag=\.\.\., "
         r"y=\.\.\.\)\.$"),
    ],
)  # fmt: skip
def test_advice_on_a_wrong_number_of_targets(X, n, advice, quick):
    with pytest.raises(ValueError, match=advice):
        quick().fit(X, np.arange(n) % 2)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([ROWS, np.zeros((0, 2))], r"X\[1\] is an empty bag. Drop"),
        ([np.zeros((0, 2)), ROWS], r"X\[0\] is an empty bag"),
        ([ROWS, np.zeros((2, 3))], r"X\[1\] .*shape \(3,\).*same features"),
        ([ROWS, np.zeros(2)], r"X\[1\] has shape \(2,\).*reshape"),
        ([np.zeros(2), ROWS], r"X\[0\] has shape \(2,\).*reshape"),
        ([np.zeros(2), np.zeros(3)], r"X\[0\] has shape \(2,\).*reshape"),
        ([[1.0, 2.0], [1.0]], "list of lists of different length"),
        ([ROWS, np.zeros((2, 2, 2))], r"X\[1\] .*same features"),
        ([ROWS.astype(str)] * 2, r"X\[0\] has dtype <U.*OrdinalEncoder"),
        ([np.array([["a", 1.0]], dtype=object)], r"X\[0\] .*not numbers"),
        ([ROWS.astype(complex)], "Complex data not supported"),
        (Bags(ROWS, [3, 1])[:0], "0 sample"),
        ([np.zeros((2, 0))], "0 feature"),
        ({"a": 1}, "X has type dict. Pass Bags"),
        ("slides.csv", "X has type str. Pass Bags"),
        (None, "X has type NoneType. Pass Bags"),
        (3, "X has type int. Pass Bags"),
        ((bag for bag in RAGGED), "X has type generator. Pass Bags"),
        (
            pd.DataFrame({"bag": [0, 0], "x": [1.0, 2.0]}),
            r"X has a column 'bag'.*Bags.from_frame\(X",
        ),
        (
            pd.DataFrame({"id": ["p1", "p1"], "x": [1.0, 2.0]}),
            r"X has the column 'id' of type string.*Bags.from_frame\(X",
        ),
        (
            pd.DataFrame({"x": [1.0]}, index=pd.MultiIndex.from_tuples([("a", 0)])),
            r"X has a MultiIndex.*Bags.from_frame\(X",
        ),
    ],
)
def test_what_cannot_be_read(X, words):
    with pytest.raises(BagError, match=f"(?s){words}"):
        read_bags(BaseEstimator(), X, reset=True)


@pytest.mark.parametrize("name", ["sparse", "sparse bags"])
def test_sparse_instances(name):
    X = {**READ_AS_BAGS, **READ_AS_ROWS}[name]
    with pytest.raises(TypeError, match=r"(?i)X.*sparse|sparse.*X.*toarray"):
        read_bags(BaseEstimator(), X, reset=True)


def test_what_has_no_shape_is_no_bag():
    assert not holds_bags(SimpleNamespace())
    assert not holds_bags([])
    assert not holds_bags([SimpleNamespace()])


def test_errors_of_others_are_said_to_be_about_x():
    bag = np.array([[1.0, {}]], dtype=object)
    with pytest.raises(TypeError, match=r"^X: float\(\) argument must be"):
        read_bags(BaseEstimator(), [bag, bag], reset=True)
