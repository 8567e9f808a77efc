"""Construction, attributes and derived containers."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from mlmi_sklearn.containers import Bags
from mlmi_sklearn.exceptions import BagError


@pytest.fixture
def values():
    return np.arange(12.0).reshape(6, 2)


@pytest.fixture
def bags(values):
    return Bags(
        values,
        [3, 1, 2],
        bag_ids=["a", "b", "c"],
        groups=[7, 7, 8],
        coords=values * 10,
        y_instances=[0, 1, 0, -1, 0, 1],
        feature_names=["u", "v"],
    )


def test_looks_like_one_column_of_objects(bags):
    assert bags.shape == (3, 1)
    assert bags.ndim == 2
    assert bags.dtype == object
    assert len(bags) == 3


def test_attributes(bags, values):
    assert_array_equal(bags.values, values)
    assert_array_equal(bags.lengths, [3, 1, 2])
    assert bags.lengths.dtype == np.int64
    assert_array_equal(bags.offsets, [0, 3, 4, 6])
    assert (bags.n_instances, bags.n_features, bags.instance_shape) == (6, 2, (2,))
    assert bags.feature_names == ("u", "v")
    assert not bags.is_sparse


def test_optional_fields_are_none_by_default(values):
    plain = Bags(values, [6])
    fields = ("bag_ids", "groups", "coords", "y_instances", "feature_names")
    assert all(getattr(plain, field) is None for field in fields)


def test_values_are_neither_copied_nor_made_read_only_for_the_owner(bags, values):
    assert np.shares_memory(bags.values, values)
    values[0, 0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        bags.values[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        bags[0][0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        bags.lengths[0] = 1


def test_lengths_and_ids_are_copied(values):
    lengths, groups = np.array([3, 3]), np.array([1, 2])
    bags = Bags(values, lengths, groups=groups)
    lengths[0] = groups[0] = 9
    assert_array_equal(bags.lengths, [3, 3])
    assert_array_equal(bags.groups, [1, 2])


def test_attributes_cannot_be_assigned(bags):
    with pytest.raises(AttributeError):
        bags.values = 1
    with pytest.raises(AttributeError):
        bags.anything = 1


def test_repr_gives_the_sizes(bags, values):
    assert repr(bags) == "<Bags: 3 bags, 6 instances, 2 features (sizes 1/2/3)>"
    assert "8x9 features" in repr(Bags(np.zeros((2, 8, 9)), [2]))
    assert "no sizes" in repr(bags[:0])


def test_ragged_fields_equal_flat_ones(values, bags):
    listed = Bags(
        values,
        [3, 1, 2],
        coords=[values[:3] * 10, values[3:4] * 10, values[4:] * 10],
        y_instances=[[0, 1, 0], [-1], [0, 1]],
    )
    assert_array_equal(listed.coords, bags.coords)
    assert_array_equal(listed.y_instances, bags.y_instances)


def test_nested_list_of_coordinates_is_flat(values):
    bags = Bags(values[:2], [1, 1], coords=[[0, 1], [2, 3]])
    assert_array_equal(bags.coords, [[0, 1], [2, 3]])


def test_images_and_sparse_instances():
    images = Bags(np.zeros((4, 8, 9)), [1, 3])
    assert images[1].shape == (3, 8, 9)
    assert (images.n_features, images.instance_shape) == (72, (8, 9))
    matrix = sparse.random(5, 4, 0.5, format="coo", random_state=0)
    bags = Bags(matrix, [2, 3])
    assert bags.is_sparse
    assert bags.values.format == "csr"
    assert_array_equal(bags[1].toarray(), matrix.toarray()[2:])
    assert_array_equal(bags[[1, 0]].values.toarray(), matrix.toarray()[[2, 3, 4, 0, 1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int16, np.uint8, bool])
def test_dtype_of_the_numbers_is_kept(dtype):
    assert Bags(np.ones((3, 2), dtype), [1, 2]).values.dtype == dtype


@pytest.mark.parametrize(
    ("values", "lengths", "fields", "message"),
    [
        (np.zeros(4), [4], {}, r"values must have shape.*reshape\(-1, 1\)"),
        (np.zeros((4, 2)), [2, 0, 2], {}, "bag 1 is empty.*Drop"),
        (np.zeros((4, 2)), [5, -1], {}, "bag 1 is empty"),
        (np.zeros((4, 2)), [2, 3], {}, "lengths add up to 5.*4 instances"),
        (np.zeros((4, 2)), [2.0, 2.0], {}, "lengths must be one whole number per bag"),
        (np.zeros((4, 2)), 4, {}, "lengths must be one whole number per bag"),
        (np.full((4, 2), "a"), [4], {}, "values has dtype .*Encode text"),
        (np.zeros((4, 2), complex), [4], {}, "Complex data not supported"),
        (np.zeros((4, 2), "M8[s]"), [4], {}, "values has dtype datetime64"),
        (np.array([["a", 1]], object), [1], {}, "values holds values that are not"),
        (np.zeros((4, 2)), [2, 2], {"bag_ids": [1, 1]}, "bag_ids must differ, but.*1"),
        (np.zeros((4, 2)), [2, 2], {"bag_ids": [1]}, "bag_ids must have one entry per"),
        (np.zeros((4, 2)), [2, 2], {"groups": "ab"}, "groups must have one entry per"),
        (
            np.zeros((4, 2)),
            [2, 2],
            {"coords": np.zeros((3, 2))},
            "coords must have one",
        ),
        (np.zeros((4, 2)), [2, 2], {"coords": np.zeros(4)}, "coords must have one row"),
        (
            np.zeros((4, 2)),
            [2, 2],
            {"coords": [np.zeros((1, 2)), np.zeros((3, 2))]},
            r"coords\[0\] has 1 rows, but bag 0 has 2",
        ),
        (
            np.zeros((4, 2)),
            [2, 2],
            {"y_instances": [[0, 1]]},
            "y_instances lists 1 bag",
        ),
        (
            np.zeros((4, 2)),
            [2, 2],
            {"y_instances": [0, 1]},
            "y_instances must have one",
        ),
        (
            np.zeros((4, 2)),
            [2, 2],
            {"y_instances": list("abcd")},
            "y_instances has dty",
        ),
        (
            np.zeros((4, 2)),
            [2, 2],
            {"feature_names": ["a"]},
            "feature_names has 1 names",
        ),
        (
            np.zeros((4, 2, 2)),
            [4],
            {"feature_names": ["a", "b"]},
            "feature_names has 2",
        ),
    ],
)
def test_bad_input_names_the_argument(values, lengths, fields, message):
    with pytest.raises(BagError, match=message):
        Bags(values, lengths, **fields)


def test_ids_of_mixed_type_are_compared_safely(values):
    assert len(Bags(values, [3, 3], bag_ids=np.array(["a", 1], object))) == 2
    with pytest.raises(BagError, match="bag_ids must differ"):
        Bags(values, [3, 3], bag_ids=np.array([1, 1], object))


def test_no_bags_are_legal():
    none = Bags(np.empty((0, 3)), [])
    assert none.shape == (0, 1)
    assert none.values.shape == (0, 3)
    assert none.to_list() == []


def test_equality_is_by_content(bags, values):
    assert bags == Bags.concat([bags[:1], bags[1:]]).compact()
    assert bags[[0, 1, 2]] == bags
    assert bags != bags[::-1]
    assert Bags(values, [3, 3]) != Bags(values, [2, 4])
    assert Bags(values, [6]) != Bags(values + 1, [6])
    assert Bags(values, [6]) != Bags(values, [6], groups=[0])
    assert Bags(values, [6]) != Bags(values, [6], feature_names="ab")
    assert Bags(values, [6]) != values.tolist()
    assert (Bags(values, [6]) == "text") is False


def test_equality_treats_nan_as_equal_and_zeros_of_sparse_as_absent():
    nan = np.array([[np.nan, 1.0]])
    assert Bags(nan, [1]) == Bags(nan.copy(), [1])
    assert Bags(nan, [1]) != Bags(np.ones((1, 2)), [1])
    stored = sparse.csr_array((np.array([0.0, 2.0]), ([0, 1], [0, 1])), shape=(2, 2))
    absent = sparse.csr_array(np.array([[0.0, 0.0], [0.0, 2.0]]))
    assert Bags(stored, [2]) == Bags(absent, [2])
    assert Bags(stored, [2]) != Bags(absent.toarray(), [2])
    assert stored.nnz == 2, "comparing must not modify the matrix"


def test_unhashable_and_without_arithmetic(bags):
    with pytest.raises(TypeError, match="unhashable"):
        hash(bags)
    with pytest.raises(TypeError):
        bags + 1
    with pytest.raises(TypeError):
        np.add(bags, 1)


def test_copy_is_the_object_and_deepcopy_is_independent(bags, values):
    assert copy.copy(bags) is bags
    deep = copy.deepcopy(bags)
    assert deep == bags
    values[0] = 99.0
    assert deep != bags


def test_as_array(bags):
    column = np.asarray(bags)
    assert column.shape == (3, 1)
    assert column.dtype == object
    assert np.shares_memory(column[0, 0], bags.values)
    equal = np.asarray(Bags(np.zeros((4, 2)), [2, 2]))
    assert equal.shape == (2, 1), "bags of equal size must not merge into a block"
    assert np.array(bags, dtype=object, copy=True).shape == (3, 1)
    with pytest.raises(BagError, match=r"cannot become float64.*InstanceWise"):
        np.asarray(bags, dtype=float)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(bags, copy=False)


def test_with_values_keeps_the_structure(bags):
    view = bags[[2, 0]]
    new = view.with_values(np.arange(5).reshape(5, 1), feature_names=["z"])
    assert_array_equal(new.lengths, [2, 3])
    assert_array_equal(new[0], [[0], [1]])
    assert_array_equal(new.coords, view.coords)
    assert_array_equal(new.y_instances, view.y_instances)
    assert_array_equal(new.bag_ids, ["c", "a"])
    assert new.feature_names == ("z",)
    with pytest.raises(BagError, match="lengths add up to 5, but values has 4"):
        view.with_values(np.zeros((4, 1)))


def test_with_values_works_on_a_bootstrap(bags):
    twice = bags[[0, 0]]
    assert_array_equal(twice.with_values(twice.values).bag_ids, ["a", "a"])


def test_compact_frees_the_store(bags, values):
    small = bags[1:2].compact()
    assert small == bags[1:2]
    for field in ("values", "coords", "y_instances"):
        flat = getattr(small, field)
        assert not np.shares_memory(flat, getattr(bags, field))
    assert bags.compact() is bags
    assert small.compact() is small
    assert bags[::-1].compact() is not bags
    matrix = Bags(sparse.csr_array(values), [3, 3])
    assert matrix[1:].compact() == matrix[1:]
    assert matrix.compact() is matrix


def test_concat_of_views_copies_nothing(bags):
    joined = Bags.concat([bags[2:], bags[:1], bags[2:]])
    assert_array_equal(joined.lengths, [2, 3, 2])
    assert np.shares_memory(joined[1], bags[0])
    assert_array_equal(joined.bag_ids, ["c", "a", "c"])


def test_concat_of_strangers(bags, values):
    other = Bags(
        values.astype(np.float32),
        [6],
        bag_ids=["a"],
        groups=[1],
        coords=values,
        y_instances=np.ones(6),
    )
    joined = Bags.concat([bags[::-1], other])
    assert len(joined) == 4
    assert_array_equal(joined[0], bags[2])
    assert_array_equal(joined[3], values)
    assert_array_equal(joined.groups, [8, 7, 7, 1])
    assert_array_equal(joined.coords[:2], bags.coords[4:])
    assert joined.feature_names == ("u", "v")
    matrix = Bags(sparse.csr_array(values), [6])
    assert Bags.concat([matrix, Bags(sparse.csr_array(values), [3, 3])]).is_sparse


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "parts is empty"),
        (
            [Bags(np.ones((2, 2)), [2]), Bags(np.ones((2, 3)), [2])],
            r"parts\[1\] has instances of shape \(3,\)",
        ),
        (
            [Bags(np.ones((2, 2)), [2]), Bags(sparse.csr_array(np.ones((2, 2))), [2])],
            "sparse: True",
        ),
        (
            [Bags(np.ones((2, 2)), [2], groups=[1]), Bags(np.ones((2, 2)), [2])],
            "groups is present in some parts only",
        ),
    ],
)
def test_concat_refuses_what_does_not_fit(parts, message):
    with pytest.raises(BagError, match=message):
        Bags.concat(parts)
