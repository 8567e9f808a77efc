"""Distances of distributions, neighbours, likelihoods: against closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp, norm
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics.pairwise import polynomial_kernel

from mlmi_sklearn.metrics import (
    c2st_auc,
    distance_to_closest_record,
    frechet_distance,
    kernel_inception_distance,
    marginal_gaps,
    parzen_log_likelihood,
    prdc,
    within_class_variance_ratio,
)
from mlmi_sklearn.metrics.synthetic import _distances

RNG = np.random.RandomState(0)
X, S = RNG.normal(size=(60, 20)), RNG.normal(size=(50, 20)) * 1.3 + 0.2


@pytest.mark.parametrize("width", [3, 20])
@pytest.mark.parametrize("size", [10, 10**6])
def test_distances_in_blocks(monkeypatch, width, size):
    monkeypatch.setattr(_distances, "_BLOCK", size)
    A, B = X[:, :width] + 1e3, S[:, :width] + 1e3
    expected = cdist(A, B)
    np.testing.assert_allclose(_distances.nearest(A, B), expected.min(axis=1))
    np.testing.assert_allclose(
        _distances.neighbours(A, B, 4), np.sort(expected, axis=1)[:, :4]
    )
    own = cdist(A, A)
    np.fill_diagonal(own, np.inf)
    found = _distances.neighbours(A, A, 3, same=True)
    np.testing.assert_allclose(found, np.sort(own, axis=1)[:, :3])


@pytest.mark.parametrize("width", [3, 20])
def test_copies_are_exactly_zero_apart(width):
    A = X[:, :width] * 1e3
    assert not _distances.nearest(A[::-1], A).any()
    assert _distances.nearest(A + 1.0, A).min() > 0.9


@pytest.mark.parametrize(("n", "m"), [(60, 50), (10, 50), (10, 8)])
def test_frechet_distance_by_its_formula(n, m):
    A, B = X[:n], S[:m]
    C, D = np.cov(A.T), np.cov(B.T)
    expected = ((A.mean(0) - B.mean(0)) ** 2).sum() + np.trace(C + D)
    # The root of a product of singular matrices: its eigenvalues are real and positive.
    root = np.sqrt(np.clip(np.linalg.eigvals(C @ D).real, 0, None)).sum()
    if min(n, m) > 20:
        assert root == pytest.approx(np.trace(sqrtm(C @ D)).real)
    found = frechet_distance(A, B, features="raw")
    assert found == pytest.approx(expected - 2 * root, rel=1e-4)


def test_frechet_distance_of_equal_data_is_zero_and_grows_with_a_shift():
    assert frechet_distance(X, X) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(X, X + 3.0, features="raw") == pytest.approx(9.0 * 20)


def test_kid_by_its_formula():
    K, L, M = (
        polynomial_kernel(a, b, degree=3, gamma=0.1, coef0=2)
        for a, b in ((X, X), (S, S), (X, S))
    )
    n, m = len(X), len(S)
    expected = (
        (K.sum() - np.trace(K)) / (n * (n - 1))
        + (L.sum() - np.trace(L)) / (m * (m - 1))
        - 2 * M.mean()
    )
    found = kernel_inception_distance(X, S, gamma=0.1, coef0=2, features="raw")
    assert found == pytest.approx(expected)


def test_kid_is_unbiased_for_small_samples():
    rng = np.random.RandomState(1)
    found = [
        kernel_inception_distance(*rng.normal(size=(2, 8, 3)), features="raw")
        for _ in range(300)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(300)


def test_c2st_tells_apart_equal_and_copied_data():
    rng = np.random.RandomState(0)
    one, two = rng.normal(size=(2, 100, 4))
    assert c2st_auc(one, two) == pytest.approx(0.5, abs=0.12)
    assert c2st_auc(one, two + 5.0) == 1.0
    assert c2st_auc(one, one) < 0.1


@pytest.mark.parametrize("linear", [LogisticRegression(), RidgeClassifier()])
def test_c2st_by_any_classifier(linear):
    assert c2st_auc(X, S + 5.0, estimator=linear) == 1.0
    assert c2st_auc(X, S, estimator=linear) < 0.9
    assert not hasattr(linear, "coef_")  # a clone is fitted


def test_c2st_is_balanced():
    rng = np.random.RandomState(0)
    found = c2st_auc(rng.normal(size=(400, 3)), rng.normal(size=(40, 3)))
    assert found == pytest.approx(0.5, abs=0.15)


def test_a_grid_gives_synthetic_data_away():
    rng = np.random.RandomState(0)
    real, made = rng.randint(5, size=(2, 100, 3)).astype(float)
    assert c2st_auc(real, made) < 0.75
    assert c2st_auc(real, made + rng.uniform(-0.4, 0.4, made.shape)) > 0.95


def test_prdc_by_its_definition():
    real, made, k = X[:, :2], S[:, :2], 4
    own, other, across = cdist(real, real), cdist(made, made), cdist(real, made)
    around = np.sort(own)[:, k, None]
    inside = across <= around
    expected = {
        "precision": inside.any(0).mean(),
        "recall": (across <= np.sort(other)[:, k]).any(1).mean(),
        "density": inside.sum(0).mean() / k,
        "coverage": (across.min(1) <= around[:, 0]).mean(),
    }
    assert prdc(real, made, n_neighbors=k, features="raw") == pytest.approx(expected)


def test_prdc_of_tables_of_categories():
    table = pd.DataFrame({"a": list("xyz") * 20})  # every distance to a neighbour is 0
    found = prdc(table, table[:30])
    assert found["precision"] == found["recall"] == found["coverage"] == 1.0
    lost = prdc(table, table[table["a"] == "x"])
    assert lost["coverage"] == pytest.approx(1 / 3)


def test_prdc_of_a_point():
    found = prdc(X, np.repeat(X[:1], 30, axis=0))
    assert found["precision"] == 1.0
    assert found["recall"] < 0.05


def test_dcr():
    rng = np.random.RandomState(0)
    train, other, made = rng.normal(size=(3, 300, 3))
    assert distance_to_closest_record(train, other, made) == pytest.approx(0.5, abs=0.1)
    assert distance_to_closest_record(train, other, train) == 1.0
    assert distance_to_closest_record(train, other, other) == 0.0
    assert distance_to_closest_record(train, train, made) == 0.5  # ties count half
    third = distance_to_closest_record(train, other[:100], train)
    assert third == pytest.approx((1 + 1 / 3) / 2, abs=0.07)
    assert distance_to_closest_record(train[:100], other, other) == pytest.approx(
        1 - (1 + 1 / 3) / 2, abs=0.07
    )


def test_parzen_by_its_formula():
    real, made = X[:, :3], S[:, :3]
    for width in (0.3, 2.0):
        density = norm.pdf(real[:, None], made, width).prod(axis=2).mean(axis=1)
        found = parzen_log_likelihood(real, made, bandwidth=width, features="raw")
        assert found == pytest.approx(np.log(density).mean())


def test_parzen_is_in_units_of_the_data():
    rng = np.random.RandomState(0)
    real, made, valid = rng.normal(size=(3, 400, 1))
    truth = norm.logpdf(real).mean()
    found = parzen_log_likelihood(real, made, X_valid=valid)
    assert found == pytest.approx(truth, abs=0.05)
    wide = parzen_log_likelihood(real * 50, made * 50, X_valid=valid * 50)
    assert wide == pytest.approx(found - np.log(50))
    crosswise = parzen_log_likelihood(real, made)
    assert crosswise == pytest.approx(truth, abs=0.05)


def test_parzen_of_copies_and_of_what_is_far_is_finite():
    assert np.isfinite(parzen_log_likelihood(X, X))
    assert np.isfinite(parzen_log_likelihood(X, X * 1e9))
    assert parzen_log_likelihood(X, S) > parzen_log_likelihood(X, S + 9.0)


def test_variance_within_classes():
    y = np.arange(60) % 2
    apart = X + 10 * y[:, None]
    half = within_class_variance_ratio(apart, y, 0.5 * apart + 3, y)
    assert half == pytest.approx(0.25)
    assert within_class_variance_ratio(X, None, X * 2, None) == pytest.approx(4)
    # A class that has collapsed counts by its share of real rows.
    one = np.where(y[:, None] == 0, apart, 10.0)
    alike = within_class_variance_ratio(apart, y, one, y)
    assert alike == pytest.approx(0.5, abs=0.06)
    assert np.isnan(within_class_variance_ratio(X * 0, y, X, y))


def test_marginals():
    real = pd.DataFrame({"a": X[:, 0], "b": ["x"] * 30 + ["y"] * 30, "c": [0, 1] * 30})
    made = pd.DataFrame({"a": S[:, 0], "b": ["y"] * 40 + [None] * 10, "c": [0] * 50})
    found = marginal_gaps(real, made)
    assert found["a"] == pytest.approx(ks_2samp(X[:, 0], S[:, 0]).statistic)
    assert found["b"] == pytest.approx(0.5)
    assert found["c"] == pytest.approx(0.5)
    missing = made.assign(a=np.nan)
    assert marginal_gaps(real, missing)["a"] == 1.0
    assert list(marginal_gaps(np.zeros((4, 2, 2)), np.ones((3, 2, 2)))) == [1.0] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: c2st_auc(X[:3], S), "cv must be 2 at least.*3 and 50, got 5"),
        (lambda: c2st_auc(X, S, cv=1), "cv must be 2 at least"),
        (lambda: frechet_distance(X[:1], S), "two rows at least, got 1 and 50"),
        (lambda: kernel_inception_distance(X, S[:1]), "two rows at least"),
        (lambda: kernel_inception_distance(X, S, degree=0), "degree must be 1"),
        (lambda: prdc(X[:5], S), "n_neighbors must be .* 5 and 50, got 5"),
        (lambda: prdc(X, S, n_neighbors=0), "n_neighbors"),
        (lambda: distance_to_closest_record(X, X, S, n_draws=0), "n_draws"),
        (lambda: parzen_log_likelihood(X, S, bandwidth=0.0), "bandwidth must be"),
        (
            lambda: parzen_log_likelihood(X, S, bandwidth="silverman"),
            "bandwidth must be",
        ),
        (lambda: parzen_log_likelihood(X[:1], S), "needs X_valid or two rows"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
