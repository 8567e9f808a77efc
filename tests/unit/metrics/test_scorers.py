"""Scores of instances as scoring= of scikit-learn's tools."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    PredefinedSplit,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline

from mlmi_sklearn import Bags, InstanceWise, MILClassifier
from mlmi_sklearn.datasets import make_digit_bags
from mlmi_sklearn.metrics import (
    hit_rate_at_k,
    hit_rate_scorer,
    instance_average_precision,
    instance_average_precision_scorer,
    instance_outputs,
    instance_roc_auc,
    instance_roc_auc_scorer,
    make_instance_scorer,
)

CV = StratifiedKFold(2, shuffle=True, random_state=0)
SCORERS = {
    "auc": instance_roc_auc_scorer,
    "precision": instance_average_precision_scorer,
    "hits": hit_rate_scorer,
    "within": make_instance_scorer(instance_roc_auc, within_positive=True),
    "top 3": make_instance_scorer(hit_rate_at_k, k=3),
}
METRICS = {
    "auc": instance_roc_auc,
    "precision": instance_average_precision,
    "hits": hit_rate_at_k,
    "within": lambda *a, **k: instance_roc_auc(*a, within_positive=True, **k),
    "top 3": lambda *a, **k: hit_rate_at_k(*a, k=3, **k),
}


class Linear(ClassifierMixin, BaseEstimator):
    """Scores instances by the sum of their features times a parameter."""

    def __init__(self, sign=1.0):
        self.sign = sign

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.weighted_ = sample_weight is not None
        return self

    def instance_scores(self, X, *, flat=False):
        scores = [self.sign * bag.sum(axis=1) for bag in X]
        return np.concatenate(scores) if flat else scores

    def decision_function(self, X):
        return np.array([s.max() for s in self.instance_scores(X)])

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 1).astype(int)]

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(1 - self.decision_function(X)))
        return np.column_stack([1 - p, p])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 7, 40)
    y = np.arange(40) % 2
    labels = [np.zeros(n, int) for n in lengths]
    for bag in labels[1::2]:
        bag[0] = 1
    flat = np.concatenate(labels)
    values = rng.normal(size=(len(flat), 3)) + 0.7 * flat[:, None]
    return Bags(values, lengths, y_instances=flat, groups=np.arange(40) // 4), y


@pytest.mark.parametrize("name", SCORERS)
def test_a_scorer_is_the_metric_on_scores_of_instances(data, name):
    X, y = data
    model = Linear().fit(X, y)
    expected = METRICS[name](X.y_instances, model.instance_scores(X), bags=X)
    assert SCORERS[name](model, X, y) == SCORERS[name](model, X) == expected
    assert 0.3 < expected < 1


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validate_with_several(data, routing, n_jobs):
    X, y = data
    scoring = {**SCORERS, "bags": "roc_auc"}
    with config_context(enable_metadata_routing=routing):
        found = cross_validate(Linear(), X, y, cv=CV, scoring=scoring, n_jobs=n_jobs)
    for name, metric in METRICS.items():
        expected = [
            metric(X[test].y_instances, Linear().instance_scores(X[test]), bags=X[test])
            for _, test in CV.split(y, y)
        ]
        assert_array_equal(found[f"test_{name}"], expected, err_msg=name)


@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_of_a_pipeline(data, routing):
    X, y = data
    model = make_pipeline(InstanceWise(), Linear())
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            model,
            {"linear__sign": [-1.0, 1.0]},
            cv=CV,
            scoring=SCORERS,
            refit="within",
            error_score="raise",
            n_jobs=2,
        ).fit(clone_of(X), y)
        assert search.best_params_ == {"linear__sign": 1.0}
        assert search.score(X, y) == SCORERS["within"](search, X, y)
        clone(search)
    scaled = search.best_estimator_[0].transform(X)
    by_hand = SCORERS["within"](search.best_estimator_[-1], scaled)
    assert search.score(X, y) == by_hand


def clone_of(bags):
    return pickle.loads(pickle.dumps(bags))


def test_weights_for_fit_do_not_disturb(data):
    X, y = data
    with config_context(enable_metadata_routing=True):
        model = Linear().set_fit_request(sample_weight=True)
        found = cross_validate(
            model,
            X,
            y,
            cv=CV,
            scoring=SCORERS["auc"],
            params={"sample_weight": np.ones(40)},
            return_estimator=True,
            error_score="raise",
        )
    assert all(e.weighted_ for e in found["estimator"])


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_are_values(name):
    scorer = SCORERS[name]
    for other in (
        pickle.loads(pickle.dumps(scorer)),
        copy.deepcopy(scorer),
        clone(scorer, safe=False),
        eval(
            repr(scorer),
            {
                f.__name__: f
                for f in (
                    make_instance_scorer,
                    instance_roc_auc,
                    instance_average_precision,
                    hit_rate_at_k,
                )
            },
        ),
    ):
        assert other == scorer
        assert hash(other) == hash(scorer)
    assert sum(scorer == other for other in SCORERS.values()) == 1
    assert scorer != "roc_auc"


def test_repr_names_what_differs():
    scorer = make_instance_scorer(
        hit_rate_at_k, class_label="b", method="attention", k=2
    )
    assert repr(scorer) == (
        "make_instance_scorer(hit_rate_at_k, class_label='b', method='attention', k=2)"
    )


# -- wrappers ------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return make_digit_bags(n_bags=40, random_state=0)


@pytest.fixture(scope="module")
def fitted(digits):
    return MILClassifier(max_epochs=3, random_state=0).fit(*digits)


WRAPPERS = {
    "pipeline": lambda m: Pipeline([("mil", m)]),
    "nested": lambda m: make_pipeline("passthrough", make_pipeline(m)),
    "search": lambda m: GridSearchCV(m, {"lr": [1e-3]}, cv=2),
    "tuned": lambda m: TunedThresholdClassifierCV(m, cv=2),
    "fixed": lambda m: FixedThresholdClassifier(m),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_one_estimator_inside_is_found(digits, fitted, name):
    X, y = digits
    wrapped = WRAPPERS[name](clone(fitted)).fit(X, y)
    for method in ("instance_scores", "attention", "predict_instances"):
        found = instance_outputs(wrapped, X, method, flat=True)
        assert_array_equal(found, getattr(fitted, method)(X, flat=True))
    assert instance_roc_auc_scorer(wrapped, X) == instance_roc_auc_scorer(fitted, X)


def test_frozen_estimators_are_looked_into(digits, fitted):
    X, _ = digits
    frozen = FrozenEstimator(make_pipeline(FrozenEstimator(fitted)))
    assert_array_equal(
        instance_outputs(frozen, X, flat=True), fitted.instance_scores(X, flat=True)
    )


def test_other_methods_can_be_scored(digits, fitted):
    X, y = digits
    scores = [
        make_instance_scorer(instance_roc_auc, method=method)(fitted, X, y)
        for method in ("instance_scores", "predict_instances_proba")
    ]
    assert scores[0] == scores[1]  # probabilities rank as scores do
    by_attention = make_instance_scorer(instance_roc_auc, method="attention")
    assert by_attention(fitted, X) == instance_roc_auc(
        X.y_instances, fitted.attention(X)
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda m: CalibratedClassifierCV(m, cv=2),
        lambda m: BaggingClassifier(m, n_estimators=2, random_state=0),
    ],
)
def test_several_estimators_inside_are_not_one(digits, fitted, make):
    X, y = digits
    model = make(clone(fitted).set_params(max_epochs=1)).fit(X, y)
    with pytest.raises(TypeError, match=r"has no method 'instance_scores'.*Pipeline"):
        instance_roc_auc_scorer(model, X, y)


def test_estimators_without_instances_say_so():
    X = Bags(np.eye(4), [1, 1, 1, 1], y_instances=[0, 1, 0, 1])
    model = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(TypeError, match="LogisticRegression has no method"):
        instance_roc_auc_scorer(model, X)
    with pytest.raises(TypeError, match="Pipeline has no method"):
        instance_roc_auc_scorer(
            make_pipeline(LogisticRegression()).fit(np.eye(4), [0, 1, 0, 1]), X
        )


def test_unfitted_estimators_say_so(digits):
    X, y = digits
    for model in (
        MILClassifier(),
        make_pipeline(InstanceWise(), MILClassifier()),
        GridSearchCV(MILClassifier(), {}),
    ):
        with pytest.raises(NotFittedError):
            instance_roc_auc_scorer(model, X, y)


# -- bad input -----------------------------------------------------------------


def test_bags_without_labels_of_instances(data):
    X, y = data
    bare = Bags(X.values, X.lengths)
    model = Linear().fit(X, y)
    with pytest.raises(ValueError, match=r"X has no labels of instances.*y_instances="):
        instance_roc_auc_scorer(model, bare, y)
    with pytest.raises(ValueError, match="X is a list, with no labels"):
        instance_roc_auc_scorer(model, X.to_list(), y)
    with pytest.raises(ValueError, match="no labels of instances"):
        cross_val_score(
            Linear(), bare, y, scoring=instance_roc_auc_scorer, error_score="raise"
        )


def test_metric_must_be_callable():
    with pytest.raises(TypeError, match=r"metric must be callable.*'auc'"):
        make_instance_scorer("auc")


def test_folds_without_positive_instances_are_nan(data):
    X, y = data
    split = PredefinedSplit(y)
    with pytest.warns(UndefinedMetricWarning, match="not defined"):
        found = cross_val_score(
            Linear(), X, y, cv=split, scoring=instance_roc_auc_scorer
        )
    assert np.isnan(found[0])
    assert 0.5 < found[1] < 1


# -- classes -------------------------------------------------------------------


class ThreeColumns(BaseEstimator):
    """Scores instances for several classes by their features."""

    def __init__(self, classes):
        self.classes = classes

    def fit(self, X, y=None):
        self.classes_ = np.asarray(self.classes)
        return self

    def instance_scores(self, X, *, flat=True):
        return X.values


VALUES = np.array([[3, 1, 0], [0, 2, 1], [1, 0, 5], [0.5, 4, 0], [9, 9, 9.0]])


@pytest.mark.parametrize(
    ("classes", "codes"),
    [((0, 1, 2), (0, 1, 2)), ((5, 7, 9), (5, 7, 9)), (("a", "b", "c"), (0, 1, 2))],
)
def test_one_class_of_several(classes, codes):
    labels = np.array([codes[0], codes[1], codes[2], codes[1], -1])
    X = Bags(VALUES, [2, 3], y_instances=labels)
    model = ThreeColumns(classes).fit(X)
    for position, label in enumerate(classes):
        scorer = make_instance_scorer(instance_average_precision, class_label=label)
        truth = np.where(labels == -1, -1, labels == codes[position])
        expected = instance_average_precision(truth, VALUES[:, position])
        assert scorer(model, X) == expected
    with pytest.raises(ValueError, match=r"for 3 classes.*class_label"):
        instance_roc_auc_scorer(model, X)
    with pytest.raises(ValueError, match="class_label='x' is not a class"):
        make_instance_scorer(instance_roc_auc, class_label="x")(model, X)


def test_one_label_of_several():
    labels = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0], [-1, -1, -1]])
    X = Bags(VALUES, [2, 3], y_instances=labels)
    model = ThreeColumns((0, 1, 2)).fit(X)
    for j in range(3):
        scorer = make_instance_scorer(instance_roc_auc, class_label=j)
        assert scorer(model, X) == instance_roc_auc(labels[:, j], VALUES[:, j])


def test_either_of_two_classes(data):
    X, y = data
    model = Linear().fit(X, np.where(y == 1, "yes", "no"))
    second = make_instance_scorer(instance_roc_auc, class_label="yes")(model, X)
    first = make_instance_scorer(instance_roc_auc, class_label="no")(model, X)
    assert first == second == instance_roc_auc_scorer(model, X)
