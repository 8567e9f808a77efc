"""Episodes and folds of tasks keep their promises whatever the rows are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection import EpisodeSplit, TaskKFold, few_shot_score

relaxed = settings(deadline=None, max_examples=50)
quiet = pytest.mark.filterwarnings("ignore:.*groups are left out")


@st.composite
def tasks(draw):
    """Classes and groups of 10 to 120 rows, in random order."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    n = draw(st.integers(10, 120))
    y = rng.integers(0, draw(st.integers(1, 9)), n)
    groups = rng.integers(0, draw(st.integers(1, 6)), n) * 10
    return y, groups


sizes = st.fixed_dictionaries(
    {
        "n_way": st.sampled_from([None, 2, 3, 5]),
        "n_shot": st.integers(1, 4),
        "n_query": st.integers(1, 6),
        "random_state": st.integers(0, 9),
    }
)


@quiet
@given(tasks(), sizes, st.booleans())
@relaxed
def test_episodes_are_what_was_asked_for_or_refused(rows, size, grouped):
    y, groups = rows
    groups = groups if grouped else np.zeros(len(y))
    n_way, n_shot, n_query = size["n_way"], size["n_shot"], size["n_query"]
    # What each task can offer, counted the slow way.
    able = {
        task: [c for c in set(y) if np.sum((groups == task) & (y == c)) > n_shot]
        for task in set(groups)
    }
    usable = {task for task, found in able.items() if len(found) >= 2}
    possible = usable if grouped else len(able[0]) >= (n_way or 2)
    split = EpisodeSplit(7, kind="classification", **size).split(
        np.zeros(len(y)), y, groups if grouped else None
    )
    if not possible:
        with pytest.raises(TaskError):
            next(split)
        return
    seen = []
    for support, query in split:
        assert not set(support) & set(query)
        (task,) = set(groups[np.r_[support, query]])
        seen.append(task)
        labels, counts = np.unique(y[support], return_counts=True)
        assert (counts == n_shot).all()
        assert len(labels) == min(n_way or 99, len(able[task]))
        assert set(labels) <= set(able[task])
        for label in labels:
            left = np.sum((groups == task) & (y == label)) - n_shot
            assert np.sum(y[query] == label) == min(n_query, left)
    turns = [seen.count(task) for task in usable] if grouped else [7]
    assert max(turns) - min(turns) <= 1


@given(tasks(), st.integers(2, 5), st.booleans(), st.integers(0, 99))
@relaxed
def test_folds_of_tasks(rows, n_splits, shuffle, seed):
    _, groups = rows
    cv = TaskKFold(n_splits, shuffle=shuffle, random_state=seed if shuffle else None)
    X = np.zeros((len(groups), 1))
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < n_splits:
        with pytest.raises(TaskError, match="Every fold needs a task"):
            next(cv.split(X, groups=groups))
        return
    folds = list(cv.split(X, groups=groups))
    for train, test in folds:
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(groups)))
        assert not set(groups[train]) & set(groups[test])
    assert_array_equal(
        np.sort(np.concatenate([t for _, t in folds])), np.arange(len(groups))
    )
    n_tasks = [len(set(groups[test])) for _, test in folds]
    n_rows = [len(test) for _, test in folds]
    assert max(n_tasks) - min(n_tasks) <= 1
    assert max(n_rows) - min(n_rows) <= sizes.max()


@given(st.integers(0, 99), st.sampled_from(["abcdefgh", "hgfedcba"]))
@settings(deadline=None, max_examples=15)
def test_names_of_classes_do_not_matter(seed, letters):
    rng = np.random.default_rng(seed)
    y = np.arange(80) % 8
    X = rng.normal(size=(80, 2)) + y[:, None]
    options = {"n_way": 3, "n_episodes": 4, "random_state": seed}
    plain = few_shot_score(KNeighborsClassifier(1), X, y, **options)
    named = few_shot_score(
        KNeighborsClassifier(1), X, np.array(list("abcdefgh"))[y], **options
    )
    assert plain.frame["score"].tolist() == named.frame["score"].tolist()
    # Other names sort otherwise, which may change who is drawn, not what is possible.
    other = few_shot_score(
        KNeighborsClassifier(1), X, np.array(list(letters))[y], **options
    )
    assert other.frame["n_query"].tolist() == plain.frame["n_query"].tolist()


@given(st.integers(0, 99), st.integers(2, 30))
@settings(deadline=None, max_examples=15)
def test_the_interval(seed, n_episodes):
    rng = np.random.default_rng(seed)
    y = np.arange(60) % 4
    X = rng.normal(size=(60, 2)) + y[:, None]
    score = few_shot_score(
        GaussianNB(), X, y, n_way=3, n_shot=3, n_episodes=n_episodes, random_state=seed
    )
    scores = score.frame["score"]
    assert scores.min() <= score.mean <= scores.max()
    assert score.ci95 == pytest.approx(1.96 * scores.std() / np.sqrt(n_episodes))
    assert score.n_rows <= min(60, n_episodes * 9 * 4)
