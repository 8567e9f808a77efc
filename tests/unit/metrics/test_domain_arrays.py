"""Two samples as arrays: order, halves and weights that distances rest on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from mlmi_sklearn.metrics._domain_arrays import (
    Sample,
    _row_keys,
    check_pair,
    check_weights,
    halves,
    in_order,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)
FEW = st.integers(-2, 2).map(float)


def matrices(elements, most=9):
    return st.tuples(st.integers(2, most), st.integers(1, 3)).flatmap(
        lambda shape: arrays(float, shape, elements=elements)
    )


@given(matrices(NUMBERS))
def test_keys_of_rows_sort_as_their_numbers_do(X):
    keys = _row_keys(X)
    order = sorted(range(len(X)), key=lambda i: keys[i])
    rows = [tuple(row) for row in X.tolist()]
    assert [rows[i] for i in order] == sorted(rows)
    for i in range(len(X)):
        for j in range(i):
            assert (keys[i] == keys[j]) == (rows[i] == rows[j])  # also 0.0 == -0.0


@given(matrices(FEW))
def test_keys_of_sparse_rows_are_equal_where_rows_are(X):
    keys = _row_keys(check_pair(sparse.csr_matrix(X), X)[0])
    for i in range(len(X)):
        for j in range(i):
            assert (keys[i] == keys[j]) == bool((X[i] == X[j]).all())


@given(matrices(FEW), st.randoms(use_true_random=False))
def test_samples_in_order_do_not_know_how_they_came(X, random):
    Y = X[: len(X) // 2] + 1
    order = list(range(len(X)))
    random.shuffle(order)
    weight = np.arange(1.0, len(X) + 1)
    first, second = in_order(X, Y, weight, None)
    again = in_order(Y, X[order], None, weight[order])
    for ours, theirs in zip((first, second), again, strict=True):
        np.testing.assert_array_equal(ours.X, theirs.X)
        np.testing.assert_array_equal(ours.weight, theirs.weight)
        assert ours.keys == theirs.keys == sorted(ours.keys)
    assert (len(first.X), len(second.X)) == (len(Y), len(X))  # the smaller one first
    assert first.weight.tolist() == [1.0] * len(Y)
    # Rows keep their weights; of equal rows the lighter one comes first.
    pairs = sorted((*row, w) for row, w in zip(X.tolist(), weight, strict=True))
    found = [(*row, w) for row, w in zip(second.X.tolist(), second.weight, strict=True)]
    assert found == pairs


@given(matrices(FEW), matrices(FEW), st.integers(0, 99))
def test_equal_rows_fall_into_the_same_half(X, Y, seed):
    X, Y = X[:, :1], Y[:, :1]
    pair = in_order(X, Y)
    train, test = halves(*pair, np.random.RandomState(seed))
    for k, sample in enumerate(pair):
        parts = [train[k], test[k]]
        together = sorted(parts[0].X.tolist() + parts[1].X.tolist())
        assert together == sorted(sample.X.tolist())
        assert min(len(part.X) for part in parts) >= 1
        for part in parts:
            assert part.keys == _row_keys(part.X)
            assert len(part.weight) == len(part.X)
    one, two = (set(sample.keys) for sample in pair)
    # Of two different rows of a group either half has one, and no sample lies in one
    # half as a whole, which would be mended at the expense of equal rows.
    if min(max(len(one & two), len(k)) for k in (one - two, two - one)) >= 2:
        learnt, seen = (half[0].keys + half[1].keys for half in (train, test))
        assert not set(learnt) & set(seen)


def test_each_half_has_half_of_every_group():
    """Rows of both samples, and rows of either alone, are dealt group by group."""
    X = np.arange(40.0)[:, None]
    one, two = in_order(X[:30], X[10:])  # 20 in both, 10 in one only
    for seed in range(5):
        train, _ = halves(one, two, np.random.RandomState(seed))
        learnt = [set(sample.X.ravel().tolist()) for sample in train]
        assert len(learnt[0] & learnt[1]) == 10
        assert [len(part) for part in learnt] == [15, 15]


def test_the_odd_row_goes_by_a_coin():
    pair = in_order(np.arange(3.0)[:, None], np.arange(10.0, 13)[:, None])
    sizes = [
        [len(half.X) for half in halves(*pair, np.random.RandomState(seed))[0]]
        for seed in range(40)
    ]
    assert {1, 2} == {size for both in sizes for size in both}
    means = np.mean(sizes, axis=0)
    assert (np.abs(means - 1.5) < 0.3).all()


@pytest.mark.parametrize("n", [2, 3, 7])
def test_copies_of_one_row_are_dealt_to_both_halves(n):
    pair = in_order(np.ones((n, 1)), np.zeros((2, 1)))
    for seed in range(6):
        train, test = halves(*pair, np.random.RandomState(seed))
        k = [len(sample.X) for sample in pair].index(n) if n != 2 else 1
        assert len(train[k].X) == (n + 1) // 2
        assert len(test[k].X) == n // 2


def test_halves_take_weights_and_sparse_rows_along():
    X = sparse.csr_matrix(np.diag(np.arange(1.0, 9)))
    weight = np.arange(8.0)
    pair = in_order(X, X[:3], weight, None)
    for half in halves(*pair, np.random.RandomState(0)):
        (large,) = [sample for sample in half if sample.X.shape[0] != len(sample.X.data)
                    or sample.weight.tolist() != [1.0] * sample.X.shape[0]]  # fmt: skip
        assert (large.weight + 1).tolist() == large.X.data.tolist()


def test_a_sample_takes_rows_by_their_positions():
    sample = in_order(np.arange(4.0)[:, None], np.ones((1, 1)), np.arange(4.0))[1]
    some = sample.take(np.array([3, 1]))
    assert isinstance(some, Sample)
    assert some.X.ravel().tolist() == [3, 1]
    assert some.weight.tolist() == [3, 1]
    assert some.keys == [sample.keys[3], sample.keys[1]]


# -- reading


def test_pairs_are_float64_matrices_of_rows():
    Xs, Xt = check_pair(np.arange(12, dtype=np.int16).reshape(2, 2, 3), np.ones((4, 6)))
    assert Xs.dtype == Xt.dtype == np.float64
    assert Xs.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    narrow = check_pair(sparse.csr_matrix([[1, 2]], dtype=np.float32), [[1.0, 2.0]])
    assert all(sparse.issparse(X) and X.dtype == np.float64 for X in narrow)


def test_sparse_pairs_are_in_one_form_and_the_input_stays():
    messy = sparse.csr_matrix(
        ([0.0, 1.0, 2.0, 3.0], [2, 1, 0, 1], [0, 4]), shape=(1, 3)
    )
    tidy, dense = check_pair(messy, [[2.0, 4.0, 0.0]])
    for X in (tidy, dense):
        assert X.indices.tolist() == [0, 1]
        assert X.data.tolist() == [2, 4]
    assert messy.nnz == 4
    assert _row_keys(tidy) == _row_keys(dense)


@pytest.mark.parametrize("side", ["Xs", "Xt"])
def test_a_bad_sample_is_named(side):
    good = {"Xs": np.ones((3, 2)), "Xt": np.ones((3, 2))}
    with pytest.raises(ValueError, match=f"Input {side} contains NaN"):
        check_pair(**{**good, side: np.full((3, 2), np.nan)})
    with pytest.raises(ValueError, match="minimum of 3 is required"):
        check_pair(**{**good, side: np.ones((2, 2))}, min_rows=3)
    check_pair(**good, min_rows=3)
    check_pair(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        check_pair(**{**good, side: np.ones((0, 2))})


def test_weights_of_either_sample_may_be_left_out():
    Xs, Xt = np.ones((3, 1)), np.ones((2, 1))
    for weights, expected in (
        (None, ([1, 1, 1], [1, 1])),
        (([1, 0, 2], None), ([1, 0, 2], [1, 1])),
        ((None, [0, 3]), ([1, 1, 1], [0, 3])),
    ):
        found = check_weights(weights, Xs, Xt)
        assert tuple(w.tolist() for w in found) == expected
        assert all(w.dtype == np.float64 for w in found)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([[1, 1, 1], [1, 1]], "must be a pair"),  # a list might be one sample's
        ((None, None, None), r"must be a pair \(weights of Xs, weights of Xt\)"),
        (([1, 1], None), "sample_weight.shape"),
        ((None, [0, 0]), "zero"),
        (([-1, 1, 1], None), "[Nn]egative"),
        (([np.nan, 1, 1], None), "NaN"),
    ],
)
def test_weights_that_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        check_weights(weight, np.ones((3, 1)), np.ones((2, 1)))
