import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mlmi_sklearn import Bags, MILClassifier, TileGrid
from mlmi_sklearn.exceptions import BagError

GLASS, PINK = (242, 242, 242), (225, 160, 200)


def slide(height=64, width=96, tissue=np.s_[0:32, 32:96]):
    image = np.full((height, width, 3), GLASS, np.uint8)
    image[tissue] = PINK
    return image


class LazySlide:
    """A slide of 8 gigapixels that records what is read of it."""

    shape = (80_000, 100_000, 3)

    def __init__(self, path=None):
        self.reads, self.steps, self.closed = [], [], False

    def _pixels(self, rows, cols):
        inside = ((rows[:, None] // 1000) == 3) & ((cols // 1000) == 7)
        return np.where(inside[..., None], PINK, GLASS).astype(np.uint8)

    def read(self, row, col, height, width):
        self.reads.append((row, col, height, width))
        return self._pixels(row + np.arange(height), col + np.arange(width))

    def overview(self, step):
        self.steps.append(step)
        return self._pixels(*(np.arange(0, n, step) for n in self.shape[:2]))

    def close(self):
        self.closed = True


def test_only_tissue_is_kept_and_placed():
    bags = TileGrid(32).fit_transform([slide()])
    assert bags.instance_shape == (3, 32, 32)
    assert bags.coords.tolist() == [[32, 0], [64, 0]]
    assert bags.values.dtype == np.float32
    np.testing.assert_allclose(bags[0][0, :, 5, 5], np.array(PINK) / 255)


def test_coordinates_are_x_and_y_of_the_upper_left_pixel():
    image = np.arange(6 * 8).reshape(6, 8).astype(float)
    bags = TileGrid((2, 4), tissue=None).fit_transform([image])
    for tile, (x, y) in zip(bags.values, bags.coords, strict=True):
        np.testing.assert_array_equal(tile, image[y : y + 2, x : x + 4])
    assert bags.coords.tolist() == [[0, 0], [4, 0], [0, 2], [4, 2], [0, 4], [4, 4]]


@pytest.mark.parametrize(
    ("share", "kept"), [(0.0, 4), (0.25, 3), (0.26, 2), (0.5, 2), (0.51, 1), (1.0, 1)]
)
def test_min_tissue_is_a_share_of_the_tile(share, kept):
    image = slide(32, 32, np.s_[0:16, 0:16])  # all of the first tile,
    image[0:8, 16:32] = PINK  # half of the second,
    image[16:24, 0:8] = PINK  # a quarter of the third
    bags = TileGrid(16, min_tissue=share).fit_transform([image])
    assert bags.coords.tolist() == [[0, 0], [16, 0], [0, 16], [16, 16]][:kept]


@pytest.mark.parametrize(
    ("edge", "xs"), [("drop", [0, 4]), ("shift", [0, 4, 6]), ("pad", [0, 4, 8])]
)
def test_edges(edge, xs):
    image = np.arange(10.0)[None].repeat(4, axis=0)
    bags = TileGrid(4, tissue=None, edge=edge).fit_transform([image])
    assert bags.coords[:, 0].tolist() == xs
    if edge == "pad":
        assert bags.values[-1][0].tolist() == [8.0, 9.0, 9.0, 9.0]


@pytest.mark.parametrize(("overlap", "step"), [(0, 8), (2, 6), (0.5, 4), (0.25, 6)])
def test_overlap_in_pixels_or_as_a_share(overlap, step):
    bags = TileGrid(8, tissue=None, overlap=overlap).fit_transform([np.ones((8, 40))])
    assert set(np.diff(bags.coords[:, 0])) == {step}


def test_images_of_different_size_make_bags_of_different_size():
    bags = TileGrid(16, tissue=None).fit_transform(
        [np.ones((16, 48)), np.ones((32, 32))]
    )
    assert bags.lengths.tolist() == [3, 4]
    assert bags.bag_ids is None


def test_channels_first_last_or_none_give_the_same_tiles():
    image = slide()
    expected = TileGrid(32).fit_transform([image])
    first = TileGrid(32, channel_axis=0).fit_transform([np.moveaxis(image, -1, 0)])
    assert first == expected
    stack = TileGrid(32).fit_transform(np.stack([image, image]))
    assert stack[[1]] == expected
    grey = TileGrid(32, channel_axis=None, tissue=None).fit_transform([image[..., 0]])
    assert grey.instance_shape == (32, 32)


def test_integers_are_kept_on_demand_and_floats_always():
    image = slide()
    assert TileGrid(rescale=False).fit_transform([image]).values.dtype == np.uint8
    real = image / 255.0
    assert TileGrid().fit_transform([real]).values.dtype == np.float64
    deep = (image.astype(np.uint16) * 257).astype(np.uint16)
    np.testing.assert_allclose(
        TileGrid().fit_transform([deep]).values,
        TileGrid().fit_transform([image]).values,
        rtol=1e-6,
    )


def test_flat_tiles_are_the_same_numbers():
    flat = TileGrid(flatten=True).fit_transform([slide()])
    np.testing.assert_array_equal(
        flat.values, TileGrid().fit_transform([slide()]).values.reshape(2, -1)
    )


def test_max_tiles_samples_the_same_whatever_else_is_there():
    rng = np.random.default_rng(0)
    images = [rng.random((64, 64)) for _ in range(3)]
    grid = TileGrid(8, tissue=None, max_tiles=5, random_state=0).fit(images)
    bags = grid.transform(images)
    assert bags.lengths.tolist() == [5, 5, 5]
    assert bags[[2]] == grid.transform(images[2:])
    assert grid.transform(images) == bags
    assert clone(grid).fit_transform(images) == bags
    assert len({tuple(c) for c in bags[[0]].coords}) == 5
    other = clone(grid).set_params(random_state=1).fit_transform(images)
    assert not np.array_equal(other.coords, bags.coords)


def test_glass_alone_keeps_its_best_tile_and_says_so():
    image = slide(tissue=np.s_[40:50, 70:76])
    with pytest.warns(UserWarning, match=r"image 1 has no tile.*=0\.5.*0\.047"):
        bags = TileGrid(32).fit_transform([slide(), image])
    assert bags.lengths.tolist() == [2, 1]
    assert bags[[1]].coords.tolist() == [[64, 32]]


@pytest.mark.parametrize("path", [None, "slide.svs"])
def test_a_reader_is_asked_for_tissue_only(path):
    made = LazySlide()
    grid = TileGrid(250, reader=lambda path: made)
    bags = grid.fit([path or made]).transform([path or made])
    assert sorted(made.reads) == [
        (3000 + r, 7000 + c, 250, 250)
        for r in range(0, 1000, 250)
        for c in range(0, 1000, 250)
    ]
    assert made.steps == [31]
    assert bags.lengths.tolist() == [16]
    assert made.closed == (path is not None)
    assert bags.bag_ids is None if path is None else bags.bag_ids.tolist() == ["slide"]


def test_without_a_tissue_mask_no_overview_is_read():
    made = LazySlide()
    made.shape = (500, 500, 3)
    TileGrid(250, tissue=None).fit_transform([made])
    assert not made.steps
    assert len(made.reads) == 4


def test_a_reader_that_returns_too_little_is_found_out():
    made = LazySlide()
    made.shape = (500, 500, 3)
    made.read = lambda *box: np.zeros((3, 3, 3))
    with pytest.raises(BagError, match=r"image 0 gave .* pixels at row 0"):
        TileGrid(250, tissue=None).fit_transform([made])


def test_files_are_read_and_name_the_bags(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.npy"]
    Image.fromarray(slide()).save(paths[0])
    np.save(paths[1], slide())
    expected = TileGrid().fit_transform([slide(), slide()])
    for given in (paths, [str(p) for p in paths], pd.Series(paths), np.array(paths)):
        bags = TileGrid().fit_transform(given)
        assert bags.bag_ids.tolist() == ["a", "b"]
        np.testing.assert_array_equal(bags.values, expected.values)
    (tmp_path / "c").mkdir()
    paths.append(tmp_path / "c" / "a.png")
    Image.fromarray(slide()).save(paths[2])
    assert TileGrid().fit_transform(paths).bag_ids.tolist() == [str(p) for p in paths]


def images_with_spots(n=16):
    rng = np.random.default_rng(0)
    images = [rng.normal(0.2, 0.02, (32, 40)) for _ in range(n)]
    for image in images[1::2]:
        image[8:16, 16:24] += 0.6
    return images, np.arange(n) % 2


def test_a_pipeline_learns_from_images():
    images, y = images_with_spots()
    pipe = make_pipeline(TileGrid(8, tissue=None, flatten=True), MILClassifier(lr=0.01))
    pipe.set_params(milclassifier__max_epochs=40, milclassifier__random_state=0)
    assert pipe.fit(images, y).score(images, y) == 1.0
    best = [s.argmax() for s in pipe[-1].instance_scores(pipe[:-1].transform(images))]
    assert {best[i] for i in range(1, 16, 2)} == {1 * 5 + 2}
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.predict(images), pipe.predict(images))


def test_tile_size_can_be_searched():
    images, y = images_with_spots(8)
    pipe = make_pipeline(TileGrid(tissue=None), MILClassifier(max_epochs=1))
    search = GridSearchCV(pipe, {"tilegrid__tile_size": [8, (16, 8)]}, cv=2)
    search.fit(images, y)
    assert set(search.cv_results_["param_tilegrid__tile_size"]) == {8, (16, 8)}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_table_passes_through_any_container():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0]})
    grid = TileGrid().fit(X)
    pd.testing.assert_frame_equal(grid.transform(X), X)
    assert grid.get_feature_names_out().tolist() == ["a", "b"]
    as_frame = TileGrid().set_output(transform="pandas").fit_transform(X.to_numpy())
    assert isinstance(as_frame, pd.DataFrame)
    assert (
        make_pipeline(TileGrid(), LogisticRegression())
        .fit(X, [0, 0, 1, 1])
        .score(X, [0, 0, 1, 1])
    )


def test_tiles_are_bags_whatever_set_output_says():
    grid = TileGrid().set_output(transform="pandas")
    assert isinstance(grid.fit_transform([slide()]), Bags)
    assert isinstance(clone(grid).fit_transform([slide()]), Bags)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.ones((8, 8))], "smaller than a tile.*edge='pad'"),
        ([np.ones((2, 64, 64, 3))], "image 0 has shape .* two axes"),
        ("slide.png", r"one path. Pass a list: \['slide.png'\]"),
        (Bags(np.ones((3, 2)), [3]), "makes bags of images"),
        ([np.zeros((64, 64), complex)], "real numbers"),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_bad_images(X, message, fitted):
    grid = TileGrid(tissue=None)
    if fitted:
        grid.fit([np.ones((64, 64))])
    before = dict(vars(grid))
    with pytest.raises((BagError, TypeError), match=message):
        (grid if fitted else grid.fit(X)).transform(X)
    if fitted:
        assert vars(grid) == before


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        TileGrid().fit(["nowhere.png"])


def test_channels_must_agree():
    grid = TileGrid().fit([slide()])
    with pytest.raises(BagError, match=r"image 1 has no axis of channels.*with 3"):
        grid.transform([slide(), slide()[..., 0]])
    with pytest.raises(BagError, match="has 2 channels"):
        grid.transform([slide()[..., :2]])


def test_images_and_tables_do_not_mix():
    with pytest.raises(BagError, match=r"fitted on images.*\[image\]"):
        TileGrid().fit([slide()]).transform(slide()[..., 0])
    with pytest.raises(BagError, match="fitted on a table"):
        TileGrid().fit(np.ones((4, 3))).transform([slide()])


def test_a_refused_fit_leaves_the_fitted_grid_alone():
    grid = TileGrid(tissue=None).fit(pd.DataFrame({"a": [1.0, 2.0]}))
    before = dict(vars(grid))
    for bad in (pd.DataFrame({"c": [np.nan, 1.0]}), [np.zeros(3, complex)[None]]):
        with pytest.raises(ValueError, match=r"NaN|real numbers"):
            grid.fit(bad)
        assert vars(grid) == before


def test_refitting_on_images_forgets_the_table():
    grid = TileGrid(tissue=None).fit(pd.DataFrame({"a": [1.0, 2.0]})).fit([slide()])
    assert not hasattr(grid, "n_features_in_")
    assert not hasattr(grid, "feature_names_in_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tile_size": (3, 0)}, "tile_size"),
        ({"tile_size": (3, 3, 3)}, "tile_size"),
        ({"tile_size": ("a", 3)}, "tile_size"),
        ({"tile_size": 0}, "tile_size"),
        ({"overlap": 32}, "leaves no step"),
        ({"overlap": 1.0}, "overlap"),
        ({"overlap": -1}, "overlap"),
        ({"overlap": 0.99, "tile_size": 4}, "leaves no step"),
        ({"tissue": "hsv"}, "tissue"),
        ({"edge": "wrap"}, "edge"),
        ({"max_tiles": 0}, "max_tiles"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        TileGrid(**params).fit([slide()])
