"""The ultrasound phantom: geometry, landmarks, speckle, streams, errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats

from mlmi_sklearn.datasets import make_probe_path, make_ultrasound_phantom
from mlmi_sklearn.datasets._ellipsoids import Ellipsoids
from mlmi_sklearn.metrics import detect_landmarks, landmark_error
from mlmi_sklearn.preprocessing import coordinate_map


@pytest.fixture(scope="module")
def frames():
    return make_ultrasound_phantom(300, random_state=0)


def test_shapes_and_types(frames):
    shapes = {
        "images": ((300, 1, 24, 24), np.float32),
        "truth": ((300, 1, 24, 24), np.float32),
        "masks": ((300, 24, 24), np.int64),
        "poses": ((300, 4, 4), np.float64),
        "coordinates": ((300, 3, 24, 24), np.float32),
        "landmarks": ((300, 4, 2), np.float64),
        "centres": ((4, 3), np.float64),
    }
    for name, (shape, dtype) in shapes.items():
        assert frames[name].shape == shape, name
        assert frames[name].dtype == dtype, name
    assert frames.spacing == 2.0
    assert len(make_ultrasound_phantom(random_state=0).images) == 200


def test_frames_that_are_not_square():
    frames = make_ultrasound_phantom(5, size=(20, 31), spacing=1.5, random_state=0)
    assert frames.images.shape == (5, 1, 20, 31)
    assert frames.coordinates.shape == (5, 3, 20, 31)
    steps = np.linalg.norm(np.diff(frames.coordinates, axis=3), axis=1)
    assert_allclose(steps, 1.5, rtol=1e-4)


def test_coordinates_are_those_of_the_public_function(frames):
    maps = coordinate_map((24, 24), frames.poses, 2.0, origin=11.5)
    assert_allclose(frames.coordinates, maps, atol=1e-4)
    middle = frames.coordinates[:, :, 11:13, 11:13].mean(axis=(2, 3))
    assert_allclose(middle, frames.poses[:, :3, 3], atol=1e-4)


def test_the_truth_depends_on_the_place_alone(frames):
    """A pixel of one frame and one of another at the same place are equally bright."""
    places = np.moveaxis(frames.coordinates, 1, -1).reshape(-1, 3)
    grey, body = Ellipsoids.draw(0).grey_values(places.astype(float))
    assert_allclose(frames.truth.ravel(), grey, atol=1e-4)
    assert (frames.masks.ravel() == body).mean() > 0.9999
    # The other way round: the middle of the phantom, seen upright and upside down.
    upright = np.eye(4)
    turned = np.diag([-1.0, -1, 1, 1])
    one, two = make_ultrasound_phantom(poses=[upright, turned], random_state=0).truth
    assert_allclose(one, two[:, ::-1, ::-1], atol=1e-6)


def test_bodies_are_bright_and_apart(frames):
    assert frames.truth.min() >= 0.19
    assert frames.truth.max() <= 1
    assert set(np.unique(frames.masks)) == {0, 1, 2, 3, 4}
    for seed in range(20):
        body = Ellipsoids.draw(seed)
        lengths = 1 / np.linalg.norm(body.shapes, axis=2)
        assert ((lengths >= 6) & (lengths <= 9)).all()
        gaps = np.linalg.norm(body.centres[:, None] - body.centres, axis=-1)
        reach = lengths.max(axis=1)
        gaps -= reach[:, None] + reach
        assert gaps[np.triu_indices(4, 1)].min() >= 3
        assert sorted(body.brightness) == pytest.approx([0.6, 11 / 15, 13 / 15, 1.0])


def test_landmarks_are_centres_of_masks(frames):
    """Found on a fine grid, without the algebra."""
    fine = make_ultrasound_phantom(
        poses=frames.poses[:40], size=(96, 96), spacing=0.5, noise_free=True
    )
    checked = 0
    for mask, marks in zip(fine.masks, frames.landmarks[:40], strict=True):
        for number in range(1, 5):
            if np.isfinite(marks[number - 1]).all():
                middle = np.array(ndimage.center_of_mass(mask == number))
                # Pixel 0 of the coarse grid covers pixels 0 to 3 of the fine one.
                assert_allclose((middle - 1.5) / 4, marks[number - 1], atol=0.05)
                checked += 1
    assert checked > 30


def test_landmarks_are_there_exactly_where_a_whole_section_is(frames):
    fine = make_ultrasound_phantom(
        poses=frames.poses, size=(96, 96), spacing=0.5, noise_free=True
    )
    shown = np.isfinite(frames.landmarks).all(axis=2)
    assert_array_equal(shown, np.isfinite(frames.landmarks).any(axis=2))
    for number in range(1, 5):
        section = fine.masks == number
        radius = np.sqrt(section.sum(axis=(1, 2)) / np.pi) / 4
        edge = section[:, 3:-3, 3:-3].sum(axis=(1, 2)) < section.sum(axis=(1, 2))
        clear = (abs(radius - 2.5) > 0.1) & (radius > 0)
        seen = shown[:, number - 1]
        assert not seen[radius < 2.4].any()
        assert not seen[section[:, 0].any(1) | section[:, -1].any(1)].any()
        assert seen[clear & (radius > 2.6) & ~edge].all()


def test_speckle_is_multiplicative_rayleigh():
    frames = make_ultrasound_phantom(100, speckle=1, random_state=0)
    factor = (frames.images / frames.truth).ravel()
    assert_allclose(factor.mean(), 1, atol=0.01)
    scale = np.sqrt(2 / np.pi)
    assert stats.kstest(factor, "rayleigh", args=(0, scale)).pvalue > 1e-3
    weak = make_ultrasound_phantom(100, speckle=0.25, random_state=0)
    weak_factor = (weak.images / weak.truth).ravel()
    assert_allclose(weak_factor, 0.75 + 0.25 * factor, atol=1e-4)
    neighbours = factor.reshape(-1, 24)
    assert abs(np.corrcoef(neighbours[:, 0], neighbours[:, 1])[0, 1]) < 0.06


def test_no_speckle_is_the_truth(frames):
    for options in ({"speckle": 0}, {"noise_free": True}):
        clean = make_ultrasound_phantom(300, random_state=0, **options)
        assert_allclose(clean.images, frames.truth, atol=1e-6)
        assert_array_equal(clean.poses, frames.poses)
        assert_array_equal(clean.landmarks, frames.landmarks)
    assert abs(frames.images - frames.truth).max() > 0.2


def test_seeds_of_phantom_and_of_frames_are_apart(frames):
    same = make_ultrasound_phantom(300, random_state=0)
    assert_array_equal(same.images, frames.images)
    other = make_ultrasound_phantom(300, random_state=0, phantom_seed=1)
    assert_array_equal(other.poses, frames.poses)
    assert not np.allclose(other.centres, frames.centres)
    held_out = make_ultrasound_phantom(300, random_state=1)
    assert_array_equal(held_out.centres, frames.centres)
    gap = abs(held_out.poses[:, None] - frames.poses).max(axis=(2, 3))
    assert gap.min() > 0


def test_more_frames_leave_the_first_ones_as_they_are(frames):
    few = make_ultrasound_phantom(7, random_state=0)
    assert_array_equal(few.images, frames.images[:7])
    assert_array_equal(few.poses, frames.poses[:7])


def test_the_phantom_stays_what_it_is(frames):
    """Figures in print rest on it."""
    assert_allclose(frames.centres[0], [6.54, -9.11, -5.99], atol=0.01)
    assert_allclose(frames.poses[0, :3, 3], [5.295, -6.123, -1.311], atol=0.001)
    assert np.isfinite(frames.landmarks[:, :, 0]).sum(axis=0).tolist() == [
        131,
        113,
        95,
        120,
    ]


def test_poses_are_rigid_and_within_reach(frames):
    turns, places = frames.poses[:, :3, :3], frames.poses[:, :3, 3]
    assert_allclose(
        turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (300, 1, 1)), atol=1e-12
    )
    assert_allclose(np.linalg.det(turns), 1)
    assert (abs(places) <= [9, 9, 6]).all()
    assert (abs(places).max(axis=0) > [8.5, 8.5, 5.5]).all()


def test_the_global_generator_is_left_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    make_ultrasound_phantom(3, random_state=1)
    assert_array_equal(np.random.get_state()[1], before)
    one, two = (make_ultrasound_phantom(3).images for _ in range(2))
    assert not np.array_equal(one, two)
    rng = np.random.RandomState(0)
    one, two = (make_ultrasound_phantom(3, random_state=rng).images for _ in range(2))
    assert not np.array_equal(one, two)


def test_what_is_passed_is_copied():
    poses = make_probe_path(3)
    frames = make_ultrasound_phantom(poses=poses, random_state=0)
    frames.poses[:] = 0
    assert_array_equal(poses, make_probe_path(3))


def test_the_documented_errors_of_the_baselines(frames):
    """Real frames, the nearest training pose, any frame: 0.2, 1.1 and 2.6 pixels."""
    train = make_ultrasound_phantom(2000, random_state=1)
    corners = [
        d.coordinates[:, :, ::23, ::23].reshape(len(d.images), -1)
        for d in (train, frames)
    ]
    nearest = [((corners[0] - c) ** 2).sum(axis=1).argmin() for c in corners[1]]
    any_frame = np.random.RandomState(0).randint(0, 2000, 300)
    marks = frames.landmarks

    def error(images):
        return landmark_error(marks, detect_landmarks(images, marks))

    clean, real, near, random = (
        error(images)
        for images in (
            frames.truth,
            frames.images,
            train.images[nearest],
            train.images[any_frame],
        )
    )
    assert clean.median < 0.05
    assert clean.missing == 0
    assert_allclose(real.median, 0.2, atol=0.05)
    assert real.missing <= 2
    assert_allclose(near.median, 1.1, atol=0.1)
    assert near.missing < 0.06 * near.n_landmarks
    assert_allclose(random.median, 2.6, atol=0.2)
    assert random.missing > 0.5 * random.n_landmarks


def test_a_probe_path_is_straight_and_even():
    poses = make_probe_path(5, start=(0, 1, -4), stop=(2, 1, 4), angles=(0, 0, 90))
    places = poses[:, :3, 3]
    assert_allclose(places[[0, -1]], [[0, 1, -4], [2, 1, 4]])
    assert_allclose(np.diff(places, axis=0), np.tile([0.5, 0, 2], (4, 1)))
    # Turned by a quarter about z: along columns is along y.
    assert_allclose(poses[0] @ [1, 0, 0, 0], [0, 1, 0, 0], atol=1e-12)
    assert make_probe_path(1).shape == (1, 4, 4)


def test_along_the_default_path_a_body_comes_and_goes():
    frames = make_ultrasound_phantom(poses=make_probe_path(), random_state=0)
    areas = np.stack([(frames.masks == k).sum(axis=(1, 2)) for k in range(1, 5)])
    assert (areas.max(axis=1) > 20).any()
    assert (np.ptp(areas, axis=1) > 20).any()
    assert abs(np.diff(areas, axis=1)).max() < 30


SHEAR = np.eye(4) + np.diag([0.1], 3) + np.diag([0.2, 0, 0], 1)
LOST = np.full((1, 4, 4), np.nan)


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (ValueError, {"n_frames": 0}, "n_frames"),
        (TypeError, {"n_frames": 2.5}, "n_frames"),
        (ValueError, {"n_frames": 3, "poses": [np.eye(4)]}, "n_frames=3 must be left"),
        (ValueError, {"size": 24}, "size must be two whole"),
        (ValueError, {"size": (24,)}, "size must be two whole"),
        (ValueError, {"size": (24, 0)}, "size must be two whole"),
        (ValueError, {"size": (24.0, 24)}, "size must be two whole"),
        (ValueError, {"size": "ab"}, "size must be two whole"),
        (ValueError, {"spacing": 0}, "spacing"),
        (ValueError, {"spacing": np.inf}, "spacing"),
        (ValueError, {"speckle": -0.1}, "speckle"),
        (ValueError, {"speckle": 1.1}, "speckle"),
        (ValueError, {"speckle": np.nan}, "speckle"),
        (ValueError, {"phantom_seed": -1}, "phantom_seed"),
        (ValueError, {"phantom_seed": 2**32}, "phantom_seed"),
        (TypeError, {"phantom_seed": None}, "phantom_seed"),
        (ValueError, {"poses": np.eye(4)}, r"poses must have shape \(n, 4, 4\)"),
        (ValueError, {"poses": np.empty((0, 4, 4))}, "poses must have shape"),
        (ValueError, {"poses": [2 * np.eye(4)]}, "rigid motions"),
        (ValueError, {"poses": [SHEAR]}, "rigid motions"),
        (ValueError, {"poses": LOST}, "rigid motions"),
        (ValueError, {"poses": [make_probe_path(1)[0].T]}, "rigid motions"),
    ],
)
def test_errors_name_the_argument(error, arguments, message):
    with pytest.raises(error, match=message):
        make_ultrasound_phantom(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_frames": 0}, "n_frames"),
        ({"start": (0, 0)}, "start must be three finite numbers"),
        ({"stop": (0, 0, np.nan)}, "stop must be three finite numbers"),
        ({"angles": 5.0}, "angles must be three finite numbers"),
    ],
)
def test_errors_of_paths_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_probe_path(**arguments)
