"""Coordinates of pixels: axes, poses, spacing, origin, errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mlmi_sklearn.preprocessing import coordinate_map

QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # x becomes y


STRAIGHT = np.eye(3)


def matrix(turn=STRAIGHT, move=(0, 0, 0)):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, move
    return pose


def test_columns_are_x_and_rows_are_y():
    x, y, z = coordinate_map((2, 3))
    assert_array_equal(x, [[0, 1, 2], [0, 1, 2]])
    assert_array_equal(y, [[0, 0, 0], [1, 1, 1]])
    assert_array_equal(z, np.zeros((2, 3)))


def test_a_volume_has_z_along_its_depth():
    maps = coordinate_map((2, 3, 4))
    assert maps.shape == (3, 2, 3, 4)
    index = np.indices((2, 3, 4))
    assert_array_equal(maps, index[::-1])


def test_spacing_and_origin_are_in_the_order_of_the_shape():
    x, y, _ = coordinate_map((2, 3), spacing=(10, 1), origin=(0.5, 1))
    assert_array_equal(x[0], [-1, 0, 1])
    assert_array_equal(y[:, 0], [-5, 5])


def test_a_pose_turns_first_and_moves_then():
    x, y, z = coordinate_map((2, 3), matrix(QUARTER, (100, 0, 7)), spacing=2)
    assert_allclose(x, [[100, 100, 100], [98, 98, 98]])
    assert_allclose(y, [[0, 2, 4], [0, 2, 4]])
    assert_array_equal(z, np.full((2, 3), 7))


def test_each_pixel_is_the_matrix_times_its_place():
    rng = np.random.RandomState(0)
    pose = matrix(rng.randn(3, 3), rng.randn(3))
    maps = coordinate_map((4, 5), pose, spacing=(0.5, 0.3), origin=(1, 2))
    for row, col in [(0, 0), (3, 4), (2, 1)]:
        place = [0.3 * (col - 2), 0.5 * (row - 1), 0, 1]
        assert_allclose(maps[:, row, col], (pose @ place)[:3])


def test_pairs_and_matrices_say_the_same_also_in_stacks():
    rng = np.random.RandomState(0)
    turns, moves = rng.randn(5, 3, 3), rng.randn(5, 3)
    stack = np.stack([matrix(*pair) for pair in zip(turns, moves, strict=True)])
    maps = coordinate_map((4, 6), stack)
    assert maps.shape == (5, 3, 4, 6)
    assert maps.dtype == np.float64
    assert_array_equal(maps, coordinate_map((4, 6), (turns, moves)))
    assert_array_equal(maps, coordinate_map((4, 6), stack.tolist()))
    for one, pose in zip(maps, stack, strict=True):
        assert_allclose(one, coordinate_map((4, 6), pose))


def test_a_stack_of_one_stays_a_stack():
    assert coordinate_map((2, 2), np.eye(4)[np.newaxis]).shape == (1, 3, 2, 2)
    assert coordinate_map((2, 2), np.empty((0, 4, 4))).shape == (0, 3, 2, 2)
    # Two matrices in a list are a stack, not a pair of rotation and translation.
    assert coordinate_map((2, 2), [np.eye(4), np.eye(4)]).shape == (2, 3, 2, 2)


def test_what_is_passed_is_left_alone():
    pose = matrix(QUARTER, (1, 2, 3))
    before = pose.copy()
    coordinate_map((3, 3), pose)[:] = 0
    assert_array_equal(pose, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": 5}, r"shape must be \(height, width\)"),
        ({"shape": (4,)}, "shape must be"),
        ({"shape": (1, 3, 4, 4)}, "last two sizes"),
        ({"shape": (4, 0)}, "shape must be"),
        ({"shape": (4.0, 4)}, "whole pixels"),
        ({"spacing": 0}, "spacing must be positive"),
        ({"spacing": (1, -1)}, "spacing must be positive"),
        ({"spacing": (1, 1, 1)}, "spacing must be one finite number, or 2"),
        ({"spacing": np.nan}, "spacing must be one finite"),
        ({"origin": (1, 1, 1)}, "origin must be one finite number, or 2"),
        ({"origin": np.inf}, "origin must be one finite"),
        ({"pose": np.eye(3)}, r"pose must have shape \(4, 4\)"),
        ({"pose": np.eye(4).ravel()}, "pose must have shape"),
        ({"pose": matrix(move=(1, 2, 3)).T}, "must be transposed"),
        ({"pose": (np.eye(3), np.zeros(4))}, r"shapes \(3, 3\) and \(3,\)"),
        ({"pose": (np.eye(4), np.zeros(3))}, "pose must be a matrix"),
        ({"pose": (np.zeros((2, 3, 3)), np.zeros((3, 3)))}, "stacks of n"),
        ({"pose": (np.eye(3), [0, 0, np.nan])}, "tracker lost"),
        ({"pose": np.full((4, 4), np.nan)}, "tracker lost"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        coordinate_map(**{"shape": (4, 4), **arguments})
