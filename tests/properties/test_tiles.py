"""Cutting an image into tiles and drawing scores back loses and invents nothing."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mlmi_sklearn import TileGrid
from mlmi_sklearn.inspection import scores_to_map
from mlmi_sklearn.preprocessing import otsu_threshold, tissue_mask

relaxed = settings(deadline=None, max_examples=60)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
overlaps = st.one_of(st.integers(0, 4), st.floats(0, 0.8))


@st.composite
def images(draw, smallest=(1, 1)):
    height = draw(st.integers(smallest[0], smallest[0] + 25))
    width = draw(st.integers(smallest[1], smallest[1] + 25))
    channels = draw(st.sampled_from([(), (1,), (3,)]))
    dtype = draw(st.sampled_from([np.uint8, np.float32, np.float64, bool]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return (rng.random((height, width, *channels)) * 255).astype(dtype)


def tile(image, size, **options):
    return TileGrid(size, tissue=None, rescale=False, **options).fit_transform([image])


def channels_last(tile):
    return np.moveaxis(tile, 0, -1) if tile.ndim == 3 else tile


@given(images(), sizes)
@relaxed
def test_tiles_put_together_again_are_the_image(image, size):
    bags = tile(image, size, edge="pad")
    canvas = np.zeros_like(image)
    for piece, (x, y) in zip(bags.values, bags.coords, strict=True):
        room = canvas[y : y + size[0], x : x + size[1]]
        room[:] = channels_last(piece)[: room.shape[0], : room.shape[1]]
    assert bags.values.dtype == image.dtype
    assert_array_equal(canvas, image)


@given(st.data(), sizes, overlaps, st.sampled_from(["pad", "shift", "drop"]))
@relaxed
def test_tiles_lie_inside_and_cover_the_image(data, size, overlap, edge):
    assume(overlap < min(size) if isinstance(overlap, int) else True)
    assume(all(s - round(overlap * s) >= 1 for s in size) or isinstance(overlap, int))
    image = data.draw(images((1, 1) if edge == "pad" else size))
    bags = tile(image, size, edge=edge, overlap=overlap)
    height, width = image.shape[:2]
    x, y = bags.coords.T
    assert x.min() == 0
    assert y.min() == 0
    assert x.max() < width
    assert y.max() < height
    covered = np.zeros((height, width), dtype=bool)
    for a, b in bags.coords:
        covered[b : b + size[0], a : a + size[1]] = True
    if edge != "drop":
        assert covered.all()
    if edge != "pad":
        assert x.max() + size[1] <= width
        assert y.max() + size[0] <= height
        assert_array_equal(
            channels_last(bags.values[-1]),
            image[y[-1] : y[-1] + size[0], x[-1] : x[-1] + size[1]],
        )
    assert len({tuple(c) for c in bags.coords}) == len(bags.coords)


@given(
    images((9, 9)),
    sizes,
    st.integers(1, 4),
    st.sampled_from(["mean", "max"]),
    st.floats(-5, 5),
)
@relaxed
def test_a_constant_score_gives_a_constant_map(image, size, step, reduce, score):
    bags = tile(image, size, edge="pad", overlap=0.3)
    drawn = scores_to_map(
        np.full(bags.n_instances, score),
        bags.coords,
        image.shape,
        size,
        reduce=reduce,
        step=step,
    )
    assert drawn.shape == tuple(-(-n // step) for n in image.shape[:2])
    assert_allclose(drawn, score)


@given(
    st.lists(st.tuples(st.floats(0, 19), st.floats(0, 29)), min_size=1, max_size=12),
    st.floats(0.1, 8),
    st.sampled_from(["disc", "gaussian"]),
)
@relaxed
def test_averages_of_points_stay_between_the_scores(points, radius, kernel):
    scores = np.arange(len(points), dtype=float)
    drawn = scores_to_map(scores, points, (30, 20), radius=radius, kernel=kernel)
    known = drawn[~np.isnan(drawn)]
    assert known.size
    assert known.min() >= -1e-9
    assert known.max() <= scores.max() + 1e-9


@given(st.permutations(range(6)), st.sampled_from(["mean", "max"]))
@relaxed
def test_the_order_of_instances_does_not_matter(order, reduce):
    rng = np.random.default_rng(0)
    scores, xy = rng.normal(size=6), rng.integers(0, 12, (6, 2))
    first = scores_to_map(scores, xy, (16, 16), 4, reduce=reduce)
    again = scores_to_map(scores[order], xy[order], (16, 16), 4, reduce=reduce)
    assert_allclose(first, again)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60))
@relaxed
def test_otsu_threshold_lies_within_the_values(values):
    threshold = otsu_threshold(values)
    assert min(values) <= threshold <= max(values)


@given(images())
@relaxed
def test_the_mask_has_the_shape_of_the_image(image):
    if image.dtype.kind == "f":
        image = image / 255
    mask = tissue_mask(image)
    assert mask.shape == image.shape[:2]
    assert mask.dtype == bool
