"""Splits by domain partition the rows and share out what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mlmi_sklearn.model_selection import (
    DomainStratifiedKFold,
    LeaveOneDomainOut,
    iter_target_domains,
)

relaxed = settings(deadline=None, max_examples=60)
quiet = pytest.mark.filterwarnings("ignore:The rarest class")


@st.composite
def stacked(draw):
    """Labels and ids of 2 to 40 rows of each side, in random order."""
    n_source, n_target = draw(st.integers(2, 40)), draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    domain = np.r_[rng.integers(0, 3, n_source), rng.integers(-2, 0, n_target)]
    y = rng.integers(0, draw(st.integers(1, 4)), len(domain))
    order = rng.permutation(len(domain))
    return y[order], domain[order]


def spread(values):
    return max(values) - min(values)


@quiet
@given(stacked(), st.integers(2, 6), st.integers(0, 99))
@relaxed
def test_folds_are_a_partition_and_shares_differ_by_one_at_most(rows, n_splits, seed):
    y, domain = rows
    X = np.zeros((len(y), 1))
    sides = [(domain >= 0).sum(), (domain < 0).sum()]
    cv = DomainStratifiedKFold(n_splits, random_state=seed)
    if min(sides) < n_splits:
        with pytest.raises(ValueError, match="Every fold needs rows"):
            next(cv.split(X, y, domain))
        return
    folds = list(cv.split(X, y, domain))
    assert len(folds) == n_splits
    tests = [test for _, test in folds]
    assert_array_equal(np.sort(np.concatenate(tests)), np.arange(len(y)))
    for train, test in folds:
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(y)))
        for part in (train, test):
            assert (domain[part] >= 0).any()
            assert (domain[part] < 0).any()
    assert spread([len(test) for test in tests]) <= 1
    assert spread([(domain[test] < 0).sum() for test in tests]) <= 1
    for name in np.unique(domain):
        assert spread([(domain[test] == name).sum() for test in tests]) <= 1
        for label in np.unique(y) if name >= 0 else []:
            inside = (domain == name) & (y == label)
            assert spread([inside[test].sum() for test in tests]) <= 1


@quiet
@given(stacked(), st.integers(2, 4))
@relaxed
def test_target_rows_that_stay_in_training_are_never_tested(rows, n_splits):
    y, domain = rows
    n_splits = min(n_splits, int((domain >= 0).sum()))
    cv = DomainStratifiedKFold(n_splits, target="train", random_state=0)
    tests = []
    for train, test in cv.split(np.zeros((len(y), 1)), y, domain):
        assert set(np.flatnonzero(domain < 0)) <= set(train)
        tests.append(test)
    assert_array_equal(np.sort(np.concatenate(tests)), np.flatnonzero(domain >= 0))


@quiet
@given(stacked(), st.booleans())
@relaxed
def test_names_and_kinds_of_labels_do_not_matter(rows, shuffle):
    y, domain = rows
    X = np.zeros((len(y), 1))
    options = {"shuffle": shuffle, "random_state": 3 if shuffle else None}
    names = np.array(["s", "t", "u", "w", "v"])[domain]  # -2 is "w", -1 is "v"
    plain = DomainStratifiedKFold(2, **options).split(X, y, domain)
    named = DomainStratifiedKFold(2, target_domains=["v", "w"], **options)
    letters = np.array(["a", "b", "c", "d"])[y]
    for one, two in zip(plain, named.split(X, letters, names), strict=True):
        assert_array_equal(one[1], two[1])


@quiet
@given(stacked(), st.integers(0, 99))
@relaxed
def test_shares_do_not_depend_on_the_order_of_rows(rows, seed):
    y, domain = rows
    order = np.random.default_rng(seed).permutation(len(y))
    X = np.zeros((len(y), 1))
    for cut in (np.arange(len(y)), order):
        sizes = [
            (len(test), (domain[cut][test] < 0).sum())
            for _, test in DomainStratifiedKFold(2).split(X, y[cut], domain[cut])
        ]
        assert spread([a for a, _ in sizes]) <= 1
        assert spread([b for _, b in sizes]) <= 1


@given(stacked())
@relaxed
def test_each_source_is_left_out_once(rows):
    _, domain = rows
    X = np.zeros((len(domain), 1))
    sources = np.unique(domain[domain >= 0])
    if len(sources) < 2:
        with pytest.raises(ValueError, match="two domains of the source"):
            next(LeaveOneDomainOut().split(X, None, domain))
        return
    folds = list(LeaveOneDomainOut().split(X, None, domain))
    assert len(folds) == LeaveOneDomainOut().get_n_splits(X, None, domain)
    assert sorted(domain[test][0] for _, test in folds) == sources.tolist()
    for train, test in folds:
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(domain)))
        assert not set(domain[train]) & set(domain[test])


@given(stacked(), st.integers(0, 3))
@relaxed
def test_tasks_hide_labels_of_their_target_and_nothing_else(rows, n_labelled):
    y, domain = rows
    before = y.copy()
    X = np.zeros((len(y), 1))
    names = []
    for task in iter_target_domains(X, y, domain, n_labelled=n_labelled):
        names.append(task.name)
        target = domain == task.name
        assert_array_equal(task.sample_domain < 0, target)
        shown = np.setdiff1d(np.arange(len(y)), task.test)
        assert set(task.test) <= set(np.flatnonzero(target))
        assert (task.y[shown] == y[shown]).all()
        assert all(label is None or label == -1 for label in task.y[task.test])
        assert_array_equal(task.y_test, y[task.test])
        kept = np.setdiff1d(np.flatnonzero(target), task.test)
        assert all((y[kept] == label).sum() <= n_labelled for label in np.unique(y))
    assert sorted(names) == np.unique(domain).tolist()
    assert_array_equal(y, before)
