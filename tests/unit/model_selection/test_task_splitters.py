"""TaskKFold and EpisodeSplit: shares, scikit-learn's tools with routing on and off."""

import pickle
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedShuffleSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection import EpisodeSplit, TaskKFold, few_shot_score

GROUPS = np.array(["a", "b", "c", "d", "e", "f"]).repeat([30, 29, 10, 9, 4, 3])
Y = np.arange(85) % 3
X = np.random.default_rng(0).normal(size=(85, 2)) + Y[:, None]


class Recorder(ClassifierMixin, BaseEstimator):
    """Hold the number of tasks it was trained on against those it is scored on."""

    __metadata_request__fit: ClassVar = {"groups": True}
    __metadata_request__score: ClassVar = {"groups": True}

    def __init__(self, a=1):
        self.a = a

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        self.tasks_ = None if groups is None else set(groups)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None, groups=None):
        assert not self.tasks_ & set(groups)
        return float(len(set(groups)))


def test_tasks_stay_together_and_sizes_are_shared_out():
    folds = list(TaskKFold(2, random_state=0).split(X, Y, GROUPS))
    assert len(folds) == 2
    for train, test in folds:
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(85))
        assert not set(GROUPS[train]) & set(GROUPS[test])
        assert len(set(GROUPS[test])) == 3
        for pair in ("ab", "cd", "ef"):  # of about one size
            assert len(set(pair) & set(GROUPS[test])) == 1


def test_group_k_fold_does_not_do_both():
    """Why there is a class of its own."""
    sizes = np.array([60] + [6] * 10)
    groups = np.arange(11).repeat(sizes)
    rows = np.zeros((len(groups), 1))
    by_rows = [
        len(set(groups[test])) for _, test in GroupKFold(2).split(rows, None, groups)
    ]
    ours = [
        len(set(groups[test])) for _, test in TaskKFold(2).split(rows, None, groups)
    ]
    assert sorted(by_rows) == [1, 10]
    assert sorted(ours) == [5, 6]


def test_without_shuffling_the_larger_task_goes_to_the_smaller_fold():
    groups = np.arange(6).repeat([10, 1, 8, 2, 6, 4])
    cv = TaskKFold(2, shuffle=False)
    folds = [test for _, test in cv.split(np.zeros((31, 1)), groups=groups)]
    # 10 | 8, then 4 | 6, then 2 | 1 or the other way round.
    assert sorted(len(test) for test in folds) == [15, 16]
    again = [test for _, test in cv.split(np.zeros((31, 1)), groups=groups)]
    for one, two in zip(folds, again, strict=True):
        assert_array_equal(one, two)


def test_the_seed_decides_and_randomness_is_used():
    def folds(**options):
        return [t.tolist() for _, t in TaskKFold(3, **options).split(X, Y, GROUPS)]

    assert folds(random_state=0) == folds(random_state=0)
    assert len({str(folds(random_state=seed)) for seed in range(10)}) > 3
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    folds(random_state=3)
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    "classes",
    [
        np.arange(85) % 7,
        np.array(list("abcdefg"))[np.arange(85) % 7],
        pd.Series(np.arange(85) % 7, dtype="category"),
        (np.arange(85) % 7).astype(float),
    ],
)
def test_without_groups_classes_are_held_out(classes):
    for train, test in TaskKFold(3, random_state=0).split(X, classes):
        held = set(np.asarray(classes)[test])
        assert not held & set(np.asarray(classes)[train])
        assert len(held) in (2, 3)


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        (Y * 0.37, None, "y holds no classes .*enable_metadata_routing=True"),
        (None, None, "y holds no classes"),
        (np.c_[Y, Y], None, "y holds no classes"),
        (Y, np.where(GROUPS == "a", np.nan, 1.0), "missing"),
        (Y, np.zeros(85), "there are 1 for n_splits=3. Take fewer splits"),
    ],
)
def test_bad_rows(y, groups, message):
    with pytest.raises(TaskError, match=message):
        next(TaskKFold(3).split(X, y, groups))


def test_groups_of_another_length():
    with pytest.raises(ValueError, match="85, 85, 84"):
        next(TaskKFold(3).split(X, Y, GROUPS[:-1]))
    with pytest.raises(TaskError, match="one value for each of 85 rows, got 84"):
        next(EpisodeSplit(3).split(X, Y, GROUPS[:-1]))


def test_bad_parameters():
    with pytest.raises(ValueError, match="n_splits"):
        TaskKFold(1)
    with pytest.raises(ValueError, match="shuffle"):
        TaskKFold(shuffle=False, random_state=0)
    with pytest.raises(ValueError, match="n_splits"):
        EpisodeSplit(0)
    with pytest.raises(ValueError, match="kind must be"):
        EpisodeSplit(kind="ranking")


@pytest.mark.parametrize("cv", [TaskKFold(3, random_state=1), EpisodeSplit(7, n_way=2)])
def test_repr_pickle_and_number_of_splits(cv):
    again = pickle.loads(pickle.dumps(cv))
    assert repr(again) == repr(cv)
    assert f"n_splits={cv.n_splits}" in repr(cv)
    assert cv.get_n_splits() == cv.get_n_splits(X, Y, GROUPS) == cv.n_splits


@pytest.mark.parametrize(
    "wrap", [lambda e: e, lambda e: make_pipeline(StandardScaler(), e)]
)
def test_one_groups_serves_splitter_fit_and_score_with_routing(wrap):
    estimator = wrap(Recorder())
    name = "a" if isinstance(estimator, Recorder) else "recorder__a"
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(estimator, {name: [1, 2]}, cv=TaskKFold(3), n_jobs=1)
        search.fit(X, Y, groups=GROUPS)
        found = cross_validate(search, X, Y, cv=TaskKFold(2), params={"groups": GROUPS})
    assert search.cv_results_["mean_test_score"].tolist() == [2.0, 2.0]
    assert found["test_score"].tolist() == [3.0, 3.0]


def test_with_routing_off_the_splitter_still_gets_groups():
    scores = cross_val_score(LogisticRegression(), X, Y, cv=TaskKFold(3), groups=GROUPS)
    assert len(scores) == 3
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=TaskKFold(3))
    search.fit(X, Y, groups=GROUPS)
    assert search.n_splits_ == 3
    with pytest.raises(TaskError, match="pass groups"):
        cross_val_score(LinearRegression(), X, Y * 0.3, cv=TaskKFold(3))


def test_episodes_are_those_of_few_shot_score():
    y = np.arange(85) % 7
    options = {"n_way": 3, "n_shot": 2, "n_query": 4, "random_state": 0}
    cv = EpisodeSplit(20, **options)
    scores = cross_val_score(KNeighborsClassifier(1), X, y, cv=cv)
    same = few_shot_score(KNeighborsClassifier(1), X, y, n_episodes=20, **options)
    assert_array_equal(scores, same.frame["score"])
    for support, query in cv.split(X, y):
        assert not set(support) & set(query)
        assert np.bincount(y[support], minlength=7).tolist().count(2) == 3
        assert (np.bincount(y[query], minlength=7) <= 4).all()


def test_episodes_within_groups():
    cv = EpisodeSplit(12, n_way=2, n_query=3, random_state=0)
    tasks = []
    groups = np.where(GROUPS == "f", "e", GROUPS)
    for support, query in cv.split(X, Y, groups):
        assert len(set(groups[np.r_[support, query]])) == 1
        tasks.append(groups[support[0]])
    assert all(tasks.count(name) in (2, 3) for name in "abcde")
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            KNeighborsClassifier(1), X, Y, cv=cv, params={"groups": groups}
        )
    off = cross_val_score(KNeighborsClassifier(1), X, Y, cv=cv, groups=groups)
    assert_array_equal(scores, off)


def test_episodes_of_regression():
    cv = EpisodeSplit(12, n_shot=2, random_state=0)
    for support, query in cv.split(X, Y * 0.37, GROUPS):
        assert len(support) == 2
        task = GROUPS[support[0]]
        assert set(GROUPS[query]) == {task}
        assert len(query) == min(15, GROUPS.tolist().count(task) - 2)
    with pytest.raises(TaskError, match="Regression has no classes"):
        next(cv.split(X, Y * 0.37))
    counts = EpisodeSplit(3, n_shot=2, kind="regression", random_state=0)
    assert len(next(counts.split(X, Y, GROUPS))[0]) == 2
    with pytest.raises(ValueError, match="continuous"):
        next(EpisodeSplit(kind="classification").split(X, Y * 0.37))
    with pytest.raises(TaskError, match="needs y"):
        next(cv.split(X))


def test_it_does_in_one_task_what_a_stratified_split_does():
    cv = EpisodeSplit(200, n_way=None, n_shot=3, random_state=0)
    usual = StratifiedShuffleSplit(200, train_size=9, test_size=45, random_state=0)
    ours, theirs = (
        cross_val_score(KNeighborsClassifier(1), X, Y, cv=c) for c in (cv, usual)
    )
    error = np.hypot(ours.std(), theirs.std()) / np.sqrt(200)
    assert abs(ours.mean() - theirs.mean()) < 4 * error
