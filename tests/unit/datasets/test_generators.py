"""Generated bags: labels, seeds, no leak, and the traps they are built to be."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from mlmi_sklearn.datasets import make_digit_bags, make_raff_holt_bags
from mlmi_sklearn.datasets._digit_bags import _image_numbers

GENERATORS = [
    make_digit_bags,
    *(
        lambda test=test, **kw: make_raff_holt_bags(test, **kw)
        for test in ("single-concept", "multi-concept", "false-frequency")
    ),
]


@pytest.mark.parametrize("make", GENERATORS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_bag_is_positive_if_an_instance_is(make, split):
    X, y = make(n_bags=31, split=split, random_state=0)
    assert len(X) == 31
    assert y.sum() == 16
    assert_array_equal(np.maximum.reduceat(X.y_instances, X.offsets[:-1]), y)
    assert np.isfinite(X.values).all()


@pytest.mark.parametrize("make", GENERATORS)
def test_the_seed_decides_and_the_global_generator_is_left_alone(make):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first, y = make(n_bags=10, random_state=1)
    assert_array_equal(np.random.get_state()[1], before)
    again, y_again = make(n_bags=10, random_state=np.random.RandomState(1))
    other, _ = make(n_bags=10, random_state=2)
    assert first == again
    assert_array_equal(y, y_again)
    assert first != other


@pytest.mark.parametrize("make", GENERATORS)
def test_neither_position_nor_order_gives_the_label_away(make):
    X, y = make(n_bags=400, random_state=0)
    first = X.y_instances[X.offsets[:-1]][y == 1]
    last = X.y_instances[X.offsets[1:] - 1][y == 1]
    assert 0.01 < first.mean() < 0.9
    assert 0.01 < last.mean() < 0.9
    assert abs(y[:200].mean() - y[200:].mean()) < 0.2


def test_digit_splits_share_no_image():
    target = load_digits().target
    train, test = _image_numbers(target, "train"), _image_numbers(target, "test")
    assert not set(train) & set(test)
    assert len(train) + len(test) == len(_image_numbers(target, "both")) == 1797
    assert np.bincount(target[test]).min() >= 57


def test_no_pixel_pattern_of_the_test_set_was_seen_in_training():
    X_train, _ = make_digit_bags(1000, split="train", random_state=0)
    X_test, _ = make_digit_bags(500, split="test", random_state=0)
    train, test = (set(map(bytes, X.values)) for X in (X_train, X_test))
    assert len(train) > 1100
    assert len(test) > 500
    assert not train & test


def test_digit_bags_shapes_and_sizes():
    X, _ = make_digit_bags(300, random_state=0)
    assert (X.n_features, X.values.dtype) == (64, np.float32)
    assert (X.values.min(), X.values.max()) == (0, 1)
    assert abs(X.lengths.mean() - 10) < 0.5
    assert abs(X.lengths.std() - 2) < 0.4
    images, _ = make_digit_bags(300, images=True, random_state=0)
    assert images.instance_shape == (8, 8)
    assert_array_equal(images.values.reshape(-1, 64), X.values)


def test_digit_bags_mark_the_chosen_digit():
    digits = load_digits()
    known = {bytes(row): d for row, d in zip(digits.data, digits.target, strict=True)}
    X, _ = make_digit_bags(50, positive=3, split="both", random_state=0)
    found = np.array([known[bytes(row)] for row in X.values.astype(float) * 16])
    assert_array_equal(X.y_instances, found == 3)


def test_an_image_occurs_once_in_a_bag():
    X, _ = make_digit_bags(50, 60, 0, random_state=0)
    for bag in X:
        assert len(np.unique(bag, axis=0)) == 60


def test_bags_larger_than_the_set_and_bags_of_one():
    X, _ = make_digit_bags(2, mean_size=2000, std_size=0, random_state=0)
    assert_array_equal(X.lengths, [2000, 2000])
    X, y = make_digit_bags(20, mean_size=1, std_size=0, random_state=0)
    assert_array_equal(X.y_instances, y)
    X, _ = make_digit_bags(100, mean_size=2, std_size=5, random_state=0)
    assert X.lengths.min() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_bags": 0}, "n_bags == 0, must be >= 1"),
        ({"mean_size": 0}, "mean_size == 0"),
        ({"std_size": -1}, "std_size == -1"),
        ({"positive": 10}, "positive == 10, must be <= 9"),
        ({"split": "validation"}, "split must be one of"),
    ],
)
def test_bad_digit_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_digit_bags(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test": "double"}, "test must be one of.*single-concept"),
        ({"split": "both"}, "split must be 'train' or 'test'"),
        ({"false_concept": "second"}, "false_concept must be"),
        ({"n_bags": 0}, "n_bags == 0"),
        ({"n_features": 0}, "n_features == 0"),
    ],
)
def test_bad_raff_holt_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_raff_holt_bags(**arguments)


def _log_density(X, mean, std):
    return norm.logpdf(X, mean, std).sum(axis=1)


def _evidence(X, test):
    """Score instances by the best rule that knows the distributions."""
    background = _log_density(X, 0, 1)
    if test == "single-concept":
        concept = np.logaddexp(_log_density(X, 0, 3), _log_density(X, 1, 1))
        return np.where(X.mean(axis=1) < -5, -1e9, concept - background)
    return _log_density(X, 3, 0.1) - background


def _auc(X, y, scores, reduce=np.maximum):
    return roc_auc_score(y, reduce.reduceat(scores, X.offsets[:-1]))


@pytest.mark.parametrize(
    ("test", "at_least"),
    [("single-concept", 0.93), ("multi-concept", 0.8), ("false-frequency", 1.0)],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_maximum_over_instances_solves_it(test, at_least, split):
    X, y = make_raff_holt_bags(test, split=split, random_state=0)
    scores = _evidence(X.values, test)
    # Equal evidence once a concept is recognised, or noise would rank the bags.
    scores = scores if test == "single-concept" else np.minimum(scores, 0)
    assert _auc(X, y, scores) >= at_least - 0.03


@pytest.mark.parametrize("test", ["single-concept", "multi-concept"])
def test_trusting_the_absence_of_poison_is_punished(test):
    for split, expected in [("train", 1.0), ("test", 0.0)]:
        X, y = make_raff_holt_bags(test, split=split, random_state=0)
        assert _auc(X, y, X.values.mean(axis=1), np.minimum) == expected


def test_counting_is_punished():
    for split, expected in [("train", 1.0), ("test", 0.0)]:
        X, y = make_raff_holt_bags("false-frequency", split=split, random_state=0)
        concept = (X.values.mean(axis=1) > 1.5).astype(float)
        assert _auc(X, y, concept, np.add) == expected


def test_either_false_concept():
    X, y = make_raff_holt_bags(
        "false-frequency", false_concept="either", random_state=0
    )
    concept = np.minimum(_evidence(X.values, "false-frequency"), 0)
    assert 0.6 < _auc(X, y, concept) < 0.8
    mean = np.round(X.values.mean(axis=1))
    both = [np.maximum.reduceat(mean == c, X.offsets[:-1]) for c in (2, 3)]
    assert_array_equal(both[0] & both[1], y == 1)
    assert_array_equal(both[0] | both[1], np.ones(len(y), bool))


def test_raff_holt_sizes():
    X, y = make_raff_holt_bags("false-frequency", 50, 5, split="test", random_state=0)
    assert X.n_features == 5
    assert X.lengths[y == 0].min() >= 36
    assert X.lengths[y == 1].max() <= 11
    X, y = make_raff_holt_bags("single-concept", 50, random_state=0)
    assert set(X.lengths[y == 0]) == {11}
    assert set(X.lengths[y == 1]) == {11, 12, 13}
