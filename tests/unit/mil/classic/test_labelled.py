"""Bags with labels: copies, weights of instances, folds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.model_selection import KFold, PredefinedSplit

from mlmi_sklearn import Bags
from mlmi_sklearn.mil.classic.labelled import LabelledBags, digests, folds


def labelled(n_bags=20, groups=None, codes=None, weight=None):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 4, n_bags)
    bags = Bags(rng.normal(size=(lengths.sum(), 2)), lengths, groups=groups)
    codes = np.arange(n_bags) % 2 if codes is None else np.asarray(codes)
    weight = np.ones(n_bags) if weight is None else np.asarray(weight, float)
    return LabelledBags(bags, codes, weight, digests(bags))


def split(cv, data):
    return folds(cv, data, data.codes, np.arange(len(data.codes)))


def test_digests_tell_contents_apart():
    values = np.array([[1.0, 2], [3, 4], [1, 2], [3, 4], [3, 4], [1, 2], [1, 2]])
    ids = digests(Bags(values, [2, 2, 2, 1]))
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_digests_see_known_labels():
    values = np.ones((2, 1))
    assert len(set(digests(Bags(values, [1, 1], y_instances=[0, 1])))) == 2


def test_digests_of_csr_ignore_how_zeros_are_stored():
    explicit = sparse.csr_array(([1.0, 0.0, 1.0], ([0, 0, 1], [0, 1, 0])), shape=(3, 2))
    ids = digests(Bags(explicit, [1, 1, 1]))
    assert ids[0] == ids[1] != ids[2]


def test_a_row_moved_between_bags_of_csr_is_seen():
    values = sparse.csr_array(np.array([[1.0], [0], [0], [1]]))
    a, b = digests(Bags(values, [2, 2]))
    assert a != b


def test_distinct_adds_weights_and_forgets_the_order():
    data = labelled(6, weight=[1, 2, 1, 1, 1, 1])
    twice = data.take(np.array([5, 0, 1, 2, 3, 4, 1]))
    assert twice.distinct().weight.sum() == 9
    again = data.take(np.arange(6)[::-1]).distinct()
    assert_array_equal(again.bags.values, data.distinct().bags.values)
    assert_array_equal(again.weight, data.distinct().weight)


def test_copies_with_other_labels_stay_apart():
    data = labelled(2)
    both = LabelledBags(data.bags[[0, 0]], np.array([0, 1]), np.ones(2), np.zeros(2))
    assert len(both.distinct().codes) == 2


def test_shared_weights_count_bags_alike_and_sum_to_the_same():
    data = labelled(5, weight=[1, 2, 1, 1, 3])
    each = data.weight_of_instances(share=False)
    shared = data.weight_of_instances(share=True)
    assert_allclose(shared.sum(), each.sum())
    starts = np.cumsum(data.bags.lengths) - data.bags.lengths
    per_bag = np.add.reduceat(shared, starts)
    assert_allclose(per_bag / per_bag[0], data.weight)


def test_folds_partition_and_stratify():
    data = labelled(20)
    parts = split(5, data)
    assert_array_equal(np.sort(np.concatenate([test for _, test in parts])), range(20))
    for train, test in parts:
        assert not set(train) & set(test)
        assert data.codes[test].sum() == 2


def test_folds_keep_groups_together():
    groups = np.arange(20) // 4
    for train, test in split(5, labelled(20, groups, np.arange(20) % 2)):
        assert not set(groups[train]) & set(groups[test])


def test_folds_keep_copies_together():
    data = labelled(10)
    twice = data.take(np.arange(10).repeat(2))
    for train, test in split(5, twice):
        assert not set(twice.ids[train]) & set(twice.ids[test])
        assert len(test) == 4


def test_copies_do_not_change_the_folds_of_the_others():
    data = labelled(10)
    times = np.array([1, 3, 1, 2, 1, 1, 1, 4, 1, 1])
    many = data.take(np.arange(10).repeat(times))
    for (_, test), (_, repeated) in zip(split(5, data), split(5, many), strict=True):
        assert set(data.ids[test]) == set(many.ids[repeated])


def test_fewer_folds_for_a_small_class():
    assert len(split(5, labelled(10, codes=[1, 1, 1] + [0] * 7))) == 3


@pytest.mark.parametrize("groups", [None, np.zeros(10), np.arange(10) // 5])
def test_no_folds_where_a_class_cannot_be_spared(groups):
    assert split(5, labelled(10, groups, codes=[1] + [0] * 9)) is None


def test_splits_refer_to_all_bags_of_the_user():
    kept = np.array([0, 1, 3, 4, 5])
    data = labelled(6).take(kept)
    parts = folds(PredefinedSplit([0, 0, 0, 1, 1, 1]), data, np.arange(6) % 2, kept)
    assert_array_equal(parts[0][1], [0, 1])
    assert_array_equal(parts[1][0], [0, 1])


def test_a_splitter_gets_groups():
    from sklearn.model_selection import GroupKFold

    groups = np.arange(20) // 4
    for train, test in split(GroupKFold(5), labelled(20, groups)):
        assert not set(groups[train]) & set(groups[test])


def test_a_splitter_that_loses_a_class_is_named():
    data = labelled(10, codes=[0] * 5 + [1] * 5)
    with pytest.raises(ValueError, match=r"cv=KFold.* leaves a class out"):
        split(KFold(2), data)
