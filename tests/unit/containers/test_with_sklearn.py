"""Unmodified scikit-learn handles Bags as it handles a table."""

import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import _safe_indexing, check_array, indexable, resample, shuffle
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.containers import Bags, check_bags
from mlmi_sklearn.exceptions import BagError


class MeanLogistic(ClassifierMixin, BaseEstimator):
    """Logistic regression on the mean instance: the least that uses bags."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(self._means(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self._means(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(self._means(X))

    def _means(self, X):
        return np.stack([bag.mean(axis=0) for bag in check_bags(X)])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    lengths = rng.integers(1, 9, 60)
    values = rng.normal(np.repeat(y, lengths)[:, None], 1.0, (lengths.sum(), 3))
    groups = np.repeat(np.arange(15), 4)
    return Bags(values, lengths, groups=groups, bag_ids=np.arange(60)), y


def test_rows_are_bags(data):
    X, y = data
    assert _num_samples(X) == 60
    assert indexable(X, y)[0] is X
    assert _safe_indexing(X, [3, 1]) == X[[3, 1]]
    assert _safe_indexing(X, np.arange(60) < 5) == X[:5]
    assert_array_equal(_safe_indexing(X, 3), X[3])
    assert _safe_indexing(X, [0], axis=1) == X


def test_check_array_gives_the_object_column(data):
    column = check_array(data[0], dtype=None, ensure_all_finite=False)
    assert column.shape == (60, 1)
    assert column.dtype == object
    assert_array_equal(column[7, 0], data[0][7])


@pytest.mark.parametrize("splitter", [KFold(4), StratifiedGroupKFold(3)])
def test_splitters_keep_bags_and_groups_together(data, splitter):
    X, y = data
    grouped = isinstance(splitter, StratifiedGroupKFold)
    for train, test in splitter.split(X, y, groups=X.groups if grouped else None):
        assert isinstance(X[train], Bags)
        assert not set(X[train].bag_ids) & set(X[test].bag_ids)
        if grouped:
            assert not set(X[train].groups) & set(X[test].groups)


def test_splits_copy_no_instances(data):
    X, _ = data
    parts = [
        *train_test_split(X, random_state=0),
        shuffle(X, random_state=0),
        resample(X, random_state=0),
        X[next(GroupShuffleSplit(1).split(X, groups=X.groups))[0]],
    ]
    for part in parts:
        assert isinstance(part, Bags)
        assert all(np.shares_memory(bag, X.values) for bag in part)


def test_labels_follow_their_bags(data):
    X, y = data
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y)
    assert_array_equal(X_train.bag_ids % 2, y_train)
    assert_array_equal(X_test.bag_ids % 2, y_test)


def test_cross_validation_equals_that_of_lists(data):
    X, y = data
    model = MeanLogistic()
    assert_array_equal(
        cross_val_score(model, X, y, cv=3), cross_val_score(model, X.to_list(), y, cv=3)
    )
    assert cross_val_predict(model, X, y, cv=3).shape == (60,)
    assert learning_curve(model, X, y, cv=3)[1].shape == (5, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda m: make_pipeline(FunctionTransformer(), m),
        lambda m: GridSearchCV(m, {"C": [0.1, 1.0]}, cv=3),
        lambda m: CalibratedClassifierCV(m, cv=3),
        lambda m: VotingClassifier([("a", m), ("b", m)], voting="soft"),
        lambda m: StackingClassifier([("a", m)], cv=3),
        lambda m: BaggingClassifier(m, n_estimators=3, random_state=0),
        lambda m: OneVsRestClassifier(m),
        lambda m: TunedThresholdClassifierCV(m, cv=3),
    ],
    ids=[
        *("pipeline", "grid", "calibration", "voting", "stacking", "bagging"),
        *("one-vs-rest", "threshold"),
    ],
)
def test_meta_estimators(data, make):
    X, y = data
    assert make(MeanLogistic()).fit(X, y).score(X, y) > 0.8


def test_parallel_search(data):
    X, y = data
    search = GridSearchCV(MeanLogistic(), {"C": [0.1, 1.0]}, cv=3, n_jobs=2)
    assert search.fit(X, y).best_score_ > 0.7


def test_an_instance_wise_transformer_is_pointed_to(data):
    with pytest.raises(BagError, match="InstanceWise"):
        StandardScaler().fit(data[0])


def test_splitting_128_megabytes_takes_about_a_millisecond():
    values = np.zeros((250_000, 128), np.float32)
    X = Bags(values, np.full(1000, 250))
    y = np.arange(1000) % 2
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        train, *_ = train_test_split(X, y, random_state=0)
        seconds.append(time.perf_counter() - start)
    assert np.shares_memory(train[0], values)
    # Copying would take a hundred times as long; the margin is for a busy machine.
    assert min(seconds) < 0.01


def test_reading_a_long_list_is_fast():
    X = [np.zeros((25, 128), np.float32)] * 1000
    check_bags(X)
    start = time.perf_counter()
    check_bags(X)
    assert time.perf_counter() - start < 0.5
