"""Ensembles of estimators with different seeds."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mlmi_sklearn import (
    Bags,
    DeepEnsembleClassifier,
    InstanceWise,
    MILClassifier,
    NetClassifier,
)
from mlmi_sklearn.datasets import make_digit_bags
from mlmi_sklearn.metrics import (
    instance_roc_auc,
    instance_roc_auc_scorer,
    predictive_uncertainty,
)

FORMS = {
    "Bags": lambda X: X,
    "list": lambda X: X.to_list(),
    "object array": np.asarray,
}


def mil(**params):
    return MILClassifier(**{"max_epochs": 4, **params})


def nets(**params):
    return DeepEnsembleClassifier(
        NetClassifier(max_epochs=3), **{"n_estimators": 3, "random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def digits():
    return make_digit_bags(n_bags=40, random_state=0)


@pytest.fixture(scope="module")
def fitted(digits):
    ensemble = DeepEnsembleClassifier(mil(), n_estimators=3, random_state=0)
    return ensemble.fit(*digits)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


# -- what it predicts ------------------------------------------------------------


def test_probabilities_are_means(digits, fitted):
    X, _ = digits
    members = [member.predict_proba(X) for member in fitted.estimators_]
    assert_array_equal(fitted.predict_members_proba(X), members)
    assert_allclose(fitted.predict_proba(X), np.mean(members, axis=0))
    assert_array_equal(fitted.predict(X), fitted.predict_proba(X)[:, 1] > 0.5)
    assert_allclose(fitted.decision_function(X), logit(fitted.predict_proba(X)[:, 1]))
    assert not np.array_equal(members[0], members[1])


def test_classes_and_scores_of_more_than_two(iris):
    X, y = iris
    names = np.array(["a", "b", "c"])[y]
    ensemble = nets().fit(X, names)
    proba = ensemble.predict_proba(X)
    assert ensemble.classes_.tolist() == ["a", "b", "c"]
    assert_allclose(proba.sum(axis=1), 1)
    assert_allclose(ensemble.decision_function(X), np.log(proba))
    assert_array_equal(ensemble.predict(X), ensemble.classes_[proba.argmax(axis=1)])


def test_labels():
    X, y = make_multilabel_classification(60, n_classes=3, random_state=0)
    ensemble = nets().fit(X, y)
    proba = ensemble.predict_proba(X)
    assert proba.shape == (60, 3)
    assert_array_equal(ensemble.predict(X), (proba > 0.5).astype(int))
    assert_allclose(ensemble.decision_function(X), logit(proba))
    assert ensemble.score(X, y) > 0
    with pytest.raises(ValueError, match=r"For label j.*np.stack\(\[1 - p, p\]"):
        ensemble.predict_uncertainty(X)
    p = ensemble.predict_members_proba(X)[:, :, 0]
    assert len(predictive_uncertainty(np.stack([1 - p, p], axis=-1))) == 60


class Sure(ClassifierMixin, BaseEstimator):
    """Gives probabilities so near 0 and 1 that 1 - p is exact no more."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        small = np.asarray(X, float)[:, 0]
        return np.column_stack([1 - small, small])[:, ::-1]


def test_log_odds_do_not_saturate():
    X = np.array([[1e-20], [1e-30], [0.0], [1.0]])
    scores = DeepEnsembleClassifier(Sure()).fit(X, [0, 1, 0, 1]).decision_function(X)
    assert_allclose(scores[:2], [20 * np.log(10), 30 * np.log(10)])
    assert np.isfinite(scores).all()
    assert scores[2] > scores[1] > scores[0] > scores[3]


def test_uncertainty(digits, fitted):
    X, _ = digits
    expected = predictive_uncertainty(fitted.predict_members_proba(X))
    pd.testing.assert_frame_equal(fitted.predict_uncertainty(X), expected)
    of_instances = fitted.predict_uncertainty(X, instances=True)
    members = [m.predict_instances_proba(X, flat=True) for m in fitted.estimators_]
    pd.testing.assert_frame_equal(of_instances, predictive_uncertainty(members))
    assert len(of_instances) == X.n_instances
    assert (expected["mutual_information"] > 0).all()


def test_doubt_grows_away_from_the_data(iris):
    X, y = iris
    ensemble = DeepEnsembleClassifier(
        make_pipeline(StandardScaler(), NetClassifier(max_epochs=60)), random_state=0
    ).fit(X[:100], y[:100])
    near = ensemble.predict_uncertainty(X[:100])["mutual_information"].mean()
    far = ensemble.predict_uncertainty(X[100:] * [1, 1, -2, 3])
    assert far["mutual_information"].mean() > 2 * near


# -- instances -------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "method", ["instance_scores", "predict_instances_proba", "attention"]
)
def test_instances_are_means_over_members(digits, fitted, form, method):
    X, _ = digits
    given = FORMS[form](X)
    members = [getattr(m, method)(X, flat=True) for m in fitted.estimators_]
    found = getattr(fitted, method)(given, flat=True)
    assert_allclose(found, np.mean(members, axis=0))
    ragged = getattr(fitted, method)(given)
    assert [len(bag) for bag in ragged] == X.lengths.tolist()
    assert_array_equal(np.concatenate(ragged), found)
    if method == "attention":
        assert_allclose([bag.sum() for bag in ragged], 1, rtol=1e-5)


def test_classes_of_instances(digits, fitted):
    X, _ = digits
    proba = fitted.predict_instances_proba(X, flat=True)
    found = fitted.predict_instances(X, flat=True)
    assert_array_equal(found, proba[:, 1] > 0.5)
    assert [len(b) for b in fitted.predict_instances(X)] == X.lengths.tolist()


def test_the_exact_maximum_becomes_a_bound(digits, fitted):
    X, _ = digits
    of_instances = [bag[:, 1].max() for bag in fitted.predict_instances_proba(X)]
    assert (fitted.predict_proba(X)[:, 1] >= np.array(of_instances) - 1e-12).all()
    fewer = [bag[:-1] for bag in X]
    more, less = fitted.predict_proba(X)[:, 1], fitted.predict_proba(fewer)[:, 1]
    assert (more >= less - 1e-12).all()


def test_instances_through_pipelines(digits):
    X, y = digits
    ensemble = DeepEnsembleClassifier(
        make_pipeline(InstanceWise(), mil()), n_estimators=2, random_state=0
    ).fit(X, y)
    members = [
        p[-1].instance_scores(p[0].transform(X), flat=True)
        for p in ensemble.estimators_
    ]
    assert_allclose(ensemble.instance_scores(X, flat=True), np.mean(members, axis=0))
    expected = instance_roc_auc(X.y_instances, np.mean(members, axis=0))
    assert instance_roc_auc_scorer(ensemble, X) == pytest.approx(expected)
    outside = make_pipeline(InstanceWise(), ensemble).fit(X, y)
    assert np.isfinite(instance_roc_auc_scorer(outside, X))


def test_methods_for_instances_exist_only_where_members_have_them(iris):
    for ensemble in (nets(), nets().fit(*iris)):
        for name in ("instance_scores", "predict_instances", "attention"):
            assert not hasattr(ensemble, name)
    piped = DeepEnsembleClassifier(make_pipeline(InstanceWise(), mil()))
    assert hasattr(piped, "attention")
    assert not hasattr(DeepEnsembleClassifier(make_pipeline(LinearSVC())), "attention")


def test_an_unfitted_ensemble_says_so(digits):
    X, _ = digits
    ensemble = DeepEnsembleClassifier(mil())
    for name in ("predict_proba", "predict_uncertainty", "instance_scores", "predict"):
        with pytest.raises(NotFittedError):
            getattr(ensemble, name)(X)
    assert not hasattr(ensemble, "n_features_in_")


# -- seeds and bootstrap ---------------------------------------------------------


def test_a_seed_determines_everything(digits, fitted):
    X, y = digits
    expected = fitted.predict_members_proba(X)
    again = clone(fitted).fit(X, y)
    assert_array_equal(again.predict_members_proba(X), expected)
    jobs = clone(fitted).set_params(n_jobs=2).fit(X, y)
    assert_array_equal(jobs.predict_members_proba(X), expected)
    other = clone(fitted).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(other.predict_members_proba(X), expected)
    assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).predict_members_proba(X), expected
    )


def test_every_random_state_inside_is_replaced(iris):
    inner = make_pipeline(
        CalibratedClassifierCV(DecisionTreeClassifier(random_state=7), cv=2)
    )
    ensemble = DeepEnsembleClassifier(inner, n_estimators=4, random_state=0)
    members = ensemble.fit(*iris).estimators_
    key = "calibratedclassifiercv__estimator__random_state"
    assert len({member.get_params()[key] for member in members}) == 4
    assert inner.get_params()[key] == 7


def test_bootstrap_keeps_the_classes(iris):
    X, y = iris

    class Recorder(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            self.seen_ = (np.asarray(X), np.asarray(y), sample_weight)
            return super().fit(X, y, sample_weight)

    ensemble = DeepEnsembleClassifier(
        Recorder(max_iter=2000), bootstrap=True, random_state=0
    )
    weight = np.where(y == 2, 0.0, 1.0 + np.arange(150))
    weight[100] = 3.0
    for given in (None, weight):
        members = ensemble.fit(X, y, sample_weight=given).estimators_
        counts = np.bincount(y) if given is None else [50, 50, 1]
        rows = [member.seen_[0] for member in members]
        assert all(
            np.bincount(member.seen_[1]).tolist() == list(counts) for member in members
        )
        assert not np.array_equal(rows[0], rows[1])
        assert len(np.unique(rows[0], axis=0)) < 0.8 * len(rows[0])
        if given is not None:
            table = {tuple(row): w for row, w in zip(X, weight, strict=True)}
            for x, w in zip(rows[0][:20], members[0].seen_[2][:20], strict=True):
                assert tuple(x) in table
                assert w > 0
            assert all((member.seen_[2] > 0).all() for member in members)


@pytest.mark.parametrize("form", FORMS)
def test_bootstrap_of_bags(digits, form):
    X, y = digits
    ensemble = DeepEnsembleClassifier(
        mil(), n_estimators=2, bootstrap=True, random_state=0
    )
    found = ensemble.fit(FORMS[form](X), y).predict_proba(X)
    assert_array_equal(found, clone(ensemble).fit(X, y).predict_proba(X))


def test_bootstrap_needs_classes(iris):
    with pytest.raises(ValueError, match="continuous"):
        nets(bootstrap=True).fit(iris[0], iris[0][:, 0])


# -- weights and metadata --------------------------------------------------------


def test_weights_reach_members(iris):
    X, y = iris
    weight = np.where(y == 1, 5.0, 0.2)
    plain = nets().fit(X, y).predict_proba(X)[:, 1].mean()
    ensemble = nets().fit(X, y, sample_weight=weight)
    assert ensemble.predict_proba(X)[:, 1].mean() > plain + 0.05
    first = clone(ensemble.estimators_[0]).fit(X, y, sample_weight=weight)
    assert_array_equal(first.predict_proba(X), ensemble.estimators_[0].predict_proba(X))


def test_weights_through_pipelines(iris):
    X, y = iris
    weight = np.where(y == 1, 5.0, 0.2)
    inner = make_pipeline(StandardScaler(), NetClassifier(max_epochs=3))
    ensemble = DeepEnsembleClassifier(inner, n_estimators=2, random_state=0)
    expected = ensemble.fit(X, y, netclassifier__sample_weight=weight).predict_proba(X)
    assert not np.array_equal(expected, clone(ensemble).fit(X, y).predict_proba(X))
    with pytest.raises(ValueError, match="stepname__parameter"):
        clone(ensemble).fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        routed = clone(ensemble)
        with pytest.raises(ValueError, match="not explicitly set"):
            routed.fit(X, y, sample_weight=weight)
        routed.estimator[-1].set_fit_request(sample_weight=True)
        routed.estimator[0].set_fit_request(sample_weight=False)
        routed.fit(X, y, sample_weight=weight)
        assert_array_equal(routed.predict_proba(X), expected)


def test_weights_of_fit_and_score_in_cross_validation(iris):
    X, y = iris
    weight = np.where(y == 1, 5.0, 0.2)
    with config_context(enable_metadata_routing=True):
        inner = NetClassifier(max_epochs=3).set_fit_request(sample_weight=True)
        ensemble = DeepEnsembleClassifier(inner, n_estimators=2, random_state=0)
        ensemble.set_score_request(sample_weight=True)
        options = {"cv": 2, "params": {"sample_weight": weight}, "error_score": "raise"}
        both = cross_val_score(ensemble, X, y, **options)
        ensemble.set_score_request(sample_weight=False)
        fit_only = cross_val_score(ensemble, X, y, **options)
    assert not np.array_equal(both, fit_only)


def test_grid_search_and_list_of_bags(digits):
    X, y = digits
    ensemble = DeepEnsembleClassifier(mil(), n_estimators=2, random_state=0)
    grid = {"estimator__pooling": ["max", "mean"], "n_estimators": [1, 2]}
    search = GridSearchCV(ensemble, grid, cv=2, error_score="raise")
    assert search.fit(X.to_list(), y).score(X, y) >= 0.5


def test_calibrated_ensemble(digits):
    X, y = digits
    ensemble = DeepEnsembleClassifier(mil(), n_estimators=2, random_state=0)
    proba = CalibratedClassifierCV(ensemble, cv=2).fit(X, y).predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)


# -- bad input -------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [{"n_estimators": 0}, {"bootstrap": "yes"}, {"n_jobs": 0.5}, {"estimator": "net"}],
)
def test_bad_parameters(iris, params):
    with pytest.raises(ValueError, match=next(iter(params))):
        nets().set_params(**params).fit(*iris)


def test_members_need_probabilities(iris):
    for inner in (NetClassifier(loss="hinge"), LinearSVC()):
        with pytest.raises(TypeError, match="no predict_proba"):
            DeepEnsembleClassifier(inner).fit(*iris)


def test_one_array_for_each_label_is_refused():
    X, y = make_multilabel_classification(40, n_classes=3, random_state=0)
    forest = DeepEnsembleClassifier(RandomForestClassifier(2), n_estimators=2)
    with pytest.raises(TypeError, match="one array for each target"):
        forest.fit(X, y).predict_proba(X)


def test_a_failed_fit_changes_nothing(iris, digits):
    X, y = iris
    ensemble = nets().fit(X, y)
    expected = ensemble.predict_proba(X)
    for bad in ((X[:-1], y), (X, np.zeros(150)), (X * np.nan, y)):
        with pytest.raises(ValueError):  # noqa: PT011
            ensemble.fit(*bad)
        assert_array_equal(ensemble.predict_proba(X), expected)
    with pytest.raises(ValueError, match="4 features"):
        ensemble.predict(X[:, :2])


def test_names_of_features(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    ensemble = nets().fit(frame, y)
    assert ensemble.feature_names_in_.tolist() == list("abcd")
    assert ensemble.n_features_in_ == 4
    assert not hasattr(nets().fit(X, y), "feature_names_in_")


def test_one_bag_of_one_instance(fitted):
    X = Bags(np.zeros((1, 64), np.float32), [1])
    assert fitted.predict_proba(X).shape == (1, 2)
    assert [s.shape for s in fitted.instance_scores(X)] == [(1,)]
    assert fitted.predict_uncertainty(X).shape == (1, 5)
