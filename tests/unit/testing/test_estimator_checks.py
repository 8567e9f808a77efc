"""Estimators that break a rule in one way are caught."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from mlmi_sklearn import Bags, DeepEnsembleClassifier, MILClassifier, check_bags
from mlmi_sklearn.testing import ContractError, check_mlmi_estimator
from mlmi_sklearn.testing._estimator_subject import EstimatorSubject
from mlmi_sklearn.testing._estimators import check_global_generators
from mlmi_sklearn.testing.estimators import family_of, mlmi_estimator_checks


def failures(estimator, only=None, **options):
    """Return the message of each failed check."""
    options = {"sklearn_checks": False, **options}
    found = {}
    for subject, check in mlmi_estimator_checks(estimator, **options):
        if only is None or check.name in only:
            try:
                check(subject)
            except ContractError as error:
                found[check.name] = str(error)
    return found


class Sound(ClassifierMixin, BaseEstimator):
    """Nearest centroid, with a little seeded noise."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _noise(self):
        return check_random_state(self.random_state).normal(size=1)

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        classes = np.unique(y)
        centres = np.array([X[y == c].mean(0) for c in classes])
        self.classes_, self.noise_ = classes, self._noise()
        self.centres_ = centres + self.noise_
        return self

    def predict_proba(self, X):
        X = validate_data(self, X, reset=False)
        gaps = ((X[:, None] - self.centres_) ** 2).sum(2)
        weight = np.exp(-(gaps - gaps.min(1, keepdims=True)) / 1000)
        return weight / weight.sum(1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


class KeepsStateOfFailedFit(Sound):
    def fit(self, X, y):
        self.n_features_in_ = np.shape(X)[1]
        return super().fit(X, y)


class FittedByFailure(Sound):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return super().fit(X, y)


class ForgetsInPickle(Sound):
    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "centres_"):
            self.centres_ = self.centres_ + 1.0


class GlobalNoise(Sound):
    def _noise(self):
        return np.random.normal(size=1)


class Reseeding(Sound):
    def _noise(self):
        torch.manual_seed(0)
        return super()._noise()


class CopiesSeeds(Sound):
    def _noise(self):
        return check_random_state(copy.deepcopy(self.random_state)).normal(size=1)


class Accumulates(Sound):
    def fit(self, X, y):
        before = getattr(self, "noise_", 0.0)
        super().fit(X, y)
        self.centres_ = self.centres_ + before
        return self


class ScalesInPlace(Sound):
    def fit(self, X, y):
        if isinstance(X, np.ndarray) and X.dtype == float:
            X -= X.mean(0)
        return super().fit(X, y)


class TypesMatter(Sound):
    def predict_proba(self, X):
        proba = super().predict_proba(X)
        whole = getattr(X, "dtype", np.dtype(float)).kind == "i"
        return proba[:, ::-1] if whole else proba


class HidesChecks(Sound):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        return tags


class NoPromotion(Sound):
    _components = {"loss": "loss"}  # noqa: RUF012

    def __init__(self, random_state=None, loss="focal"):
        super().__init__(random_state)
        self.loss = loss


class JobsMatter(Sound):
    def __init__(self, random_state=None, n_jobs=None):
        super().__init__(random_state)
        self.n_jobs = n_jobs

    def _noise(self):
        return super()._noise() + (self.n_jobs or 0)


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (KeepsStateOfFailedFit, "check_failed_fit_changes_nothing", "cannot predict"),
        (FittedByFailure, "check_failed_fit_changes_nothing", "when all has succeeded"),
        (ForgetsInPickle, "check_pickle", "a pickled copy predicts otherwise"),
        (GlobalNoise, "check_global_generators", "global generator of numpy"),
        (GlobalNoise, "check_refit_is_identical", "check_random_state"),
        (Reseeding, "check_global_generators", "global generator of PyTorch"),
        (CopiesSeeds, "check_random_state_instance", "was not drawn from"),
        (Accumulates, "check_earlier_fits_are_forgotten", "Overwrite every fitted"),
        (Accumulates, "check_refit_is_identical", "fitting the model again changes it"),
        (ScalesInPlace, "check_data_is_left_alone", "it changed X"),
        (TypesMatter, "check_types_agree", "for X as int64 differ"),
        (HidesChecks, "check_no_tag_hides_checks", "its tag no_validation is True"),
        (NoPromotion, "check_nested_parameters", "AttributeError"),
        (JobsMatter, "check_threads", "n_jobs=2 changes the result"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_faults_are_caught(cls, check, words):
    found = failures(cls(), family="any")
    assert check in found, found
    assert words in found[check]
    assert found[check].startswith(f"{cls.__name__} fails {check}: ")


@pytest.mark.parametrize("draws", [0, 1])
def test_a_draw_is_seen_where_numpy_has_kept_a_normal_for_it(draws):
    # Normals come in pairs, and drawing the second one moves no other state.
    np.random.seed(0)
    np.random.normal(size=draws)
    with pytest.raises(ContractError, match="global generator of numpy"):
        check_global_generators(EstimatorSubject(GlobalNoise()))


@pytest.mark.parametrize("model", [Sound(), LogisticRegression()])
def test_sound_ones_pass(model):
    assert failures(model) == {}


# -- bags -----------------------------------------------------------------------------


class SoundBags(ClassifierMixin, BaseEstimator):
    """The largest first feature decides."""

    def __init__(self, pooling="max", level="instance"):
        self.pooling = pooling
        self.level = level

    def read(self, X, reset):
        bags = X if isinstance(X, Bags) else check_bags(X)
        if bags.is_sparse:
            raise TypeError("X is sparse; pass dense instances.")
        for index, bag in enumerate(bags):
            if np.isnan(bag).any() or np.isinf(bag).any():
                what = "NaN" if np.isnan(bag).any() else "infinity"
                raise ValueError(f"X contains {what}: bag {index}.")
        if not reset and bags.n_features != self.n_features_in_:
            raise ValueError(f"X has {bags.n_features} features.")
        return bags

    def fit(self, X, y):
        bags, y = self.read(X, True), np.asarray(y)
        if len(y) != len(bags):
            raise ValueError(f"X has {len(bags)} bags, y has {len(y)} labels.")
        best = np.array([bag[:, 0].max() for bag in bags])
        self.classes_ = np.unique(y)
        self.cut_ = float(np.median(best))
        self.n_features_in_ = bags.n_features
        return self

    def score_bag(self, bag, bags):
        return np.max(bag[:, 0] - self.cut_)

    def instance_scores(self, X, *, flat=False):
        parts = [bag[:, 0] - self.cut_ for bag in self.read(X, False)]
        return np.concatenate(parts) if flat else parts

    def decision_function(self, X):
        bags = self.read(X, False)
        return np.array([self.score_bag(bag, bags) for bag in bags], dtype=float)

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


class BatchMean(SoundBags):
    def score_bag(self, bag, bags):
        return super().score_bag(bag, bags) - bags.values[:, 0].mean()


class PaddedMean(SoundBags):
    def score_bag(self, bag, bags):
        return bag[:, 0].sum() / bags.lengths.max()


class FirstInstance(SoundBags):
    def score_bag(self, bag, bags):
        return bag[0, 0] - self.cut_


class SmoothMaximum(SoundBags):
    def score_bag(self, bag, bags):
        return np.log(np.exp(bag[:, 0] - self.cut_).sum())


class BadFlat(SoundBags):
    def instance_scores(self, X, *, flat=False):
        parts = super().instance_scores(X)
        return np.concatenate(parts[::-1]) if flat else parts


class ReadsStore(SoundBags):
    def instance_scores(self, X, *, flat=False):
        parts = super().instance_scores(X)
        if isinstance(X, Bags):  # the order of the store, not of the view
            parts = [parts[i] for i in np.argsort(X._starts)]
        return np.concatenate(parts) if flat else parts


class ListsAreTables(SoundBags):
    def read(self, X, reset):
        X = [bag[:1] for bag in X] if isinstance(X, list) else X
        return super().read(X, reset)


class AcceptsNaN(SoundBags):
    def read(self, X, reset):
        return check_bags(X)


class AcceptsAnyLength(SoundBags):
    def fit(self, X, y):
        y = np.resize(y, len(check_bags(X)))
        return super().fit(X, y)


class RefusalForgets(SoundBags):
    def fit(self, X, y):
        self.cut_ = 100.0
        return super().fit(X, y)


class Attending(SoundBags):
    def attention(self, X, *, flat=False):
        parts = [np.ones(len(bag)) for bag in self.read(X, False)]
        return np.concatenate(parts) if flat else parts


class WeightsLeak(SoundBags):
    def fit(self, X, y, sample_weight=None):
        if sample_weight is not None and len(sample_weight) != len(y):
            raise ValueError("sample_weight has a wrong length.")
        return super().fit(X, y)


class ReadsGroups(SoundBags):
    def decision_function(self, X):
        shift = 0.0 if getattr(X, "groups", None) is None else 1.0
        return super().decision_function(X) + shift


class OnlyRagged(SoundBags):
    def fit(self, X, y):
        super().fit(X, y)
        if not isinstance(X, Bags | list) and np.ndim(X) == 2:
            self.cut_ += 1.0
        return self


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (BatchMean, "check_companions_do_not_matter", "a bag alone is predicted"),
        (PaddedMean, "check_companions_do_not_matter", "mask padding"),
        (FirstInstance, "check_order_of_instances", "Treat a bag as a set"),
        (SmoothMaximum, "check_maximum", "differs from its highest instance score by"),
        (BadFlat, "check_instances_are_aligned", "flat=True) is not the arrays"),
        (ReadsStore, "check_instances_follow_their_bags", "for bags in another order"),
        (ListsAreTables, "check_bag_containers", "predictions for bags as a list"),
        (
            AcceptsNaN,
            "check_bad_bags_are_refused",
            "fit on bags with NaN raised nothing",
        ),
        (AcceptsNaN, "check_other_width_is_refused", "raised nothing"),
        (AcceptsAnyLength, "check_lengths_are_compared", "raised nothing"),
        (RefusalForgets, "check_refusal_changes_nothing", "predictions differ"),
        (Attending, "check_attention_is_shares", "weights of bag 0 sum to 3"),
        (WeightsLeak, "check_zero_weight_is_removal", "leaves a trace"),
        (ReadsGroups, "check_extra_fields_do_not_matter", "fields that describe bags"),
        (OnlyRagged, "check_bag_of_one", "from one on a table"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_faults_with_bags_are_caught(cls, check, words):
    found = failures(cls(), only={check})
    assert check in found
    assert words in found[check]


def test_a_sound_classifier_of_bags_passes():
    names = {check.name for _, check in mlmi_estimator_checks(SoundBags())}
    mine = {name for name in names if name not in GENERAL}
    assert failures(SoundBags(), only=mine) == {}


GENERAL = {c.name for _, c in mlmi_estimator_checks(Sound(), family="any")}


# -- running ---------------------------------------------------------------------------


def test_families():
    assert family_of(MILClassifier()) == "mil"
    assert family_of(SoundBags()) == "mil"
    assert family_of(LogisticRegression()) == "any"


def test_all_failures_are_listed_at_once():
    with pytest.raises(ContractError, match=r"2 of 11 checks failed:\n- ") as caught:
        check_mlmi_estimator(Accumulates(), family="any", sklearn_checks=False)
    assert "check_earlier_fits_are_forgotten" in str(caught.value)
    assert "check_refit_is_identical" in str(caught.value)


def test_scikit_learn_checks_are_run_too():
    class Broken(Sound):
        def fit(self, X, y):
            return super().fit(X, y) and None

    names = {check.name for _, check in mlmi_estimator_checks(Sound())}
    assert {"check_estimators_nan_inf", "check_estimator_cloneable"} <= names
    found = failures(
        Broken(), only={"check_estimators_fit_returns_self"}, sklearn_checks=True
    )
    assert "check_estimators_fit_returns_self" in found


def test_wrong_calls():
    with pytest.raises(TypeError, match="must be an instance"):
        check_mlmi_estimator(Sound)
    with pytest.raises(ValueError, match="family must be one of"):
        check_mlmi_estimator(Sound(), family="mill")
    with pytest.raises(ValueError, match="on_fail must be"):
        check_mlmi_estimator(Sound(), on_fail="shrug")


def test_members_are_made_quick_too():
    ensemble = DeepEnsembleClassifier(MILClassifier(max_epochs=50), n_estimators=2)
    quick = EstimatorSubject(ensemble).new()
    assert quick.estimator.max_epochs == 3
    assert quick.estimator.random_state == quick.random_state == 0
    assert quick.n_estimators == 2
    assert ensemble.estimator.max_epochs == 50
