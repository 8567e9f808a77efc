"""Coordinates compose with poses; landmarks and spreads keep to their invariants."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest

from mlmi_sklearn.datasets import make_probe_path, make_ultrasound_phantom
from mlmi_sklearn.metrics import (
    RealismStudy,
    across_latent_spread,
    detect_landmarks,
    landmark_error,
)
from mlmi_sklearn.preprocessing import coordinate_map

sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)
moderate = st.floats(-50, 50).map(lambda value: round(value, 3))
shapes = st.one_of(st.tuples(sizes, sizes), st.tuples(sizes, sizes, sizes))


@st.composite
def poses(draw):
    pose = np.eye(4)
    pose[:3] = draw(arrays(float, (3, 4), elements=moderate))
    return pose


@given(shapes, poses(), poses(), st.floats(0.1, 5))
def test_one_pose_after_another_is_their_product(shape, first, second, spacing):
    both = coordinate_map(shape, second @ first, spacing)
    inner = coordinate_map(shape, first, spacing).reshape(3, -1)
    outer = second[:3, :3] @ inner + second[:3, 3:]
    assert_allclose(both, outer.reshape(3, *shape), rtol=1e-9, atol=1e-6)


@given(shapes, poses(), st.floats(0.1, 5), st.lists(moderate, min_size=3, max_size=3))
def test_spacing_and_origin_are_poses_too(shape, pose, spacing, origin):
    """Calibrations may put the size and the origin of pixels into the matrix."""
    origin = np.array(origin[: len(shape)])
    inside = np.diag([spacing] * 3 + [1])
    inside[: len(shape), 3] = -spacing * origin[::-1]
    assert_allclose(
        coordinate_map(shape, pose, spacing, origin=origin),
        coordinate_map(shape, pose @ inside),
        rtol=1e-9,
        atol=1e-6,
    )


@settings(max_examples=25)
@given(seeds, st.integers(1, 6), st.integers(4, 30), st.integers(4, 30))
def test_phantoms_of_any_seed_and_size(seed, n_frames, n_rows, n_cols):
    options = {"size": (n_rows, n_cols), "phantom_seed": seed, "random_state": seed}
    frames = make_ultrasound_phantom(n_frames, **options)
    assert frames.images.shape == (n_frames, 1, n_rows, n_cols)
    assert np.isfinite(frames.images).all()
    assert (frames.images >= 0).all()
    assert ((frames.truth >= 0.19) & (frames.truth <= 1.001)).all()
    marks = frames.landmarks[np.isfinite(frames.landmarks).all(axis=2)]
    assert ((marks >= 0) & (marks <= [n_rows - 1, n_cols - 1])).all()
    again = make_ultrasound_phantom(
        poses=frames.poses, **{**options, "random_state": None}
    )
    assert_array_equal(again.truth, frames.truth)
    assert_array_equal(again.landmarks, frames.landmarks)


@settings(max_examples=25)
@given(seeds)
def test_a_phantom_seen_from_behind_is_mirrored(seed):
    """Turned by 180 degrees about y, the frame is the same from the other side."""
    path = make_probe_path(3)
    behind = path @ np.diag([-1.0, 1, -1, 1])
    one, two = (
        make_ultrasound_phantom(poses=p, phantom_seed=seed, random_state=0)
        for p in (path, behind)
    )
    assert_allclose(one.truth, two.truth[..., ::-1], atol=1e-5)
    mirrored = two.landmarks * [1, -1] + [0, 23]
    assert_allclose(one.landmarks, mirrored, atol=1e-6)


@settings(max_examples=25)
@given(
    arrays(float, (2, 9, 8), elements=st.integers(-4, 4).map(float)),
    st.floats(0, 6),
)
def test_found_landmarks_are_near_and_ignore_scale(images, radius):
    expected = np.array([[[4.0, 4], [0, 7]]] * 2)
    found = detect_landmarks(images, expected, radius=radius, sigma=0)
    distance = np.linalg.norm(found - expected, axis=2)
    assert (np.isnan(distance) | (distance <= radius)).all()
    # By a power of two, so that rounding decides nothing.
    scaled = detect_landmarks(64 * images, expected, radius=radius, sigma=0)
    assert_allclose(scaled, found, rtol=1e-9)


@given(seeds, st.integers(1, 8), st.integers(1, 4), st.floats(0.1, 10))
def test_errors_scale_and_count(seed, n, n_landmarks, spacing):
    rng = np.random.RandomState(seed)
    true = rng.uniform(0, 20, (n, n_landmarks, 2))
    pred = true + rng.randn(*true.shape)
    pred[rng.rand(n, n_landmarks) < 0.3] = np.nan
    pred[0, 0] = true[0, 0]
    one, two = (landmark_error(true, pred, spacing=s) for s in (1.0, spacing))
    assert_allclose(two[:2], np.multiply(one[:2], spacing), rtol=1e-9)
    assert one.missing == np.isnan(pred[..., 0]).sum()
    assert one.n_landmarks == n * n_landmarks
    moved = landmark_error(true + 5, pred + 5)
    assert_allclose(moved, one, rtol=1e-6, atol=1e-9)


@given(seeds, st.integers(2, 6), st.integers(1, 5), st.floats(0.01, 100))
def test_spread_ignores_order_and_offsets_of_conditions(seed, n_draws, n, scale):
    rng = np.random.RandomState(seed)
    draws = rng.randn(n_draws, n, 3)
    spread = across_latent_spread(draws).spread
    shuffled = draws[rng.permutation(n_draws)] + 10 * rng.randn(1, n, 3)
    assert_allclose(across_latent_spread(scale * shuffled).spread, scale * spread)


@settings(max_examples=50)
@given(seeds, st.integers(1, 20), st.booleans(), st.data())
def test_any_answers_are_scored_as_by_hand(seed, n_items, pairs, data):
    rng = np.random.RandomState(seed)
    study = RealismStudy(
        rng.rand(n_items, 4, 4),
        rng.rand(n_items + 3, 4, 4),
        n_items=n_items,
        pairs=pairs,
        random_state=seed,
    )
    answer = st.sampled_from(study.answers)
    given_answers = data.draw(st.lists(answer, min_size=n_items, max_size=n_items))
    score = study.score(given_answers)
    pairs_of = zip(given_answers, study.key["answer"], strict=True)
    right = sum(mine == true for mine, true in pairs_of)
    assert score.n_correct == right
    assert score.p_value == binomtest(right, n_items).pvalue
    assert 0 <= score.low <= score.accuracy <= score.high <= 1
