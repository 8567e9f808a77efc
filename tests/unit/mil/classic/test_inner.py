"""The classifier inside: weights, scores, scaling."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mlmi_sklearn.mil.classic.inner import (
    accepts_weight,
    fit_inner,
    inner_scores,
)

RNG = np.random.default_rng(0)
Y = np.arange(30) % 2
X = RNG.normal(Y[:, None], 1.0, (30, 3))
WEIGHT = RNG.integers(1, 4, 30).astype(float)


def test_the_given_estimator_stays_unfitted():
    given = LogisticRegression()
    assert hasattr(fit_inner(given, X, Y, WEIGHT), "coef_")
    assert not hasattr(given, "coef_")


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("scaler", [None, StandardScaler()])
def test_weights_reach_every_step(routing, scaler):
    given = LogisticRegression(tol=1e-8)
    given = given if scaler is None else make_pipeline(scaler, given)
    with config_context(enable_metadata_routing=routing):
        weighted = fit_inner(given, X, Y, WEIGHT)
        times = WEIGHT.astype(int)
        copies = fit_inner(
            given, X.repeat(times, 0), Y.repeat(times), np.ones(99)[: sum(times)]
        )
    assert_allclose(
        weighted.decision_function(X), copies.decision_function(X), rtol=1e-4, atol=1e-6
    )


def test_equal_weights_need_no_support():
    assert (
        fit_inner(KNeighborsClassifier(), X, Y, np.full(30, 2.0)).n_samples_fit_ == 30
    )


@pytest.mark.parametrize(
    "given",
    [KNeighborsClassifier(), make_pipeline(StandardScaler(), NearestCentroid())],
)
def test_weights_that_cannot_be_used_are_refused(given):
    assert not accepts_weight(given)
    with pytest.raises(TypeError, match="takes no sample_weight"):
        fit_inner(given, X, Y, WEIGHT)


def test_scores_are_margins_or_log_odds():
    model = LogisticRegression().fit(X, Y)
    assert_array_equal(inner_scores(model, X)[:, 0], model.decision_function(X))
    bayes = GaussianNB().fit(X, Y)
    p = bayes.predict_proba(X)
    assert_allclose(inner_scores(bayes, X)[:, 0], np.log(p[:, 1] / p[:, 0]), rtol=1e-6)


def test_certain_probabilities_give_finite_scores():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    assert np.isfinite(inner_scores(forest, X)).all()


def test_three_classes_have_three_columns():
    y = np.arange(30) % 3
    assert inner_scores(GaussianNB().fit(X, y), X).shape == (30, 3)
    assert inner_scores(SVC().fit(X, y), X).shape == (30, 3)


def test_a_score_for_each_pair_is_refused():
    y = np.arange(30) % 4
    model = SVC(decision_function_shape="ovo").fit(X, y)
    with pytest.raises(ValueError, match="has 6 scores for 4 classes"):
        inner_scores(model, X)


def test_a_classifier_without_scores_is_refused():
    class Silent:
        classes_ = np.array([0, 1])

    with pytest.raises(TypeError, match="neither decision_function nor predict_proba"):
        inner_scores(Silent(), X)


def test_a_margin_classifier_without_probabilities_works():
    model = fit_inner(Perceptron(), X, Y, np.ones(30))
    assert inner_scores(model, X).shape == (30, 1)
