"""What holds for embeddings, kernels and distances of any bags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from mlmi_sklearn import (
    BagFisherVector,
    Bags,
    BagStatistics,
    BagVLAD,
    CitationKNN,
    MILESTransformer,
    NormalizedSetKernel,
)
from mlmi_sklearn.mil import bag_distance_matrix, normalized_set_kernel

STATISTICS = ["min", "max", "mean", "median", "std", "var", "sum", "count", "q20", 0.7]
KINDS = ["min-hausdorff", "max-hausdorff", "mean-hausdorff"]


@st.composite
def drawn_bags(draw, min_bags=1, max_bags=9):
    """Draw bags with many equal numbers, zeros among them, and some offset."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=min_bags, max_size=max_bags))
    n_features = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = rng.integers(-2, 3, (sum(lengths), n_features)).astype(float)
    if draw(st.booleans()):
        values += rng.normal(0, 1, values.shape)
    return Bags(values, lengths)


transformers = st.sampled_from(
    [
        BagStatistics(tuple(STATISTICS)),
        MILESTransformer(),
        MILESTransformer(3, random_state=0),
        NormalizedSetKernel(),
        NormalizedSetKernel("linear", normalization="average"),
        NormalizedSetKernel(approximation="rff", n_components=5, random_state=0),
        NormalizedSetKernel(approximation="nystroem", n_components=5, random_state=0),
        BagVLAD(2, random_state=0),
        BagFisherVector(1, random_state=0),
    ]
)

quiet = pytest.mark.filterwarnings("ignore:Number of distinct clusters")


@quiet
@given(drawn_bags(), transformers, st.integers(0, 99))
def test_instances_in_any_order_and_bags_in_any_company(bags, model, seed):
    expected = model.fit(bags).transform(bags)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(bags))
    shuffled = [rng.permutation(bags[i]) for i in order.tolist()]
    assert_allclose(model.transform(shuffled), expected[order], atol=1e-7)
    assert_allclose(model.transform(bags[order]), expected[order], atol=1e-7)
    assert np.isfinite(expected).all()


@given(drawn_bags(), st.sampled_from(STATISTICS))
def test_statistics_of_csr_are_those_of_arrays(bags, statistic):
    model = BagStatistics((statistic,))
    csr = bags.with_values(sparse.csr_matrix(bags.values))
    expected = model.fit_transform(bags)
    assert_allclose(model.fit_transform(csr), expected, atol=1e-12)


@given(drawn_bags())
def test_statistics_are_ordered_and_repetition_changes_few(bags):
    names = ("min", "q20", "median", 0.7, "max")
    out = BagStatistics(names).fit_transform(bags).reshape(len(bags), 5, -1)
    assert (np.diff(out, axis=1) >= -1e-12).all()
    twice = [np.repeat(bag, 2, axis=0) for bag in bags]
    stable = BagStatistics(("min", "max", "mean", "var"))
    assert_allclose(stable.fit_transform(twice), stable.fit_transform(bags), atol=1e-12)


@given(drawn_bags(min_bags=2))
def test_more_instances_are_never_less_similar_nor_farther(bags):
    both = [np.r_[bag, bags[0]] for bag in bags]
    model = MILESTransformer(gamma=0.5).fit(bags)
    assert (model.transform(both) >= model.transform(bags) - 1e-12).all()
    before, after = bag_distance_matrix(bags), bag_distance_matrix(both, bags)
    assert (after <= before + 1e-7).all()


@given(drawn_bags(), st.sampled_from(["rbf", "linear", "poly", "laplacian"]))
def test_set_kernel_is_symmetric_positive_and_normalised(bags, kernel):
    K = normalized_set_kernel(bags, kernel=kernel)
    assert_allclose(K, K.T, atol=1e-10)
    assert np.linalg.eigvalsh(K).min() > -1e-8
    assert (np.abs(K) <= 1 + 1e-9).all()


@given(drawn_bags(), st.floats(0.01, 10))
def test_average_kernel_does_not_see_repetition(bags, gamma):
    params = {"gamma": gamma, "normalization": "average"}
    twice = Bags.from_list([np.repeat(bag, 2, axis=0) for bag in bags])
    K = normalized_set_kernel(bags, **params)
    assert_allclose(normalized_set_kernel(twice, bags, **params), K, atol=1e-12)


@given(drawn_bags(), drawn_bags(), st.sampled_from(KINDS), st.integers(1, 3))
def test_distances_are_symmetric_and_do_not_depend_on_the_block(X, Y, kind, rank):
    if X.n_features != Y.n_features:
        Y = Bags(np.resize(Y.values, (Y.n_instances, X.n_features)), Y.lengths)
    across = bag_distance_matrix(X, Y, kind, rank=rank)
    assert_allclose(bag_distance_matrix(Y, X, kind, rank=rank), across.T, atol=1e-7)
    both = bag_distance_matrix(Bags.concat([X, Y]), kind=kind, rank=rank)
    assert_allclose(both[: len(X), len(X) :], across, atol=1e-7)
    if rank == 1:
        assert_array_equal(np.diagonal(both), 0)


@given(drawn_bags(), st.floats(-50, 50))
def test_distances_are_ordered_and_do_not_see_a_shift(bags, shift):
    low, high, mean = (
        bag_distance_matrix(bags, kind=kind)
        for kind in ("min-hausdorff", "max-hausdorff", "mean-hausdorff")
    )
    assert (low <= mean + 1e-9).all()
    assert (mean <= high + 1e-9).all()
    moved = bags.with_values(bags.values + shift)
    assert_allclose(bag_distance_matrix(moved), low, atol=1e-5)


@given(
    drawn_bags(min_bags=3),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(2, 3),
    st.integers(0, 999),
)
def test_votes_are_shares_and_whole_weights_are_copies(
    bags, n_references, n_citers, n_classes, seed
):
    rng = np.random.default_rng(seed)
    # Bags at equal distances are taken in the order of training: no ties here.
    values = bags.values + rng.normal(0, 0.3, bags.values.shape)
    bags = bags.with_values(values)
    y = np.arange(len(bags)) % n_classes
    weight = rng.integers(1, 4, len(bags))
    new = bags.with_values(values + rng.normal(0, 0.3, values.shape))
    model = CitationKNN(n_references, n_citers).fit(bags, y, sample_weight=weight)
    shares = model.predict_proba(new)
    assert_allclose(shares.sum(axis=1), 1)
    rows = rng.permutation(np.repeat(np.arange(len(bags)), weight))
    copies = CitationKNN(n_references, n_citers).fit(bags[rows], y[rows])
    assert_allclose(copies.predict_proba(new), shares, atol=1e-9)
