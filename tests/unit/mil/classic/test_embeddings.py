"""BagStatistics against numpy, bag by bag; names; refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from mlmi_sklearn import Bags, BagStatistics
from mlmi_sklearn.mil.classic._statistics import quantile_of

REFERENCE = {
    "min": lambda bag: bag.min(axis=0),
    "max": lambda bag: bag.max(axis=0),
    "mean": lambda bag: bag.mean(axis=0),
    "median": lambda bag: np.median(bag, axis=0),
    "std": lambda bag: bag.std(axis=0),
    "var": lambda bag: bag.var(axis=0),
    "sum": lambda bag: bag.sum(axis=0),
    "count": lambda bag: np.array([len(bag)]),
    "q25": lambda bag: np.quantile(bag, 0.25, axis=0),
    "q97.5": lambda bag: np.quantile(bag, 0.975, axis=0),
    0.1: lambda bag: np.quantile(bag, 0.1, axis=0),
    1: lambda bag: bag.max(axis=0),
}


@pytest.mark.parametrize("statistic", REFERENCE, ids=str)
@pytest.mark.parametrize("as_csr", [False, True])
@pytest.mark.parametrize("sign", [-1, 1])
def test_against_numpy(statistic, as_csr, sign, witness):
    bags, _ = witness()
    values = sign * np.abs(bags.values)  # all stored entries on one side of zero
    bags = bags.with_values(values)
    expected = np.stack([REFERENCE[statistic](bag) for bag in bags])
    X = bags.with_values(sparse.csr_matrix(values)) if as_csr else bags
    out = BagStatistics((statistic,)).fit_transform(X)
    assert_allclose(out, expected, atol=1e-12)


def test_statistics_stand_side_by_side_in_the_order_given(witness):
    bags, _ = witness()
    out = BagStatistics(("max", "count", "min")).fit_transform(bags)
    assert_array_equal(out[:, :5], [bag.max(axis=0) for bag in bags])
    assert_array_equal(out[:, 5], bags.lengths)
    assert_array_equal(out[:, 6:], [bag.min(axis=0) for bag in bags])


def test_names(witness):
    bags, _ = witness(n_features=2)
    model = BagStatistics(("min", 0.25, "count", "q25", 0.5)).fit(bags)
    names = ["min_x0", "min_x1", "q25_x0", "q25_x1", "count", "q25_x0", "q25_x1"]
    assert list(model.get_feature_names_out()) == [*names, "q50_x0", "q50_x1"]
    assert list(model.get_feature_names_out(["a", "b"]))[:2] == ["min_a", "min_b"]
    with pytest.raises(ValueError, match="length equal to number of features"):
        model.get_feature_names_out(["a"])


def test_sparse_output_holds_the_same(witness):
    bags, _ = witness()
    bags = bags.with_values(sparse.csr_matrix(bags.values))
    dense = BagStatistics().fit_transform(bags)
    out = BagStatistics(sparse_output=True).fit_transform(bags)
    assert sparse.issparse(out)
    assert out.format == "csr"
    assert_array_equal(out.toarray(), dense)


def test_csr_without_stored_numbers_and_with_stored_zeros():
    empty = Bags(sparse.csr_matrix((3, 2)), [1, 2])
    everything = BagStatistics(tuple(k for k in REFERENCE if k != "count"))
    assert not everything.fit_transform(empty).any()
    stored = sparse.csr_matrix(np.array([[-1.0, 5.0], [-2.0, 5.0]]))
    stored.data[0] = 0.0
    out = BagStatistics(("max", "min", "var")).fit_transform(Bags(stored, [2]))
    assert_allclose(out, [[0.0, 5.0, -2.0, 5.0, 1.0, 0.0]])


def test_float32_means_of_many_instances_keep_their_digits():
    values = np.full((200_000, 1), 0.1, dtype=np.float32)
    out = BagStatistics(("mean", "sum")).fit_transform(Bags(values, [200_000]))
    assert out.dtype == np.float32
    assert_allclose(out, [[0.1, 20_000.0]], rtol=1e-6)


def test_variance_does_not_suffer_from_an_offset():
    values = 1e8 + np.array([[0.0], [1.0], [2.0], [3.0]])
    out = BagStatistics(("var",)).fit_transform(Bags(values, [4]))
    assert_allclose(out, [[1.25]])


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        ((), "is empty"),
        (("min", "maximum"), "'maximum'"),
        (("q101",), "'q101'"),
        (("q",), "'q'"),
        ((1.5,), "1.5"),
        ((-0.1,), "-0.1"),
        ((float("nan"),), "nan"),
        ((True,), "True"),
        ((None,), "None"),
        (("0.5",), "'0.5'"),
        ((["min"],), "min"),
    ],
)
def test_unknown_statistics_are_refused(statistics, message, witness):
    bags, _ = witness()
    model = BagStatistics().fit(bags)
    expected = model.transform(bags)
    with pytest.raises(ValueError, match="Choose among") as caught:
        model.set_params(statistics=statistics).fit(bags)
    assert message in str(caught.value)
    assert_array_equal(
        model.set_params(statistics=("min", "max", "mean")).transform(bags), expected
    )


def test_a_string_is_no_tuple(witness):
    with pytest.raises(ValueError, match="'statistics' parameter"):
        BagStatistics("min").fit(witness()[0])


def test_quantiles():
    assert quantile_of("q0") == 0
    assert quantile_of("q100") == 1
    assert quantile_of("median") == 0.5
    assert quantile_of(np.float32(0.5)) == 0.5
    assert quantile_of("mean") is None
