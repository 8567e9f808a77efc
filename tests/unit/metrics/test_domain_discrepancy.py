"""MMD, CORAL and sliced Wasserstein against their definitions, pair by pair."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist
from scipy.stats import wasserstein_distance

from mlmi_sklearn.metrics import coral_distance, domain_discrepancy, mmd
from mlmi_sklearn.metrics import sliced_wasserstein as wasserstein

WRAPS = pytest.mark.parametrize("wrap", [np.asarray, sparse.csr_matrix])


def pair(n=9, m=6, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), 2 * rng.normal(size=(m, d)) + 0.5


def squares(A, B):
    return np.square(A[:, None] - B[None]).sum(axis=2)


def mmd_by_hand(Xs, Xt, widths, unbiased):
    """The mean of k over pairs of Xs, plus that of Xt, minus twice the mixed one."""

    def k(A, B):
        return np.mean([np.exp(-squares(A, B) / (2 * w**2)) for w in widths], axis=0)

    total = -2 * k(Xs, Xt).mean()
    for X in (Xs, Xt):
        inside = k(X, X)
        if unbiased:
            inside = inside[~np.eye(len(X), dtype=bool)]
        total += inside.mean()
    return total


@WRAPS
@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("bandwidth", ["median", 0.7, [0.3, 1.0, 4.0]])
def test_mmd_is_the_double_sum(bandwidth, unbiased, wrap):
    Xs, Xt = pair()
    widths = np.atleast_1d(
        np.median(pdist(np.vstack([Xs, Xt]))) if bandwidth == "median" else bandwidth
    )
    expected = mmd_by_hand(Xs, Xt, widths, unbiased)
    options = {"bandwidth": bandwidth, "unbiased": unbiased}
    found = mmd(wrap(Xs), wrap(Xt), squared=True, **options)
    assert found == pytest.approx(expected)
    assert mmd(wrap(Xs), wrap(Xt), **options) == pytest.approx(np.sqrt(expected))


@pytest.mark.parametrize("most", [2, 4, 6])
def test_the_median_is_of_evenly_chosen_rows_of_either_domain(most, monkeypatch):
    monkeypatch.setattr(domain_discrepancy, "MEDIAN_ROWS", most)
    Xs, Xt = pair()
    rows = []
    for X in (Xs, Xt):
        X = X[np.lexsort(X.T[::-1])]  # rows are compared in sorted order
        rows.append(X[np.linspace(0, len(X) - 1, min(len(X), most)).astype(int)])
    width = np.median(pdist(np.vstack(rows)))
    assert mmd(Xs, Xt) == pytest.approx(mmd(Xs, Xt, bandwidth=width))


def test_a_median_of_zero_stands_for_one():
    Xs, Xt = np.zeros((4, 1)), np.array([[0.0], [0.0], [0.0], [2.0]])
    assert mmd(Xs, Xt) == pytest.approx(mmd(Xs, Xt, bandwidth=1.0))
    assert mmd(Xs, Xt) > 0


@pytest.mark.parametrize("block", [1, 7, 54, 55])
@WRAPS
def test_blocks_of_any_size_give_the_same_sum(wrap, block, monkeypatch):
    Xs, Xt = pair()
    whole = mmd(wrap(Xs), wrap(Xt), bandwidth=[0.5, 2.0], squared=True)
    monkeypatch.setattr(domain_discrepancy, "BLOCK", block)
    found = mmd(wrap(Xs), wrap(Xt), bandwidth=[0.5, 2.0], squared=True)
    assert found == pytest.approx(whole, rel=1e-12)


def test_a_negative_estimate_is_kept_in_the_square_alone():
    X = np.array([[0.0], [1.0]])
    options = {"bandwidth": 1.0, "unbiased": True}
    # Pairs inside are at distance 1, half of the mixed ones at 0.
    expected = 2 * np.exp(-0.5) - (1 + np.exp(-0.5))
    assert expected < 0
    assert mmd(X, X, squared=True, **options) == pytest.approx(expected)
    assert mmd(X, X, **options) == 0


@WRAPS
def test_coral_is_the_distance_of_sample_covariances(wrap):
    Xs, Xt = pair(d=4)
    gap = np.cov(Xs, rowvar=False) - np.cov(Xt, rowvar=False)
    expected = np.square(gap).sum() / (4 * 4**2)
    assert coral_distance(wrap(Xs), wrap(Xt)) == pytest.approx(expected)
    assert coral_distance(wrap(Xs + 3), wrap(Xt - 2)) == pytest.approx(expected)


def w_by_hand(x, y, p):
    """Cost of joining quantiles, on a grid that both samples fit into."""
    grid = np.lcm(len(x), len(y))
    x, y = (np.repeat(np.sort(z), grid // len(z)) for z in (x, y))
    return np.mean(np.abs(x - y) ** p)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
@pytest.mark.parametrize(("n", "m"), [(9, 9), (9, 6), (4, 7), (1, 5)])
def test_sliced_wasserstein_is_the_mean_over_directions(n, m, p):
    Xs, Xt = pair(n, m)
    directions = np.random.RandomState(3).normal(size=(3, 8))
    directions /= np.linalg.norm(directions, axis=0)
    costs = [w_by_hand(Xs @ v, Xt @ v, p) for v in directions.T]
    options = {"n_projections": 8, "p": p}
    expected = pytest.approx(np.mean(costs) ** (1 / p))
    assert wasserstein(Xs, Xt, random_state=3, **options) == expected
    rng = np.random.RandomState(3)
    sparsely = wasserstein(sparse.csr_array(Xs), Xt, random_state=rng, **options)
    assert sparsely == expected
    assert wasserstein(Xs, Xt, random_state=4, **options) != expected


def test_defaults_of_sliced_wasserstein():
    Xs, Xt = pair()
    said = {"n_projections": 100, "p": 2, "random_state": 0}
    assert wasserstein(Xs, Xt) == wasserstein(Xs, Xt, **said)
    assert wasserstein(Xs, Xt) != wasserstein(Xs, Xt, n_projections=101)
    assert wasserstein(Xs, Xt, n_projections=1) > 0
    line = wasserstein(Xs[:, :1], Xt[:, :1], p=1, n_projections=1)
    assert line == pytest.approx(wasserstein_distance(Xs[:, 0], Xt[:, 0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: wasserstein(X, X, n_projections=0), "n_projections must be 1 at"),
        (lambda X: wasserstein(X, X, p=0.99), "p must be 1 at least and finite, got"),
        (lambda X: wasserstein(X, X, p=np.inf), "p must be 1 at least and finite"),
        (lambda X: mmd(X, X, bandwidth="mean"), "bandwidth must be .median., a n"),
        (lambda X: mmd(X, X, bandwidth=[[1.0]]), "bandwidth must be positive, got"),
        (lambda X: mmd(X, X, bandwidth=0.0), "bandwidth must be positive, got 0.0"),
        (lambda X: mmd(X[:1], X, unbiased=True), "minimum of 2"),
        (lambda X: coral_distance(X, X[:1]), "minimum of 2"),
    ],
)  # fmt: skip
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(pair()[0])
