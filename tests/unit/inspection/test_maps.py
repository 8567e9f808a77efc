import numpy as np
import pytest

from mlmi_sklearn.inspection import scores_to_map

NAN = np.nan


def test_overlapping_tiles_are_averaged_or_the_highest_wins():
    arguments = ([1.0, 3.0], [[0, 0], [1, 0]], (2, 4), (1, 2))
    mean = scores_to_map(*arguments)
    np.testing.assert_array_equal(mean, [[1, 2, 3, NAN], [NAN] * 4])
    np.testing.assert_array_equal(
        scores_to_map(*arguments, reduce="max"), [[1, 3, 3, NAN], [NAN] * 4]
    )


def test_negative_scores_survive_the_maximum():
    drawn = scores_to_map([-5.0, -2.0], [[0, 0], [0, 0]], (1, 2), 1, reduce="max")
    np.testing.assert_array_equal(drawn, [[-2, NAN]])


def test_coordinates_are_x_then_y():
    drawn = scores_to_map([7.0], [[3, 1]], (3, 5), 1)
    assert np.argwhere(~np.isnan(drawn)).tolist() == [[1, 3]]


def test_tiles_may_reach_over_the_border():
    drawn = scores_to_map([1.0], [[2, 2]], (3, 3), 5)
    assert np.argwhere(~np.isnan(drawn)).tolist() == [[2, 2]]


def test_a_reduced_map_has_each_tile_where_it_was():
    drawn = scores_to_map([1.0, 2.0], [[0, 0], [8, 4]], (8, 17), 4, step=4)
    np.testing.assert_array_equal(
        drawn, [[1, NAN, NAN, NAN, NAN], [NAN, NAN, 2, NAN, NAN]]
    )


def test_a_disc_is_round():
    drawn = scores_to_map([2.0], [[3, 3]], (7, 7), radius=2)
    rows, columns = np.nonzero(~np.isnan(drawn))
    assert (np.hypot(rows - 3, columns - 3) <= 2).all()
    assert len(rows) == 13


def test_a_disc_smaller_than_a_pixel_is_a_pixel():
    drawn = scores_to_map([2.0], [[1.4, 0.3]], (2, 3), radius=0.1)
    assert np.argwhere(~np.isnan(drawn)).tolist() == [[0, 1]]


def test_a_gaussian_weighs_by_distance():
    arguments = ([0.0, 1.0], [[0, 0], [4, 0]], (1, 5))
    drawn = scores_to_map(*arguments, radius=2, kernel="gaussian")[0]
    assert (np.diff(drawn) >= 0).all()
    assert drawn[2] == pytest.approx(0.5)
    near, far = np.exp(-1 / 8), np.exp(-9 / 8)
    assert drawn[1] == pytest.approx(far / (near + far))


def test_no_scores_make_an_empty_map():
    drawn = scores_to_map([], np.empty((0, 2)), (2, 2), 1)
    assert np.isnan(drawn).all()


GOOD = {"scores": [1.0, 2.0], "coords": [[0, 0], [1, 1]], "shape": (4, 4)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_size": 2, "coords": [[0, 0]]}, r"coords has shape \(1, 2\)"),
        ({"tile_size": 2, "coords": [[0, 0, 0]] * 2}, "coords has shape"),
        ({"tile_size": 2, "coords": [[0, 0], [NAN, 0]]}, "NaN"),
        ({"tile_size": 2, "coords": [[0, 0], [4, 0]]}, r"\(4, 0\) lies outside"),
        ({"tile_size": 2, "coords": [[0, 0], [0, -1]]}, "lies outside"),
        ({"tile_size": 2, "scores": [[1.0], [2.0]]}, "one score for each instance"),
        ({}, "either tile_size=.*or radius="),
        ({"tile_size": 2, "radius": 3}, "not both"),
        ({"tile_size": 0}, "tile_size=0"),
        ({"tile_size": (1, 2, 3)}, "tile_size="),
        ({"radius": 0}, "radius=0"),
        ({"radius": NAN}, "radius=nan"),
        ({"radius": 1, "kernel": "box"}, "kernel='box'"),
        ({"radius": 1, "reduce": "sum"}, "reduce='sum'"),
        ({"radius": 1, "reduce": "max", "kernel": "gaussian"}, "does not go"),
        ({"radius": 1, "step": 0}, "step=0"),
        ({"radius": 1, "step": 1.5}, "step=1.5"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        scores_to_map(**{**GOOD, **options})
