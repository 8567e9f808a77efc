"""Rotated moons: size, centre, angle, seeds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier

from mlmi_sklearn.datasets import make_rotated_moons


def test_sizes_and_ids():
    X, y, sample_domain = make_rotated_moons(random_state=0)
    assert X.shape == (600, 2)
    assert_array_equal(sample_domain, [0] * 300 + [-1] * 300)
    for rows in (y[:300], y[300:]):
        assert_array_equal(np.bincount(rows), [150, 150])
    _, y, sample_domain = make_rotated_moons(7, n_target=4, random_state=0)
    assert_array_equal(sample_domain, [0] * 7 + [-1] * 4)
    assert_array_equal(np.bincount(y[7:]), [2, 2])


def test_the_source_is_centred_moons_of_twice_the_size():
    X, y, _ = make_rotated_moons(random_state=3)
    points, labels = make_moons(300, noise=0.05, random_state=np.random.RandomState(3))
    assert_allclose(X[:300].mean(axis=0), 0, atol=1e-12)
    assert_allclose(X[:300], 2 * (points - points.mean(axis=0)))
    assert_array_equal(y[:300], labels)


@pytest.mark.parametrize("angle", [0, 35, -20.5, 90, 180, 360])
def test_the_same_points_are_turned_counter_clockwise(angle):
    X, y, _ = make_rotated_moons(20, angle, same_points=True, random_state=0)
    as_complex = X @ [1, 1j]
    assert_allclose(as_complex[20:], as_complex[:20] * np.exp(1j * np.radians(angle)))
    assert_array_equal(y[:20], y[20:])


def test_newly_drawn_points_are_turned_about_the_centre_of_the_source():
    flat, *_ = make_rotated_moons(angle=0, random_state=0)
    turned, *_ = make_rotated_moons(angle=35, random_state=0)
    assert_array_equal(flat[:300], turned[:300])
    as_complex = flat[300:] @ [1, 1j] * np.exp(1j * np.radians(35))
    assert_allclose(turned[300:] @ [1, 1j], as_complex)
    assert not np.isclose(np.sort(flat[:300, 0]), np.sort(flat[300:, 0])).all()


def test_a_model_of_the_source_errs_more_the_more_the_target_is_turned():
    scores = []
    for angle in (0, 35, 70):
        X, y, sample_domain = make_rotated_moons(angle=angle, random_state=0)
        source = sample_domain >= 0
        model = KNeighborsClassifier().fit(X[source], y[source])
        scores.append(model.score(X[~source], y[~source]))
    assert scores[0] > 0.99 > scores[1] + 0.03 > scores[2] + 0.1


def test_noise_blurs_the_moons():
    spread = [
        np.abs(np.hypot(*(X[y == 0] - [-1, -0.5]).T) - 2).std()
        for noise in (0, 0.1)
        for X, y, _ in [make_rotated_moons(angle=0, noise=noise, random_state=0)]
    ]
    assert spread[0] < 0.05 < spread[1]


@pytest.mark.parametrize("same_points", [False, True])
def test_the_seed_decides_and_the_global_generator_is_left_alone(same_points):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first = make_rotated_moons(same_points=same_points, random_state=1)
    assert_array_equal(np.random.get_state()[1], before)
    seed = np.random.RandomState(1)
    again = make_rotated_moons(same_points=same_points, random_state=seed)
    other = make_rotated_moons(same_points=same_points, random_state=2)
    for one, two in zip(first, again, strict=True):
        assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (ValueError, {"n_samples": 1}, "n_samples"),
        (TypeError, {"n_samples": 2.5}, "n_samples"),
        (TypeError, {"angle": "35"}, "angle"),
        (ValueError, {"angle": np.nan}, "angle and noise must be finite"),
        (ValueError, {"noise": np.inf}, "angle and noise must be finite"),
        (ValueError, {"noise": -0.1}, "noise"),
        (ValueError, {"n_target": 1}, "n_target"),
        (ValueError, {"n_target": 9, "same_points": True}, "n_target must be None"),
    ],
)
def test_errors_name_the_argument(error, arguments, message):
    with pytest.raises(error, match=message):
        make_rotated_moons(**arguments)
