"""Class shares of a target without labels, and probabilities corrected by them."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from mlmi_sklearn.domain_adaptation._mixture import mixture_shares
from mlmi_sklearn.domain_adaptation.class_shares import (
    _calibration,
    cross_fitted_shares,
    estimate_class_shares,
    reweight_probabilities,
)

METHODS = ["em", "bbse"]


def posteriors(codes, shares, rng, spread=1.0, sharpen=1.0):
    """Return what a perfect classifier says under ``shares``, or one too confident."""
    centres = 2.0 * np.arange(len(shares))
    x = rng.normal(centres[codes], spread)
    logits = -((x[:, None] - centres) ** 2) / (2 * spread**2) + np.log(shares)
    p = np.exp(sharpen * (logits - logits.max(axis=1, keepdims=True)))
    return p / p.sum(axis=1, keepdims=True)


def shifted(source_shares, target_shares, n=4000, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    y = rng.choice(len(source_shares), n, p=source_shares)
    t = rng.choice(len(source_shares), n, p=target_shares)
    source = np.asarray(source_shares)
    return (
        y,
        posteriors(y, source, rng, **kwargs),
        posteriors(t, source, rng, **kwargs),
        np.bincount(t, minlength=len(source)) / n,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ([0.5, 0.5], [0.9, 0.1]),
        ([0.36, 0.64], [0.94, 0.06]),
        ([0.2, 0.5, 0.3], [0.6, 0.1, 0.3]),
        ([0.5, 0.5], [1.0, 0.0]),
    ],
)
def test_known_shares_are_found(method, source, target):
    y, p_s, p_t, truth = shifted(source, target)
    found = estimate_class_shares(y, p_s, p_t, method=method)
    assert np.abs(found - truth).max() < 0.04
    assert np.abs(found - truth).max() < 0.5 * np.abs(truth - source).max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sharpen", [0.3, 4.0])
def test_classifiers_that_are_too_sure_or_unsure_do_no_harm(method, sharpen):
    y, p_s, p_t, truth = shifted([0.5, 0.5], [0.85, 0.15], sharpen=sharpen)
    found = estimate_class_shares(y, p_s, p_t, method=method)
    assert np.abs(found - truth).max() < 0.04


def test_calibration_is_what_makes_em_right():
    y, p_s, p_t, truth = shifted([0.5, 0.5], [0.85, 0.15], sharpen=6.0, spread=1.5)
    plain = mixture_shares(p_t / np.bincount(y) * len(y))
    found = estimate_class_shares(y, p_s, p_t)
    assert np.abs(found - truth).max() < 0.5 * np.abs(plain - truth).max()


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_that_say_nothing_leave_the_source_shares(method):
    y = np.array([0] * 30 + [1] * 70)
    p = np.tile([0.4, 0.6], (100, 1))
    found = estimate_class_shares(y, p, p[:40], method=method)
    assert np.allclose(found, [0.3, 0.7], atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_two_columns_that_cannot_be_told_apart(method):
    y, p_s, p_t, truth = shifted([0.4, 0.6], [0.7, 0.3])
    # The second class is split at random in two that look alike: A is singular.
    split = np.array([[1, 0, 0], [0, 0.5, 0.5]])
    half = np.random.default_rng(0).integers(1, 3, len(y))
    y = np.where(y == 1, half, 0)
    found = estimate_class_shares(y, p_s @ split, p_t @ split, method=method)
    assert np.isclose(found[0], truth[0], atol=0.04)
    # Nothing tells the two apart, so they are as even as they were.
    assert np.isclose(found[1], found[2], atol=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_certain_probabilities_are_counted(method):
    y = np.repeat([0, 1], 50)
    p = np.eye(2)[y]
    found = estimate_class_shares(y, p, p[[0] * 30 + [99] * 10], method=method)
    assert np.allclose(found, [0.75, 0.25], atol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_one_row_of_target(method):
    y, p_s, p_t, _ = shifted([0.5, 0.5], [0.5, 0.5], n=200)
    found = estimate_class_shares(y, p_s, p_t[:1], method=method)
    assert np.isclose(found.sum(), 1)
    assert (found >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_class_without_source_rows_gets_nothing(method):
    y, p_s, p_t, _ = shifted([0.5, 0.5], [0.2, 0.8], n=500)
    wide = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    found = estimate_class_shares(
        np.array(["a", "c"])[y],
        p_s @ wide,
        p_t @ wide,
        method=method,
        classes=["a", "b", "c"],
    )
    assert found[1] == 0
    expected = estimate_class_shares(y, p_s, p_t, method=method)
    assert np.allclose(found[[0, 2]], expected, atol=1e-6)
    certain = np.array([[0.0, 1.0, 0.0]])
    lost = estimate_class_shares(
        y * 2, p_s @ wide, certain, method=method, classes=[0, 1, 2]
    )
    assert np.isclose(lost.sum(), 1)
    assert lost[1] == 0


@pytest.mark.parametrize("method", METHODS)
def test_classes_may_come_in_any_order(method):
    y, p_s, p_t, _ = shifted([0.2, 0.5, 0.3], [0.6, 0.1, 0.3], n=600)
    names = np.array(["b", "c", "a"])
    found = estimate_class_shares(names[y], p_s, p_t, method=method, classes=names)
    expected = estimate_class_shares(y, p_s, p_t, method=method)
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_copies(method):
    y, p_s, p_t, _ = shifted([0.5, 0.5], [0.2, 0.8], n=300)
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    copies = np.repeat(np.arange(len(y)), weight)
    a = estimate_class_shares(y, p_s, p_t, method=method, sample_weight=weight)
    b = estimate_class_shares(y[copies], p_s[copies], p_t, method=method)
    # BBSE's ridge counts rows, of which copies are more.
    assert np.allclose(a, b, atol=1e-5 if method == "em" else 0.01)
    assert not np.allclose(a, estimate_class_shares(y, p_s, p_t, method=method))


def test_float32_is_fine():
    y, p_s, p_t, _ = shifted([0.5, 0.5], [0.2, 0.8], n=300)
    a = estimate_class_shares(y, p_s, p_t)
    b = estimate_class_shares(y, p_s.astype(np.float32), p_t.astype(np.float32))
    assert np.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method='magic' is not one of"),
        ({"proba_target": np.ones((3, 3)) / 3}, "proba_target has 3 columns for 2"),
        ({"proba_source": -np.ones((4, 2))}, "proba_source must hold probabilities"),
        ({"proba_target": np.zeros((4, 2))}, "proba_target must hold probabilities"),
        ({"proba_target": [[0.5, 0.5], [0.0, 0.0]]}, "proba_target must hold prob"),
        ({"proba_target": [[1.5, -0.5]]}, "proba_target must hold probabilities"),
        ({"proba_target": [[np.nan, 1.0]]}, "proba_target contains NaN"),
        ({"y_source": [0, 1]}, "y_source has shape"),
        ({"classes": [0, 2]}, "1, which is not among classes"),
        ({"sample_weight": np.zeros(4)}, "at least one non-zero"),
        ({"sample_weight": [-1, 1, 1, 1]}, "Negative values"),
    ],
)
def test_bad_input(change, message):
    good = {
        "y_source": [0, 0, 1, 1],
        "proba_source": [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]],
        "proba_target": [[0.5, 0.5]],
    }
    with pytest.raises(ValueError, match=message):
        estimate_class_shares(**{**good, **change})


# -- the two problems, solved in other ways ---


def messy(n_classes=3, n=60, m=40, seed=0):
    """Labels, weights and probabilities that agree in part."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    p = [
        softmax(rng.normal(1.2 * np.eye(n_classes)[k], 1.0), axis=1)
        for k in (y, rng.choice(n_classes, m, p=[0.6, 0.3, 0.1]))
    ]
    return y, *p, rng.uniform(0.2, 3, len(y))


@pytest.mark.parametrize("weighted", [False, True])
def test_bbse_is_a_least_squares_problem_on_the_simplex(weighted):
    y, source, target, weight = messy()
    weight = weight if weighted else np.ones(len(y))
    members = np.eye(3)[y] * weight[:, None]
    confusion = np.column_stack(
        [np.average(source, axis=0, weights=members[:, k]) for k in range(3)]
    )
    prior = members.sum(axis=0) / weight.sum()
    n = weight.sum() ** 2 / np.square(weight).sum()
    ridge = 1 / n + 1 / len(target)

    def objective(shares):
        gap = confusion @ shares - target.mean(axis=0)
        return gap @ gap + ridge * np.square(shares - prior).sum()

    expected = minimize(
        objective,
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14},
    ).x
    found = estimate_class_shares(
        y, source, target, method="bbse", sample_weight=weight if weighted else None
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_calibration_has_the_smallest_log_loss(weighted):
    """Of all temperatures and biases, with a small price on a slope that is not 1."""
    y, source, target, weight = messy()
    weight = weight if weighted else np.ones(len(y))
    calibrate = _calibration(y, source, weight)

    def loss(parameters):
        log_p = log_softmax(
            np.exp(parameters[0]) * np.log(source) + parameters[1:], axis=1
        )
        own = log_p[np.arange(len(y)), y]
        return -np.average(own, weights=weight) + 1e-3 * parameters[0] ** 2

    best = minimize(loss, np.zeros(4), options={"gtol": 1e-9}).x
    for p in (source, target):
        expected = softmax(np.exp(best[0]) * np.log(p) + best[1:], axis=1)
        np.testing.assert_allclose(calibrate(p), expected, atol=1e-5)
    # So the mean probability of each class is its frequency.
    found = np.average(calibrate(source), axis=0, weights=weight)
    expected = np.bincount(y, weight) / weight.sum()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_em_maximises_the_likelihood_of_the_target(weighted):
    y, source, target, weight = messy()
    weight = weight if weighted else np.ones(len(y))
    calibrate = _calibration(y, source, weight)
    prior = np.bincount(y, weight) / weight.sum()

    def loss(shares):
        return -np.log(calibrate(target) @ (shares / prior)).mean()

    expected = minimize(
        loss,
        prior,
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14},
    ).x
    found = estimate_class_shares(
        y, source, target, sample_weight=weight if weighted else None
    )
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert abs(loss(found) - loss(expected)) < 1e-6


def test_shares_of_a_mixture_with_weights_and_a_start():
    rng = np.random.default_rng(0)
    densities, weight = rng.random((30, 3)), rng.integers(0, 4, 30)
    copies = np.repeat(densities, weight, axis=0)
    found = mixture_shares(densities, weight=weight.astype(float), tol=1e-10)
    np.testing.assert_allclose(found, mixture_shares(copies, tol=1e-10), atol=1e-6)
    # A share that is 0 at first stays 0.
    start = np.array([0.5, 0.0, 0.5])
    found = mixture_shares(densities, start=start, tol=1e-10)
    assert found[1] == 0
    two = mixture_shares(densities[:, [0, 2]], tol=1e-10)
    np.testing.assert_allclose(found[[0, 2]], two, atol=1e-6)
    assert start.tolist() == [0.5, 0.0, 0.5]
    step = (densities / densities.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(mixture_shares(densities, max_iter=1), step)
    np.testing.assert_allclose(mixture_shares(densities, tol=9.0), step)


def test_folds_of_cross_fitting_are_dealt_by_class():
    """The fits by hand: each row is judged by a model of the other folds."""
    rng = np.random.default_rng(0)
    y = np.array(["ill", "well"])[rng.integers(0, 2, 50)]
    X, X_target = rng.normal((y == "ill")[:, None], 1.0), rng.normal(0.2, 1, (30, 1))
    for cv in (2, 3):
        p, target = np.empty((50, 2)), []
        folds = StratifiedKFold(cv, shuffle=True, random_state=5)
        for train, test in folds.split(X, y):
            model = LogisticRegression().fit(X[train], y[train])
            p[test] = model.predict_proba(X[test])
            target.append(model.predict_proba(X_target))
        for method in METHODS:
            expected = estimate_class_shares(y, p, np.vstack(target), method=method)
            options = {"cv": 2} if cv == 2 else {}  # 3 are the default
            options |= {"method": method, "random_state": 5}
            found = cross_fitted_shares(LogisticRegression(), X, y, X_target, **options)
            np.testing.assert_array_equal(found, expected)


# -- correction ---


def test_correction_is_that_of_the_right_prior():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 50)
    source, target = np.array([0.5, 0.5]), np.array([0.1, 0.9])
    p_s = posteriors(codes, source, np.random.default_rng(1))
    p_t = posteriors(codes, target, np.random.default_rng(1))
    assert np.allclose(reweight_probabilities(p_s, source, target), p_t)
    back = reweight_probabilities(p_t, target, source)
    assert np.allclose(back, p_s)


def test_correction_raises_accuracy_under_label_shift():
    rng = np.random.default_rng(0)
    y, t = rng.integers(0, 2, 500), rng.random(2000) < 0.93
    X, X_target = rng.normal(y[:, None], 1.0), rng.normal(t[:, None] * 1.0, 1.0)
    model = LogisticRegression().fit(X, y)
    p = model.predict_proba(X_target)
    shares = cross_fitted_shares(model, X, y, X_target, random_state=0)
    fixed = reweight_probabilities(p, [0.5, 0.5], shares).argmax(axis=1)
    assert (fixed == t).mean() > (p.argmax(axis=1) == t).mean() + 0.15


def test_correction_keeps_the_type_and_the_input():
    p = np.array([[0.5, 0.5]], dtype=np.float32)
    fixed = reweight_probabilities(p, [1, 1], [1, 3])
    assert fixed.dtype == np.float32
    assert np.allclose(fixed, [[0.25, 0.75]])
    assert np.allclose(p, 0.5)


def test_correction_of_classes_that_do_not_occur():
    fixed = reweight_probabilities(
        [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]
    )
    assert np.allclose(fixed, [[0, 1, 0], [0, 1, 0]])
    with pytest.raises(ValueError, match=r"classes \[2\]"):
        reweight_probabilities([[0.2, 0.3, 0.5]], [0.5, 0.5, 0], [0.4, 0.3, 0.3])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([1.0], "target_shares has shape"),
        ([1.5, -0.5], "target_shares must be finite"),
        ([0.0, 0.0], "target_shares must be finite"),
        ([np.nan, 1.0], "target_shares must be finite"),
    ],
)
def test_bad_shares(shares, message):
    with pytest.raises(ValueError, match=message):
        reweight_probabilities([[0.5, 0.5]], [0.5, 0.5], shares)
    with pytest.raises(ValueError, match=message.replace("target", "source")):
        reweight_probabilities([[0.5, 0.5]], shares, [0.5, 0.5])


def test_bad_probabilities_have_their_name():
    with pytest.raises(ValueError, match="Input proba contains NaN"):
        reweight_probabilities([[np.nan, 0.5]], [0.5, 0.5], [0.5, 0.5])


# -- cross-fitting ---


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        LinearDiscriminantAnalysis(),
        RandomForestClassifier(30, random_state=0),
    ],
    ids=lambda m: type(m).__name__,
)
def test_any_classifier_will_do(method, model):
    rng = np.random.default_rng(0)
    y = np.array(["ill", "well"])[(rng.random(600) < 0.5).astype(int)]
    t = rng.random(600) < 0.9
    X, X_target = (
        rng.normal((y == "well")[:, None] * 2.0, 1),
        rng.normal(t[:, None] * 2.0, 1),
    )
    found = cross_fitted_shares(model, X, y, X_target, method=method, random_state=0)
    assert np.allclose(found, [1 - t.mean(), t.mean()], atol=0.07)
    assert not hasattr(model, "classes_")
    again = cross_fitted_shares(model, X, y, X_target, method=method, random_state=0)
    assert np.array_equal(found, again)


def test_rows_that_the_model_has_seen_would_mislead():
    rng = np.random.default_rng(0)
    y, t = rng.integers(0, 2, 1000), rng.random(2000) < 0.9
    X = rng.normal(y[:, None] * 0.5, 1, (1000, 8))
    X_target = rng.normal(t[:, None] * 0.5, 1, (2000, 8))
    forest = RandomForestClassifier(50, random_state=0).fit(X, y)
    p = forest.predict_proba(X_target)
    naive = estimate_class_shares(y, forest.predict_proba(X), p, method="bbse")
    right = cross_fitted_shares(forest, X, y, X_target, method="bbse", random_state=0)
    assert abs(right[1] - t.mean()) < 0.5 * abs(naive[1] - t.mean())


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_class_of_one_row_stays_a_column():
    rng = np.random.default_rng(0)
    y = np.array([0] * 20 + [1] * 20 + [2])
    X = rng.normal(y[:, None] * 3.0, 1)
    found = cross_fitted_shares(LogisticRegression(), X, y, X, random_state=0)
    assert found.shape == (3,)
    assert np.isclose(found.sum(), 1)


def test_what_cross_fitting_refuses():
    X, y = np.arange(8.0)[:, None], np.repeat([0, 1], 4)
    with pytest.raises(ValueError, match="has no predict_proba"):
        cross_fitted_shares(LinearSVC(), X, y, X)
    with pytest.raises(ValueError, match="n_splits=9"):
        cross_fitted_shares(LogisticRegression(), X, y, X, cv=9)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        cross_fitted_shares(LogisticRegression(), X, y[:3], X)
