"""Everything that can be read as bags, and clear words for the rest."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from mlmi_sklearn.containers import Bags, check_bags
from mlmi_sklearn.exceptions import BagError

LIST = [np.arange(6.0).reshape(3, 2), np.ones((1, 2)), np.zeros((2, 2))]


def _column(bags, shape):
    column = np.empty(len(bags), dtype=object)
    column[:] = bags
    return column.reshape(shape)


@pytest.mark.parametrize(
    "X",
    [
        LIST,
        tuple(LIST),
        [bag.tolist() for bag in LIST],
        [sparse.csr_array(bag) for bag in LIST],
        [pd.DataFrame(bag) for bag in LIST],
        _column(LIST, -1),
        _column(LIST, (-1, 1)),
        pd.Series(LIST, index=[5, 5, 6]),
        pd.DataFrame({"bag": pd.Series(LIST)}),
        np.asarray(Bags.from_list(LIST)),
    ],
    ids=[
        *("list", "tuple", "nested lists", "sparse", "frames", "object array"),
        *("object column", "series", "one-column frame", "Bags as array"),
    ],
)
def test_bags_of_two_dimensional_arrays(X):
    bags = check_bags(X)
    assert_array_equal(bags.lengths, [3, 1, 2])
    values = bags.values.toarray() if bags.is_sparse else bags.values
    assert_array_equal(values, np.concatenate(LIST))


def test_bags_pass_through():
    bags = Bags.from_list(LIST)
    assert check_bags(bags) is bags


def test_equal_bags_do_not_merge():
    # np.array(equal, dtype=object) has three axes; a list, and the block, must agree.
    equal = [np.eye(2), np.ones((2, 2))]
    for X in (equal, np.array(equal, dtype=object), np.stack(equal)):
        bags = check_bags(X)
        assert_array_equal(bags.lengths, [2, 2])
        assert bags.values.dtype == np.float64


@pytest.mark.parametrize(
    "X",
    [
        np.arange(6.0).reshape(3, 2),
        np.arange(6).reshape(3, 2).tolist(),
        tuple(map(tuple, np.arange(6).reshape(3, 2))),
        np.arange(6).reshape(3, 2).astype(object),
        pd.DataFrame(np.arange(6).reshape(3, 2)),
        pd.DataFrame(np.arange(6).reshape(3, 2), dtype=object),
        pd.DataFrame(np.arange(6).reshape(3, 2), columns=["u", "v"], dtype="Int64"),
        sparse.coo_array(np.arange(6).reshape(3, 2)),
    ],
    ids=[
        *("array", "lists", "tuples", "objects", "frame", "object frame"),
        *("nullable frame", "sparse"),
    ],
)
def test_rows_are_bags_of_one(X):
    bags = check_bags(X)
    assert_array_equal(bags.lengths, [1, 1, 1])
    values = bags.values.toarray() if bags.is_sparse else bags.values
    assert_array_equal(values, np.arange(6).reshape(3, 2))


def test_one_feature_is_no_column_of_bags():
    for X in (np.ones((3, 1)), np.ones((3, 1), object), pd.DataFrame({"f": [1, 2, 3]})):
        assert check_bags(X).n_features == 1


def test_arrays_are_not_copied():
    flat, block = np.zeros((3, 2)), np.zeros((2, 3, 4))
    assert np.shares_memory(check_bags(flat).values, flat)
    assert np.shares_memory(check_bags(block).values, block)


def test_missing_values_of_frames_become_nan():
    frame = pd.DataFrame({"u": pd.array([1, None], dtype="Int64"), "v": [1.0, 2.0]})
    assert_array_equal(check_bags(frame).values, [[1, 1], [np.nan, 2]])


def test_images():
    images = [np.zeros((2, 8, 9)), np.zeros((1, 8, 9))]
    assert check_bags(images).instance_shape == (8, 9)
    assert check_bags(np.zeros((2, 3, 8, 9))).instance_shape == (8, 9)
    with pytest.raises(BagError, match=r"shape \(8, 9\) are not vectors. Flatten"):
        check_bags(images, allow_nd=False)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_torch():
    torch = pytest.importorskip("torch")
    parts = [torch.ones(2, 3, requires_grad=True), torch.zeros(1, 3)]
    assert_array_equal(check_bags(parts).lengths, [2, 1])
    assert_array_equal(check_bags(torch.ones(4, 3)).lengths, [1, 1, 1, 1])
    assert_array_equal(check_bags(torch.ones(2, 3, 4)).lengths, [3, 3])
    nested = torch.nested.nested_tensor(parts, layout=torch.jagged)
    assert_array_equal(check_bags(nested).lengths, [2, 1])


class OtherFrame:
    """A frame of a library that is not pandas."""

    def __init__(self, **columns):
        self.frame = pd.DataFrame(columns)
        self.columns = list(columns)

    def to_numpy(self):
        return self.frame.to_numpy()


def test_frames_of_other_libraries():
    assert_array_equal(
        check_bags(OtherFrame(u=[1, 2], v=[3, 4])).values, [[1, 3], [2, 4]]
    )
    for frame in (
        OtherFrame(slide=[1, 1], u=[1, 2]),
        OtherFrame(name=["a", "a"], u=[1, 2]),
    ):
        with pytest.raises(BagError, match=r"Bags\.from_frame"):
            check_bags(frame)


class NotAnArray:
    """scikit-learn's checks pass such objects."""

    def __array__(self, dtype=None, copy=None):
        return np.ones((3, 2))


def test_anything_with_an_array_interface():
    assert len(check_bags(NotAnArray())) == 3


LONG = pd.DataFrame({"case": ["a", "a", "b"], "u": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (LONG, "column 'case' of type str"),
        (LONG.astype({"case": object}), "column 'case' of type str"),
        (LONG.astype({"case": "category"}), "column 'case' of type cat"),
        (LONG.set_index(["case", "u"]).assign(v=1), "MultiIndex"),
        (LONG.assign(case=[0, 0, 1]).rename(columns={"case": "bag"}), "column 'bag'"),
        (LONG.assign(case=[0, 0, 1]).rename(columns={"case": "Slide_ID"}), "Slide_ID"),
        (pd.DataFrame({"slide": [1, 2], "u": [1, 2]}), "column 'slide'"),
        (pd.DataFrame({"u": ["a", "b"]}), "column 'u' of type str"),
    ],
)
def test_long_frames_are_sent_to_from_frame(frame, reason):
    with pytest.raises(BagError, match=r"X has .*Bags\.from_frame\(X, bag") as caught:
        check_bags(frame)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.arange(3.0), "Expected 2D array, got 1D array instead. Reshape your data"),
        (pd.Series([1.0, 2.0]), "Reshape your data.*Bags.from_frame"),
        ([1.0, 2.0], "got 1D array"),
        (["a", "b"], "got 1D array"),
        (3.0, "X has type float"),
        ("text", "X has type str"),
        ({"a": 1}, "X has type dict"),
        (None, "X has type NoneType"),
        ([], "X is an empty list"),
        (np.empty((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1"),
        (np.empty((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1"),
        (Bags(np.ones((2, 2)), [2])[:0], r"0 sample\(s\)"),
        ([[1, 2], [3]], "list of lists of different length"),
        ([1, [2]], "is no array"),
        ([np.ones(2), np.ones(2)], r"X\[0\] has shape \(2,\).*reshape"),
        ([np.ones((2, 2)), np.ones((0, 2))], r"X\[1\] is an empty bag"),
        ([np.ones((2, 2)), np.ones((2, 3))], r"X\[1\] has instances of shape"),
        (_column([np.ones(2), np.ones(3)], -1), r"X\[0\] has shape \(2,\)"),
        (_column(["a", "b"], (-1, 1)), "X holds values that are not numbers"),
        (np.array([["a", "b"]]), "X has dtype <U1"),
        (np.ones((2, 2), complex), "Complex data not supported"),
        (np.zeros((2, 0, 3)), "bag 0 is empty"),
    ],
)
def test_the_rest_is_refused(X, message):
    with pytest.raises(BagError, match=message):
        check_bags(X)


def test_scikit_learn_wants_a_type_error_for_objects():
    X = np.ones((3, 2)).astype(object)
    X[0, 0] = {"foo": "bar"}
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        check_bags(X)


def test_messages_use_the_given_name():
    with pytest.raises(BagError, match=r"^X_test\[1\] has instances"):
        check_bags([np.ones((2, 2)), np.ones((2, 3))], name="X_test")
    with pytest.raises(BagError, match=r"X_test: Expected 2D array"):
        check_bags(np.ones(3), name="X_test")


def test_finiteness_is_not_checked():
    assert np.isnan(check_bags([[[np.nan, 1.0]]]).values).any()


def test_input_is_not_modified():
    X = [bag.copy() for bag in LIST]
    check_bags(X)
    for bag, original in zip(X, LIST, strict=True):
        assert bag.flags.writeable
        assert_array_equal(bag, original)
