"""Splitters of domains: shares, roles of the target, scikit-learn's tools, errors."""

import pickle
import warnings
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.model_selection import DomainStratifiedKFold, LeaveOneDomainOut

DOMAIN = np.repeat([0, 1, -1, -2], [30, 20, 25, 15])
Y = np.arange(90) % 3
X = np.random.default_rng(0).normal(size=(90, 2))


def counts(rows, values):
    return np.array([[(rows[f] == v).sum() for v in values] for f in (0, 1)])


def test_every_fold_has_all_domains_and_classes_in_equal_shares():
    folds = list(DomainStratifiedKFold(5, random_state=0).split(X, Y, DOMAIN))
    for train, test in folds:
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(90))
        assert len(test) == 18
        for domain, n in zip([0, 1, -1, -2], [6, 4, 5, 3], strict=True):
            assert (DOMAIN[test] == domain).sum() == n
        for label in range(3):
            assert (Y[test][DOMAIN[test] == 0] == label).sum() == 2
    assert_array_equal(np.sort(np.concatenate([t for _, t in folds])), np.arange(90))


def test_target_rows_may_stay_in_training():
    cv = DomainStratifiedKFold(5, target="train", random_state=0)
    for train, test in cv.split(X, Y, DOMAIN):
        assert (DOMAIN[test] >= 0).all()
        assert (DOMAIN[train] < 0).sum() == 40
        assert len(test) == 10


def test_one_target_row_is_enough_if_it_stays_in_training():
    domain = np.where(np.arange(90) == 7, -1, 0)
    cv = DomainStratifiedKFold(3, target="train")
    assert all(7 in train for train, _ in cv.split(X, Y, domain))


def test_target_labels_do_not_matter_but_whether_there_are_any_does():
    def folds(y):
        cv = DomainStratifiedKFold(5, random_state=0)
        return [test.tolist() for _, test in cv.split(X, y, DOMAIN)]

    other = Y.copy()
    other[DOMAIN < 0] = np.random.default_rng(1).permutation(Y[DOMAIN < 0])
    assert folds(Y) == folds(other)
    few = np.where(DOMAIN < 0, -1, Y)
    labelled = np.flatnonzero(DOMAIN < 0)[[0, 2, 4, 6, 8]]
    few[labelled] = [0, 1, 2, 0, 1]
    assert [np.isin(labelled, test).sum() for test in folds(few)] == [1] * 5


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y.astype(str),
        Y.astype(str).astype(object),
        np.where(DOMAIN < 0, -1, Y),
        np.where(DOMAIN < 0, None, Y.astype(str)),
        np.where(DOMAIN < 0, np.nan, Y * 0.37),
        np.c_[Y, Y] * 0.5,
        None,
    ],
    ids=["ints", "str", "object", "-1", "None", "NaN", "2-d", "none"],
)
def test_labels_of_any_kind(y):
    for _, test in DomainStratifiedKFold(5).split(X, y, DOMAIN):
        assert (DOMAIN[test] < 0).sum() == 8


@pytest.mark.parametrize("dtype", [int, float, object])
def test_the_marker_in_y_stands_in_for_ids(dtype):
    marker = {int: -1, float: np.nan, object: None}[dtype]
    y = Y.astype(dtype)
    y[60:] = marker
    for _, test in DomainStratifiedKFold(5).split(X, y):
        assert (test >= 60).sum() == 6


def test_names_of_domains():
    names = np.array(["a", "b", "c", "d"])[np.array([0, 1, 2, 3]).repeat(5)]
    rows = np.zeros((20, 1))
    cv = DomainStratifiedKFold(5, target_domains=["c", "d"], target="train")
    for train, test in cv.split(rows, None, names):
        assert sorted(names[test]) == ["a", "b"]
        assert len(train) == 18
    with pytest.raises(ValueError, match="target_domains"):
        next(DomainStratifiedKFold().split(rows, None, names))
    left = LeaveOneDomainOut(target_domains=["c"]).split(rows, None, names)
    assert [set(names[test]) for _, test in left] == [{"a"}, {"b"}, {"d"}]


def test_the_seed_decides():
    def folds(**options):
        cv = DomainStratifiedKFold(5, **options)
        return [test.tolist() for _, test in cv.split(X, Y, DOMAIN)]

    assert folds(random_state=0) == folds(random_state=0) != folds(random_state=1)
    assert folds(shuffle=False) == folds(shuffle=False) != folds(random_state=0)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    folds(random_state=3)
    assert_array_equal(np.random.get_state()[1], before)


class Recorder(ClassifierMixin, BaseEstimator):
    __metadata_request__fit: ClassVar = {"sample_domain": True}
    __metadata_request__score: ClassVar = {"sample_domain": True}

    def __init__(self, a=1):
        self.a = a

    def fit(self, X, y, sample_domain=None):
        self.classes_ = np.unique(y)
        self.both_ = (sample_domain < 0).any() and (sample_domain >= 0).any()
        assert self.both_
        return self

    def predict(self, X):
        return np.zeros(len(X), int)

    def score(self, X, y, sample_domain=None, sample_weight=None):
        return float((sample_domain < 0).mean())


@pytest.mark.parametrize(
    "wrap", [lambda e: e, lambda e: make_pipeline(StandardScaler(), e)]
)
def test_grid_search_with_routing(wrap):
    estimator = wrap(Recorder())
    name = "a" if isinstance(estimator, Recorder) else "recorder__a"
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(estimator, {name: [1, 2]}, cv=DomainStratifiedKFold(5))
        search.fit(X, Y, sample_domain=DOMAIN)
        found = cross_validate(
            estimator,
            X,
            Y,
            cv=DomainStratifiedKFold(4),
            params={"sample_domain": DOMAIN},
        )
    assert search.n_splits_ == 5
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(8 / 18)
    assert len(found["test_score"]) == 4


def test_leave_one_domain_out_in_a_search_with_routing():
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            LogisticRegression(),
            X,
            Y,
            cv=LeaveOneDomainOut(),
            params={"sample_domain": np.abs(DOMAIN)},
        )
        search = GridSearchCV(Recorder(), {"a": [1]}, cv=LeaveOneDomainOut())
        search.fit(X, Y, sample_domain=DOMAIN)
    assert len(scores) == 3
    assert search.n_splits_ == 2


def test_without_routing_ids_travel_as_groups_or_as_markers():
    cv = DomainStratifiedKFold(5)
    assert len(cross_val_score(LogisticRegression(), X, Y, cv=cv, groups=DOMAIN)) == 5
    y = np.where(DOMAIN < 0, -1, Y)
    assert len(cross_val_score(LogisticRegression(), X, y, cv=cv)) == 5
    scores = cross_val_score(
        LogisticRegression(), X, Y, cv=LeaveOneDomainOut(), groups=DOMAIN
    )
    assert len(scores) == 2
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        cross_val_score(LogisticRegression(), X, Y, cv=cv)
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        cross_val_score(LogisticRegression(), X, Y, cv=LeaveOneDomainOut())


def test_leave_one_domain_out_keeps_the_target_in_training():
    folds = list(LeaveOneDomainOut().split(X, Y, DOMAIN))
    assert [set(DOMAIN[test]) for _, test in folds] == [{0}, {1}]
    assert all((DOMAIN[train] < 0).sum() == 40 for train, _ in folds)
    assert LeaveOneDomainOut().get_n_splits(None, None, DOMAIN) == 2
    assert LeaveOneDomainOut().get_n_splits(X, groups=DOMAIN) == 2


def test_rare_classes_are_reported():
    y = np.where(np.arange(90) == 0, 7, Y)
    with pytest.warns(UserWarning, match="rarest class of the source has 1 rows"):
        list(DomainStratifiedKFold(5).split(X, y, DOMAIN))
    y = np.where(np.arange(90) == 89, 7, Y)  # a row of the target
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(DomainStratifiedKFold(5).split(X, y, DOMAIN))


def test_repr_and_pickle():
    cv = pickle.loads(pickle.dumps(DomainStratifiedKFold(3, target="train")))
    assert "n_splits=3" in repr(cv)
    assert "target='train'" in repr(cv)
    assert cv.get_n_splits() == 3
    assert "LeaveOneDomainOut" in repr(LeaveOneDomainOut())


@pytest.mark.parametrize(
    ("error", "options", "message"),
    [
        (ValueError, {"n_splits": 1}, "n_splits"),
        (TypeError, {"n_splits": 2.5}, "n_splits"),
        (ValueError, {"target": "test"}, "target must be"),
        (TypeError, {"shuffle": "yes"}, "shuffle must be"),
        (
            ValueError,
            {"shuffle": False, "random_state": 0},
            "random_state has no effect",
        ),
    ],
)
def test_bad_parameters(error, options, message):
    with pytest.raises(error, match=message):
        DomainStratifiedKFold(**options)


@pytest.mark.parametrize(
    ("y", "ids", "message"),
    [
        (Y, None, "pass sample_domain"),
        (Y, np.zeros(90), "rows of the target, but there are 0"),
        (Y, np.where(np.arange(90) < 2, -1, 0), "rows of the target, but there are 2"),
        (Y, -1, "rows of the source, but there are 0"),
        (Y, DOMAIN[:-1], "shape"),
        (Y[:-1], DOMAIN, "y has 89"),
        (Y, np.where(DOMAIN < 0, np.nan, 0), "missing"),
    ],
)
def test_bad_rows(y, ids, message):
    with pytest.raises(ValueError, match=message):
        next(DomainStratifiedKFold(3).split(X, y, ids))


def test_bad_rows_of_leave_one_domain_out():
    with pytest.raises(ValueError, match="two domains of the source"):
        next(LeaveOneDomainOut().split(X, Y, np.where(DOMAIN < 0, -1, 0)))
    with pytest.raises(ValueError, match="domain of each row"):
        LeaveOneDomainOut().get_n_splits(X, Y)
