"""Keys: what numpy accepts on an (n_bags, 1) column, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from mlmi_sklearn.containers import Bags


@pytest.fixture
def bags():
    return Bags(
        np.arange(20.0).reshape(10, 2),
        [1, 2, 3, 4],
        bag_ids=list("abcd"),
        groups=[0, 0, 1, 1],
        coords=np.arange(10).reshape(10, 1),
        y_instances=np.arange(10) % 2,
    )


@pytest.mark.parametrize("index", [0, 3, -1, -4, np.int64(2), np.array(1)])
@pytest.mark.parametrize(
    "wrap", [lambda i: i, lambda i: (i, ...), lambda i: (i,), lambda i: (i, 0)]
)
def test_int_gives_the_array(bags, index, wrap):
    bag = bags[wrap(index)]
    assert type(bag) is np.ndarray
    assert np.shares_memory(bag, bags.values)
    assert_array_equal(bag, bags.to_list()[int(index)])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (slice(1, 3), "bc"),
        (slice(None, None, -1), "dcba"),
        ([2, 0, 2], "cac"),
        (np.array([-1, 0]), "da"),
        (np.array([3], np.uint8), "d"),
        ([True, False, False, True], "ad"),
        (pd.Series([False, True, False, False]), "b"),
        (pd.Series([3, 2], index=[8, 9]), "dc"),
        ([], ""),
        (np.zeros(4, bool), ""),
        (..., "abcd"),
        (([1, 2], ...), "bc"),
        (([1, 2], slice(None)), "bc"),
        ((slice(None), [0]), "abcd"),
        ((slice(None), 0), "abcd"),
        ((slice(1), [True]), "a"),
    ],
)
def test_other_keys_give_views(bags, key, expected):
    view = bags[key]
    assert isinstance(view, Bags)
    assert "".join(view.bag_ids) == expected
    positions = ["abcd".index(c) for c in expected]
    assert view.shape == (len(expected), 1)
    assert_array_equal(view.lengths, bags.lengths[positions])
    assert_array_equal(view.groups, bags.groups[positions])
    for got, position in zip(view, positions, strict=True):
        assert np.shares_memory(got, bags.values)
        assert_array_equal(got, bags[position])
    assert_array_equal(view.coords[:, 0] * 2, view.values[:, 0])
    assert_array_equal(view.y_instances, view.coords[:, 0] % 2)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (4, "Bag 4 is out of range: there are 4 bags"),
        (-5, "Bag -5 is out of range"),
        ([0, 4], "Bag 4 is out of range"),
        ([0, -5], "Bag -5 is out of range"),
        ([True, False], "mask has 2 entries, but there are 4 bags"),
        (np.ones(5, bool), "mask has 5 entries"),
        (1.0, "selected by an int"),
        ([0.5], "selected by an int"),
        ("a", "compare with X.bag_ids"),
        (None, "selected by an int"),
        (True, "selected by an int"),
        (np.True_, "selected by an int"),
        (np.zeros((2, 2), int), "one-dimensional"),
        ((0, 1), "one column"),
        ((slice(None), slice(1, None)), "one column"),
        ((slice(None), "a"), "one column"),
        ((0, 0, 0), "one column"),
    ],
)
def test_bad_keys(bags, key, message):
    with pytest.raises(IndexError, match=message):
        bags[key]


def test_take(bags):
    assert bags.take([3, -4]) == bags[[3, 0]]
    assert bags.take(2) == bags[2:3]
    with pytest.raises(IndexError):
        bags.take([9])


def test_views_of_views(bags):
    view = bags[[3, 1, 0]][::-1][[True, True, False]]
    assert "".join(view.bag_ids) == "ab"
    assert np.shares_memory(view.values, bags.values)


def test_contiguous_views_give_their_values_uncopied(bags):
    assert np.shares_memory(bags[1:3].values, bags.values)
    assert not np.shares_memory(bags[[2, 0]].values, bags.values)


@pytest.mark.parametrize("size", [1, 40], ids=["fancy index", "slice by slice"])
def test_gathering_small_and_large_bags(size):
    values = np.arange(4 * size * 3).reshape(-1, 3)
    bags = Bags(values, [size] * 4)
    order = [2, 0, 0, 3]
    expected = np.concatenate([values[i * size : (i + 1) * size] for i in order])
    assert_array_equal(bags[order].values, expected)


def test_iteration_and_reversal(bags):
    assert [len(bag) for bag in bags] == [1, 2, 3, 4]
    assert [len(bag) for bag in reversed(bags)] == [4, 3, 2, 1]
