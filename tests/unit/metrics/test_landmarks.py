"""Landmarks: the detector finds what is there and nothing else; errors add up."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import UndefinedMetricWarning

from mlmi_sklearn.metrics import LandmarkError, detect_landmarks, landmark_error

NONE = [np.nan, np.nan]


def blob(*centres, shape=(32, 32), radius=3.0, height=1.0):
    """An image of discs with soft edges."""
    grid = np.indices(shape)
    image = np.zeros(shape)
    for centre in centres:
        offset = grid - np.reshape(centre, (len(shape),) + (1,) * len(shape))
        image += height / (1 + np.exp(4 * (np.sqrt((offset**2).sum(axis=0)) - radius)))
    return image


@pytest.mark.parametrize("centre", [(10, 20), (10.3, 20.4), (9.5, 15.75), (25.2, 6.9)])
def test_places_between_pixels(centre):
    for off in [(0, 0), (2, -1), (-2.5, 2.5)]:
        found = detect_landmarks([blob(centre)], [[np.add(centre, off)]])
        assert_allclose(found, [[centre]], atol=0.05)


def test_a_scale_and_an_offset_change_nothing():
    image = blob((10.3, 20.4)) + 0.01 * np.random.RandomState(0).randn(32, 32)
    expected = [[[10, 20], [20, 10]]]
    one = detect_landmarks([image], expected)
    two = detect_landmarks([1000 * image - 1024], expected)
    assert_allclose(one, two, rtol=1e-9, equal_nan=True)


def test_row_comes_first_and_axes_are_not_mixed_up():
    found = detect_landmarks([blob((5, 30), shape=(16, 40))], [[[6, 29], [30, 5]]])
    assert_allclose(found, [[[5, 30], NONE]], atol=0.05)


def test_a_moved_spot_is_found_where_it_is_not_where_it_should_be():
    found = detect_landmarks([blob((10, 13))], [[[10, 10]]])
    assert_allclose(found, [[[10, 13]]], atol=0.05)


def test_a_spot_beyond_the_radius_is_missing():
    image = blob((10, 16))
    assert np.isnan(detect_landmarks([image], [[[10, 10]]])).all()
    assert_allclose(
        detect_landmarks([image], [[[10, 10]]], radius=7), [[[10, 16]]], atol=0.05
    )


def test_the_near_one_of_two_spots():
    image = blob((10, 8), (10, 20)) + blob((22, 8), height=0.6)
    expected = [[[10, 10], [11, 19], [21, 9], NONE, [25, 25]]]
    found = detect_landmarks([image], expected)
    assert_allclose(found[0, :3], [[10, 8], [10, 20], [22, 8]], atol=0.05)
    assert np.isnan(found[0, 3:]).all()


def test_nothing_is_found_where_nothing_stands_out():
    flat = np.ones((32, 32))
    rng = np.random.RandomState(0)
    faint = blob((8, 8)) + blob((24, 24), height=0.15)
    images = [flat, 0 * flat, faint]
    places = np.tile([[24.0, 24], [15, 15]], (3, 1, 1))
    assert np.isnan(detect_landmarks(images, places)).all()
    assert np.isfinite(detect_landmarks([faint], [[[24, 24]]], min_contrast=0.1)).all()
    noisy = blob((8, 8)) + 0.05 * rng.randn(32, 32)
    assert np.isnan(detect_landmarks([noisy], [[[24, 24]]])).all()


def test_dark_spots():
    image = 1 - blob((10.3, 20.4))
    assert_allclose(
        detect_landmarks([image], [[[10, 20]]], polarity="dark"),
        [[[10.3, 20.4]]],
        atol=0.05,
    )
    assert np.isnan(detect_landmarks([image], [[[10, 20]]])).all()


def test_a_channel_makes_no_difference_and_inputs_stay():
    images = np.stack([blob((10, 20)), blob((20, 10))]).astype(np.float32)
    places = np.array([[[10.0, 20]], [[20, 10]]])
    before = images.copy(), places.copy()
    one = detect_landmarks(images, places)
    two = detect_landmarks(images[:, np.newaxis], places)
    assert_array_equal(one, two)
    assert_array_equal(images, before[0])
    assert_array_equal(places, before[1])


def test_volumes():
    volume = blob((5, 10.5, 14), shape=(12, 20, 24))
    for images in ([volume], [[volume]]):
        found = detect_landmarks(images, [[[6, 10, 13]]])
        assert_allclose(found, [[[5, 10.5, 14]]], atol=0.05)


def test_an_expected_place_outside_the_image():
    assert np.isnan(detect_landmarks([blob((10, 10))], [[[-20, 10]]])).all()


@pytest.mark.parametrize(
    ("images", "expected", "message"),
    [
        (np.ones((2, 8, 8)), np.ones((3, 1, 2)), "images must be 3 of one channel"),
        (np.ones((2, 3, 8, 8)), np.ones((2, 1, 2)), "of one channel"),
        (np.ones((8, 8)), np.ones((8, 1, 2)), "with 2 axes each"),
        (np.ones((2, 8, 8)), np.ones((2, 1, 3)), "with 3 axes each"),
        (np.ones((2, 8, 8)), np.ones((2, 2)), "expected must have shape"),
        (np.ones((2, 8, 8)), np.ones((2, 1, 4)), "expected must have shape"),
        (np.full((1, 8, 8), np.nan), np.ones((1, 1, 2)), "images must be finite"),
    ],
)
def test_shapes_that_do_not_fit(images, expected, message):
    with pytest.raises(ValueError, match=message):
        detect_landmarks(images, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -1}, "radius"),
        ({"sigma": -1}, "sigma"),
        ({"min_contrast": 1.5}, "min_contrast"),
        ({"polarity": "grey"}, "polarity must be 'bright' or 'dark', got 'grey'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        detect_landmarks([blob((10, 10))], [[[10, 10]]], **options)


def test_the_error_by_hand():
    true = [[[0, 0], [5, 5]], [[1, 1], NONE], [NONE, NONE]]
    pred = [[[3, 4], NONE], [[1, 2], [9, 9]], [NONE, [0, 0]]]
    error = landmark_error(true, pred)
    assert error == LandmarkError(median=3.0, mean=3.0, missing=1, n_landmarks=3)
    assert all(isinstance(value, int) for value in error[2:])


def test_the_error_in_millimetres():
    true, pred = [[[0, 0]]], [[[3, 4]]]
    assert landmark_error(true, pred, spacing=2).mean == 10
    assert_allclose(landmark_error(true, pred, spacing=(4, 3)).mean, 12 * 2**0.5)


def test_half_a_landmark_is_missing():
    assert landmark_error([[[0, 0], [1, 1]]], [[[3, np.nan], [1, 1]]]).missing == 1
    assert landmark_error([[[0, np.nan], [1, 1]]], [[[3, 3], [1, 1]]]).n_landmarks == 1


def test_all_missing_is_not_a_perfect_score():
    with pytest.warns(UndefinedMetricWarning, match="No landmark was found"):
        error = landmark_error([[[0, 0]]], [[NONE]])
    assert np.isnan([error.median, error.mean]).all()
    assert error.missing == error.n_landmarks == 1


@pytest.mark.parametrize(
    ("true", "pred", "options", "message"),
    [
        ([[[0, 0]]], [[[0, 0], [1, 1]]], {}, "y_true and y_pred must have one shape"),
        ([0, 0], [0, 0], {}, "must have one shape"),
        ([[[0]]], [[[0]]], {}, "must have one shape"),
        ([[NONE]], [[[0, 0]]], {}, "y_true has no landmark"),
        ([[[0, 0]]], [[[0, 0]]], {"spacing": 0}, "spacing must be one positive"),
        ([[[0, 0]]], [[[0, 0]]], {"spacing": (1, 1, 1)}, "one positive number or 2"),
        ([[[0, 0]]], [[[0, 0]]], {"spacing": np.nan}, "spacing must be one positive"),
    ],
)
def test_errors_name_the_argument(true, pred, options, message):
    with pytest.raises(ValueError, match=message):
        landmark_error(true, pred, **options)
