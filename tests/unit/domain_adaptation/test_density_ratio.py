"""Estimated ratios of densities against those that are known."""

import numpy as np
import pytest
import sklearn
from scipy import sparse
from scipy.optimize import minimize
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from mlmi_sklearn.domain_adaptation import effective_sample_size, estimate_density_ratio
from mlmi_sklearn.domain_adaptation.density_ratio import _kliep

METHODS = ["classifier", "kliep"]


def gaussians(n=400, m=300, mean=1.0, sd=1.0, d=1, seed=0):
    """Return rows of both domains and the true ratio, of mean 1, at the source."""
    rng = np.random.default_rng(seed)
    X, X_target = rng.normal(0, 1, (n, d)), rng.normal(mean, sd, (m, d))
    log_ratio = (X**2 - ((X - mean) / sd) ** 2).sum(axis=1) / 2
    ratio = np.exp(log_ratio - log_ratio.max())
    return X, X_target, ratio / ratio.mean()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "shift",
    [{"mean": 1.0}, {"mean": 0.3, "sd": 0.5}, {"mean": 0.5, "sd": 0.7, "d": 2}],
    ids=str,
)
def test_the_true_ratio_is_found(method, shift):
    X, X_target, truth = gaussians(**shift)
    w = estimate_density_ratio(X, X_target, method=method, clip=None, random_state=0)
    assert np.corrcoef(w, truth)[0, 1] > 0.93
    assert np.square(w - truth).mean() < 0.25 * truth.var()


@pytest.mark.parametrize("method", METHODS)
def test_weighted_source_has_the_mean_of_the_target(method):
    X, X_target, _ = gaussians(d=2, mean=0.7)
    w = estimate_density_ratio(X, X_target, method=method, random_state=0)
    moved = np.average(X, axis=0, weights=w)
    assert np.abs(moved - X_target.mean(axis=0)).max() < 0.25
    assert np.abs(X.mean(axis=0) - X_target.mean(axis=0)).min() > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_without_shift_all_weights_are_about_one(method):
    X, X_target, _ = gaussians(mean=0.0, n=500, m=500)
    w = estimate_density_ratio(X, X_target, method=method, random_state=0)
    assert effective_sample_size(w) > 0.85 * len(w)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_units_do_not_matter(method, scale):
    X, X_target, _ = gaussians(d=2, mean=0.5, n=100, m=80)
    w = estimate_density_ratio(X, X_target, method=method, random_state=0)
    stretched = estimate_density_ratio(
        X * scale, X_target * scale, method=method, random_state=0
    )
    assert np.allclose(w, stretched, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_limits_of_weights(method):
    X, X_target, _ = gaussians(mean=2.0, n=200)
    free = estimate_density_ratio(X, X_target, method=method, clip=None, random_state=0)
    clipped = estimate_density_ratio(
        X, X_target, method=method, clip=3.0, random_state=0
    )
    assert np.isclose(clipped.mean(), 1)
    assert np.isclose(free.mean(), 1)
    assert free.max() > 5
    assert effective_sample_size(clipped) > effective_sample_size(free)
    # All that were cut weigh the same.
    assert (clipped[free > 3] == clipped.max()).all()


@pytest.mark.parametrize("method", METHODS)
def test_domains_apart_give_finite_weights(method):
    X, X_target = np.zeros((20, 2)), np.full((10, 2), 1e3)
    X[:10] += np.eye(2)[0]
    w = estimate_density_ratio(X, X_target, method=method, random_state=0)
    assert np.isfinite(w).all()
    assert np.isclose(w.mean(), 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (2, 2), (1, 1), (7, 150)])
def test_few_rows(method, n, m):
    rng = np.random.default_rng(0)
    w = estimate_density_ratio(
        rng.normal(size=(n, 3)), rng.normal(size=(m, 3)), method=method, random_state=0
    )
    assert w.shape == (n,)
    assert np.isclose(w.mean(), 1)
    assert (w >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_constant_features(method):
    w = estimate_density_ratio(
        np.ones((6, 2)), np.ones((5, 2)), method=method, random_state=0
    )
    assert np.allclose(w, 1, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("both", [True, False])
def test_sparse_rows(method, both):
    X, X_target, _ = gaussians(d=3, mean=0.5, n=80, m=60)
    X[np.abs(X) < 0.5] = 0
    w = estimate_density_ratio(
        sparse.csr_matrix(X),
        sparse.csr_array(X_target) if both else X_target,
        method=method,
        random_state=0,
    )
    dense = estimate_density_ratio(X, X_target, method=method, random_state=0)
    assert np.allclose(w, dense, rtol=1e-4, atol=1e-6)


def test_many_sparse_features():
    rng = np.random.default_rng(0)
    X, X_target = (
        sparse.csr_matrix(rng.random((n, 40)) * (rng.random((n, 40)) < 0.2))
        for n in (60, 50)
    )
    X_target.data += X_target.indices == 3
    w = estimate_density_ratio(X, X_target, random_state=0)
    dense = estimate_density_ratio(X.toarray(), X_target.toarray(), random_state=0)
    assert np.allclose(w, dense, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_seeds_decide(method):
    X, X_target, _ = gaussians(n=60, m=150)
    one = estimate_density_ratio(X, X_target, method=method, random_state=0)
    assert np.array_equal(
        one, estimate_density_ratio(X, X_target, method=method, random_state=0)
    )
    other = estimate_density_ratio(X, X_target, method=method, random_state=1)
    assert not np.array_equal(one, other)
    assert np.corrcoef(one, other)[0, 1] > 0.8


@pytest.mark.parametrize("routing", [True, False])
def test_a_classifier_of_ones_own(routing):
    X, X_target, truth = gaussians()
    models = [
        RandomForestClassifier(100, min_samples_leaf=20, random_state=0),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3),
    ]
    with sklearn.config_context(enable_metadata_routing=routing):
        for model in models:
            w = estimate_density_ratio(X, X_target, estimator=model, random_state=0)
            assert np.corrcoef(w, truth)[0, 1] > 0.75
            assert not hasattr(model, "classes_")


def test_rows_are_judged_by_those_that_have_not_seen_them():
    rng = np.random.default_rng(0)
    X, X_target = rng.normal(size=(100, 5)), rng.normal(size=(100, 5))
    forest = RandomForestClassifier(50, random_state=0)
    # In sample, a forest would call every source row a source row.
    w = estimate_density_ratio(X, X_target, estimator=forest, clip=None, random_state=0)
    assert effective_sample_size(w) > 50


def test_coefficients_of_kliep_are_the_optimum():
    rng = np.random.default_rng(0)
    at_target, at_source = rng.random((30, 5)) + 0.05, rng.random((40, 5))
    alpha = _kliep(at_target, at_source)
    assert np.isclose((at_source @ alpha).mean(), 1)
    assert (alpha >= 0).all()
    mean = at_source.mean(axis=0)
    found = minimize(
        lambda a: -np.log(at_target @ a).mean(),
        np.full(5, 1 / mean.sum()),
        bounds=[(0, None)] * 5,
        constraints={"type": "eq", "fun": lambda a: mean @ a - 1},
        method="SLSQP",
    )
    assert np.log(at_target @ alpha).mean() > -found.fun - 2e-4


def test_kliep_ignores_kernels_that_no_source_row_reaches():
    at_target, at_source = np.ones((3, 2)), np.array([[1.0, 0.0], [1.0, 0.0]])
    assert np.allclose(_kliep(at_target, at_source), [1, 0])
    assert np.allclose(_kliep(at_target, np.zeros((2, 2))), 0)


# -- both ways by hand


def scaled_to_mean_1(w, clip):
    w = w / w.mean()
    w = w if clip is None else np.minimum(w, clip)
    return w / w.mean()


def folds_of(n, m, cv, seed):
    """Folds of the two domains, as drawn by a generator of that seed."""
    codes = np.repeat([0, 1], [n, m])
    split = StratifiedKFold(cv, shuffle=True, random_state=np.random.RandomState(seed))
    return codes, list(split.split(codes, codes))


@pytest.mark.parametrize("clip", [None, 10.0, 1.2])
@pytest.mark.parametrize(("n", "m", "cv"), [(40, 25, 5), (25, 40, 3), (9, 4, 5)])
def test_the_odds_of_a_classifier_of_domains(n, m, cv, clip):
    X, X_target, _ = gaussians(n, m, d=2)
    Z, (codes, parts) = np.vstack([X, X_target]), folds_of(n, m, min(cv, n, m), 3)
    ratio = np.empty(n + m)
    for train, test in parts:
        model = LogisticRegression().fit(Z[train], codes[train])
        p = model.predict_proba(Z[test])
        sizes = np.bincount(codes[train])
        ratio[test] = sizes[0] / sizes[1] * p[:, 1] / p[:, 0]
    found = estimate_density_ratio(
        X, X_target, estimator=LogisticRegression(), cv=cv, clip=clip, random_state=3
    )
    np.testing.assert_allclose(found, scaled_to_mean_1(ratio[:n], clip), rtol=1e-9)


@pytest.mark.parametrize(("d", "m", "few"), [(1, 35, 1), (3, 30, 1), (3, 29, 0)])
@pytest.mark.parametrize("curved", [False, True])
def test_the_strength_with_the_lowest_log_loss_is_taken(d, m, few, curved):
    """Squares and products, of which 3 features have 9, are offered to 90 rows."""
    n = 60
    X, X_target, _ = gaussians(n, m, d=d, mean=0.6, sd=0.4 if curved else 1.0)
    Z, (codes, parts) = np.vstack([X, X_target]), folds_of(n, m, 5, 0)
    Z = StandardScaler().fit_transform(Z)
    offered = [Z]
    if few:
        offered.append(PolynomialFeatures(2, include_bias=False).fit_transform(Z))
    tried = []
    for F in offered:
        for C in (1e-3, 1e-2, 0.1, 1.0):
            p = np.empty((n + m, 2))
            for train, test in parts:
                model = LogisticRegression(C=C, max_iter=500)
                p[test] = model.fit(F[train], codes[train]).predict_proba(F[test])
            tried.append((log_loss(codes, p), p))
    best = min(tried, key=lambda pair: pair[0])[1][:n]
    folds = np.empty(n)  # ratio of sizes in the other folds
    for train, test in parts:
        sizes = np.bincount(codes[train])
        folds[test[test < n]] = sizes[0] / sizes[1]
    expected = scaled_to_mean_1(folds * best[:, 1] / best[:, 0], 10.0)
    found = estimate_density_ratio(X, X_target, random_state=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("n_centres", [100, 6])
@pytest.mark.parametrize("cv", [2, 5])
def test_kliep_takes_the_width_that_leaves_rows_out_best(n_centres, cv):
    X, X_target, _ = gaussians(30, 20, d=2, mean=0.7)
    random = np.random.RandomState(4)
    chosen = random.permutation(20)[:n_centres]
    scale = StandardScaler().fit(X)
    S, T = scale.transform(X), scale.transform(X_target)
    at_t, at_s = (np.square(A[:, None] - T[chosen]).sum(axis=2) for A in (T, S))
    median = np.median(at_t[at_t > 1e-12])
    parts = list(KFold(cv, shuffle=True, random_state=random).split(T))
    tried = []
    for factor in (0.1, 0.2, 0.35, 0.6, 1.0, 2.0):
        k_t, k_s = (np.exp(-d / (2 * median * factor**2)) for d in (at_t, at_s))
        scores = []
        for train, test in parts:
            known = np.isin(chosen, train)
            alpha = _kliep(k_t[np.ix_(train, known)], k_s[:, known])
            scores.append(np.log(k_t[np.ix_(test, known)] @ alpha + 1e-12).mean())
        tried.append((np.mean(scores), k_s @ _kliep(k_t, k_s)))
    expected = scaled_to_mean_1(max(tried, key=lambda pair: pair[0])[1], 10.0)
    options = {"n_centres": n_centres, "cv": cv, "random_state": 4}
    found = estimate_density_ratio(X, X_target, method="kliep", **options)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_where_no_source_row_is_near_any_target_row_all_weigh_the_same():
    X, X_target = np.arange(6.0)[:, None] * 1e-3, 1e6 + np.arange(4.0)[:, None]
    w = estimate_density_ratio(X, X_target, method="kliep", random_state=0)
    assert w.tolist() == [1.0] * 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "neither 'classifier' nor 'kliep'"),
        ({"clip": 1.0}, "clip=1.0 must be above 1"),
        ({"clip": np.nan}, "clip=nan must be above 1"),
        ({"cv": 1}, "cv=1 must be at least 2"),
        ({"n_centres": 0}, "n_centres=0 must be at least 1"),
        ({"X_target": np.zeros((4, 3))}, "3 features, but"),
        ({"X_source": np.full((4, 2), np.nan)}, "contains NaN"),
    ],
)
def test_bad_input(change, message):
    good = {"X_source": np.zeros((4, 2)), "X_target": np.zeros((4, 2))}
    with pytest.raises(ValueError, match=message):
        estimate_density_ratio(**{**good, **change})


def test_effective_sample_size_is_between_one_and_all():
    assert effective_sample_size([1, 1]) == 2
    assert effective_sample_size(np.array([0.0, 3.0])) == 1
    assert 1 < effective_sample_size([1, 2, 3]) < 3
