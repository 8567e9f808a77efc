"""Several bags a patient: unmodified splitters keep patients together.

Groups travel with the bags (``Bags.groups``), so after any selection they still name
the patients of what was selected; splitters get them as ``groups=bags.groups``.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import get_scorer, make_scorer, recall_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    LeavePGroupsOut,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils import shuffle

from mlmi_sklearn import Bags, InstanceWise, MILClassifier
from mlmi_sklearn.datasets import make_digit_bags
from mlmi_sklearn.metrics import instance_roc_auc_scorer

N_PATIENTS = 12
SPLITTERS = {
    "group k-fold": GroupKFold(3),
    "shuffled": GroupKFold(3, shuffle=True, random_state=0),
    "stratified": StratifiedGroupKFold(3, shuffle=True, random_state=0),
    "one out": LeaveOneGroupOut(),
    "two out": LeavePGroupsOut(2),
    "shuffle split": GroupShuffleSplit(3, random_state=0),
}


class Watcher(ClassifierMixin, BaseEstimator):
    """Remembers the patients and weights of each fit; knows a bag by its patient."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.patients_ = set(X.groups)
        self.patients_by_value_ = set(X.values[X.offsets[:-1], 0].astype(int))
        self.weight_ = None if sample_weight is None else np.asarray(sample_weight)
        return self

    def predict_proba(self, X):
        # Never asked about a patient of the training bags.
        assert not set(X.groups) & self.patients_
        assert_array_equal(X.values[X.offsets[:-1], 0].astype(int), X.groups)
        p = X.lengths / 5
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture(scope="module")
def slides():
    """Four bags of each patient, in random order; the first feature is the patient."""
    rng = np.random.default_rng(0)
    patients = rng.permutation(np.repeat(np.arange(N_PATIENTS), 4))
    lengths = rng.integers(1, 5, 4 * N_PATIENTS)
    values = np.repeat(patients, lengths)[:, None] * [1.0, 0.0]
    return Bags(values, lengths, groups=patients), (patients < 5).astype(int)


@pytest.mark.parametrize("name", SPLITTERS)
def test_no_patient_is_on_both_sides(slides, name):
    X, y = slides
    splitter = SPLITTERS[name]
    for train, test in splitter.split(X, y, groups=X.groups):
        assert not set(X[train].groups) & set(X[test].groups)
        assert_array_equal(X[test].groups, X.groups[test])
    found = cross_validate(
        Watcher(), X, y, groups=X.groups, cv=splitter, return_estimator=True,
        error_score="raise",
    )  # fmt: skip
    for fitted in found["estimator"]:
        assert fitted.patients_ == fitted.patients_by_value_
        assert len(fitted.patients_) < N_PATIENTS


def test_stratified_folds_have_both_classes(slides):
    X, y = slides
    for _, test in StratifiedGroupKFold(3).split(X, y, groups=X.groups):
        assert set(y[test]) == {0, 1}


def test_the_watcher_would_notice(slides):
    with pytest.raises(AssertionError):
        cross_val_score(Watcher(), *slides, cv=3, error_score="raise")


@pytest.mark.parametrize("routing", [False, True])
def test_searches(slides, routing):
    X, y = slides
    grid = {"watcher": [Watcher()]}
    with config_context(enable_metadata_routing=routing):
        for search in (
            GridSearchCV(piped(), grid, cv=GroupKFold(3)),
            RandomizedSearchCV(piped(), grid, n_iter=1, cv=GroupKFold(3)),
        ):
            search.set_params(error_score="raise")
            assert search.fit(X, y, groups=X.groups).n_splits_ == 3


def piped():
    return make_pipeline(InstanceWise(NoOp()), Watcher())


class NoOp(BaseEstimator):
    """Leaves instances as they are, so that the watcher can read the patient."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def test_other_tools(slides):
    X, y = slides
    options = {"groups": X.groups, "cv": GroupKFold(3)}
    proba = cross_val_predict(Watcher(), X, y, method="predict_proba", **options)
    assert proba.shape == (48, 2)
    sizes, *_ = learning_curve(
        BothClasses(), X, y, train_sizes=[0.5, 1.0], error_score="raise", **options
    )
    assert len(sizes) == 2


class BothClasses(Watcher):
    """A learning curve scores the training bags as well."""

    def predict_proba(self, X):
        return np.tile([0.4, 0.6], (len(X), 1))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_weights_and_groups_routed_together(slides, n_jobs):
    X, y = slides
    weight = 1.0 + np.arange(48)
    with config_context(enable_metadata_routing=True):
        model = Watcher().set_fit_request(sample_weight=True)
        scorer = make_scorer(recall_score).set_score_request(sample_weight=True)
        found = cross_validate(
            model, X, y, cv=GroupKFold(3), scoring={"recall": scorer},
            params={"sample_weight": weight, "groups": X.groups},
            return_estimator=True, return_indices=True, error_score="raise",
            n_jobs=n_jobs,
        )  # fmt: skip
    folds = zip(found["estimator"], found["indices"]["train"], strict=True)
    for fitted, train in folds:
        assert_array_equal(fitted.weight_, weight[train])


def test_weights_and_groups_without_routing(slides):
    X, y = slides
    weight = 1.0 + np.arange(48)
    found = cross_validate(
        Watcher(), X, y, groups=X.groups, cv=GroupKFold(3), error_score="raise",
        params={"sample_weight": weight}, return_estimator=True, return_indices=True,
    )  # fmt: skip
    for fitted, train in zip(
        found["estimator"], found["indices"]["train"], strict=True
    ):
        assert_array_equal(fitted.weight_, weight[train])


@pytest.mark.parametrize("make", [CalibratedClassifierCV, TunedThresholdClassifierCV])
def test_inner_folds_of_wrappers_take_groups_by_routing(slides, make):
    X, y = slides
    with config_context(enable_metadata_routing=True):
        tool = make(Watcher(), cv=StratifiedGroupKFold(2))
        tool.fit(X, y, groups=X.groups)


# -- with a real model ---------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    X, y = make_digit_bags(n_bags=60, random_state=0)
    patients = np.random.default_rng(0).permutation(np.arange(60) // 5)
    return Bags(X.values, X.lengths, groups=patients, y_instances=X.y_instances), y


@pytest.mark.parametrize("routing", [False, True])
def test_search_with_weights_groups_and_instance_scorer(digits, routing):
    X, y = digits
    weight = np.where(y == 1, 2.0, 1.0)
    with config_context(enable_metadata_routing=routing):
        model = make_pipeline(
            InstanceWise(), MILClassifier(max_epochs=3, random_state=0)
        )
        params = {"milclassifier__sample_weight": weight}
        of_bags = get_scorer("roc_auc")
        if routing:
            model[-1].set_fit_request(sample_weight=True)
            model[-1].set_score_request(sample_weight=True)
            of_bags.set_score_request(sample_weight=True)
            params = {"sample_weight": weight}
        search = GridSearchCV(
            model,
            {"milclassifier__pooling": ["max", "attention"]},
            cv=StratifiedGroupKFold(3),
            scoring={"bags": of_bags, "instances": instance_roc_auc_scorer},
            refit="instances",
            error_score="raise",
        ).fit(X, y, groups=X.groups, **params)
    assert np.isfinite(search.cv_results_["mean_test_instances"]).all()
    patients = shuffle(X, random_state=0)
    assert search.predict(patients).shape == (60,)


CALIBRATED = {
    "ensemble": {"cv": 3},
    "one model": {"cv": 3, "ensemble": False},
    "isotonic, by patient": {"cv": "groups", "method": "isotonic"},
    "temperature": {"cv": 3, "method": "temperature"},
}


@pytest.mark.parametrize("name", CALIBRATED)
def test_calibration_works_on_bags(digits, name):
    X, y = digits
    options = dict(CALIBRATED[name])
    if options["cv"] == "groups":
        options["cv"] = list(StratifiedGroupKFold(3).split(X, y, groups=X.groups))
    model = MILClassifier(max_epochs=3, random_state=0)
    tool = CalibratedClassifierCV(model, **options).fit(X, y)
    proba = tool.predict_proba(X)
    assert proba.shape == (60, 2)
    assert_array_equal(tool.predict(X), tool.classes_[proba.argmax(axis=1)])
    plain = clone(model).fit(X, y).predict_proba(X)
    assert not np.allclose(proba, plain)
