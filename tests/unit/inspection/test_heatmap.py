import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import Bags, InstanceWise, TileGrid
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.inspection import BagHeatmapDisplay

draw = BagHeatmapDisplay.from_estimator


def test_points_have_the_colours_of_their_scores(model, bags):
    display = draw(model, bags, 2, y=["n", "n", "p"])
    assert isinstance(display.artist_, EllipseCollection)
    expected = bags[2][:, 0]
    np.testing.assert_array_equal(
        np.sort(display.artist_.get_array()), np.sort(expected)
    )
    highest = display.artist_.get_offsets()[-1]
    np.testing.assert_array_equal(highest, bags[[2]].coords[expected.argmax()])
    assert display.ax_.get_title().startswith("Bag z · label p · score = ")
    assert display.colorbar_.ax.get_ylabel() == "Instance score"
    assert display.figure_ is display.ax_.figure


def test_zero_has_the_middle_colour(model, bags):
    norm = draw(model, bags, 0).artist_.norm
    assert norm(0.0) == pytest.approx(0.5)
    assert norm(1.0) - 0.5 == pytest.approx(0.5 - norm(-1.0))
    norm = draw(model, bags, 0, method="predict_instances_proba").artist_.norm
    assert (norm.vmin, norm(0.5), norm.vmax) == (0.0, 0.5, 1.0)


def test_attention_starts_at_nothing(model, bags):
    display = draw(model, bags, 0, method="attention")
    assert display.artist_.norm.vmin == 0
    assert display.center is None
    assert display.name == "Attention"


def test_bags_are_found_by_number_from_the_end_or_id(model, bags):
    title = draw(model, bags, 2).ax_.get_title()
    assert draw(model, bags, -1).ax_.get_title() == title
    assert draw(model, bags, "z").ax_.get_title() == title
    assert draw(model, bags, np.int64(2)).ax_.get_title() == title


@pytest.mark.parametrize("index", [3, -4, "w", 1.0, None])
def test_a_bag_that_is_not_there(model, bags, index):
    with pytest.raises(BagError, match="index="):
        draw(model, bags, index)


def test_earlier_steps_and_searches_are_seen_through(model, bags):
    pipe = make_pipeline(InstanceWise(StandardScaler()), model)
    pipe.fit(bags, [0, 1, 1])
    scaled = pipe[0].transform(bags)[1][:, 0]
    search = GridSearchCV(pipe, {"firstfeature__classes": [(0, 1)]}, cv=2)
    search.fit(bags[[0, 1, 2, 0]], [0, 1, 1, 0])
    for estimator in (pipe, make_pipeline(pipe)):
        found = draw(estimator, bags, 1).scores
        np.testing.assert_allclose(found, scaled)
    assert len(draw(search, bags, 1).scores) == 3


def image_tiles():
    image = np.zeros((16, 24))
    image[8:, 16:] = 3.0
    return image


def test_tiles_from_a_pipeline_are_drawn_over_their_image(model):
    pipe = make_pipeline(TileGrid(8, tissue=None), model).fit([image_tiles()], [1])
    display = draw(pipe, [image_tiles()], 0)
    under, over = display.ax_.images
    np.testing.assert_array_equal(under.get_array(), image_tiles())
    np.testing.assert_array_equal(over.get_array(), image_tiles())
    assert display.tile_size == (8, 8)
    assert over.get_alpha() == 0.6
    assert display.ax_.get_xlim() == (-0.5, 23.5)
    assert display.ax_.get_ylim() == (15.5, -0.5)


class Slide:
    """Counts what is read of it."""

    shape = (4000, 6000, 3)

    def __init__(self):
        self.pixels = 0

    def read(self, row, col, height, width):
        self.pixels += height * width
        return np.full((height, width, 3), 200, np.uint8)

    def overview(self, step):
        rows, cols = (-(-n // step) for n in self.shape[:2])
        self.pixels += rows * cols
        return np.full((rows, cols, 3), 200, np.uint8)


def test_a_slide_is_seen_from_afar(model):
    slide = Slide()
    grid = TileGrid(500, tissue=None, reader=lambda path: slide, channel_axis=0)
    pipe = make_pipeline(make_pipeline(grid), model).fit(["a.svs"], [1])
    slide.pixels = 0
    display = draw(pipe, ["a.svs"], 0)
    assert slide.pixels == 4000 * 6000 + 667 * 1000
    assert display.ax_.images[0].get_array().shape == (667, 1000, 3)
    assert display.image_scale == 6
    assert display.ax_.get_title().startswith("Bag a")


def test_channels_may_come_first(model):
    image = np.zeros((3, 16, 24), np.uint8)
    pipe = make_pipeline(TileGrid(8, tissue=None, channel_axis=0), model)
    display = draw(pipe.fit([image], [1]), [image])
    assert display.ax_.images[0].get_array().shape == (16, 24, 3)


def test_tile_size_is_read_off_instances_that_are_images(model):
    bags = TileGrid((8, 4), tissue=None).fit_transform([image_tiles()])
    assert draw(model, bags).tile_size == (8, 4)
    last = bags.with_values(np.zeros((bags.n_instances, 8, 4, 3)))
    assert draw(model, last).tile_size == (8, 4)
    flat = bags.with_values(bags.values.reshape(bags.n_instances, -1))
    assert draw(model, flat).tile_size is None
    assert isinstance(draw(model, flat, tile_size=(8, 4)).artist_, AxesImage)


def test_a_reduced_image_needs_its_scale(model, bags):
    image = np.zeros((25, 25, 3), np.uint8)
    with pytest.raises(ValueError, match=r"image covers 25 x 25 pixels.*image_scale="):
        draw(model, bags, 0, image)
    display = draw(model, bags, 0, image, image_scale=2)
    assert display.ax_.get_xlim() == (-0.5, 49.5)


def test_big_images_and_maps_are_drawn_at_screen_resolution(model):
    bags = Bags(np.ones((2, 1)), [2], coords=[[0, 0], [4000, 2000]])
    display = draw(model, bags, 0, np.zeros((3000, 5000, 3), np.uint8), tile_size=500)
    for drawn in display.ax_.images:
        assert max(drawn.get_array().shape) <= 1001
        assert drawn.get_extent()[1] >= 4999


def test_positive_instances_are_outlined_and_counted(model, bags):
    display = draw(model, bags, 0)
    outlines = display.ax_.collections[-1]
    positive = bags[[0]].y_instances == 1
    np.testing.assert_array_equal(outlines.get_offsets(), bags[[0]].coords[positive])
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text() == f"truly positive ({positive.sum()} of 8)"
    assert draw(model, bags, 0, instance_label=5).ax_.get_legend() is None


def test_points_can_be_smoothed(model, bags):
    display = draw(model, bags, 0, kind="smooth", radius=4)
    assert isinstance(display.artist_, AxesImage)
    drawn = np.ma.filled(np.ma.masked_invalid(display.artist_.get_array()), np.nan)
    assert np.nanmax(drawn) <= bags[0][:, 0].max() + 1e-9


def test_several_classes(three, bags):
    display = draw(three, bags, 1)
    winner = three.predict(bags)[1]
    column = "abc".index(winner)
    np.testing.assert_array_equal(display.scores, bags[1][:, column])
    assert display.name == f"Instance score for {winner}"
    assert display.center is None
    chosen = draw(three, bags, 1, class_index=0)
    np.testing.assert_array_equal(chosen.scores, bags[1][:, 0])
    with pytest.raises(ValueError, match="class_index=3 must be from 0 to 2"):
        draw(three, bags, 1, class_index=3)


def test_given_axes_leave_pyplot_alone(model, bags):
    axes = Figure().subplots()
    display = draw(model, bags, 0, ax=axes)
    assert display.ax_ is axes
    assert not plt.get_fignums()
    assert len(draw(model, bags, 0, ax=axes, colorbar=False).figure_.axes) == 2


def test_without_axes_there_is_one_new_figure(model, bags):
    before = dict(plt.rcParams)
    draw(model, bags, 0)
    assert len(plt.get_fignums()) == 1
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("ragged", [False, True])
def test_scores_computed_before_look_the_same(model, bags, ragged):
    scores = model.instance_scores(bags)
    display = BagHeatmapDisplay.from_scores(
        scores if ragged else np.concatenate(scores), bags, "y", y=[0, 1, 2]
    )
    np.testing.assert_array_equal(display.scores, scores[1])
    assert display.ax_.get_title() == "Bag y · label 1"


@pytest.mark.parametrize(
    "scores", [np.zeros(17), [np.zeros(8)], [np.zeros(8), np.zeros(4), np.zeros(7)]]
)
def test_scores_of_other_bags_are_refused(bags, scores):
    with pytest.raises(BagError, match="scores do not fit the bags"):
        BagHeatmapDisplay.from_scores(scores, bags, 1)


def test_bags_without_coordinates(model, bags):
    bare = Bags(bags.values, bags.lengths)
    for make in (
        lambda: draw(model, bare),
        lambda: BagHeatmapDisplay.from_scores(np.zeros(18), bare),
    ):
        with pytest.raises(BagError, match=r"no coords.*TileGrid"):
            make()


def test_estimators_without_instance_scores(model, bags):
    with pytest.raises(TypeError, match="LinearRegression has no such method"):
        draw(LinearRegression(), bags)
    with pytest.raises(
        TypeError, match=r"method='saliency'.*It offers instance_scores"
    ):
        draw(model, bags, method="saliency")
    with pytest.raises(BagError, match="returned 3 values for 8 instances"):
        draw(Wrong(), bags, 0)


class Wrong(LinearRegression):
    def instance_scores(self, X):
        return np.zeros(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coords": [[0, 0]]}, "coords has shape"),
        ({"coords": [[0, 0], [np.nan, 0]]}, "coords holds NaN"),
        ({"coords": [[0, 0], [-1, 0]]}, "negative"),
        ({"image": np.zeros(3)}, "image has shape"),
        ({"image": np.zeros((5, 5))}, "image covers 5 x 5"),
        ({"marked": [True]}, "marked has shape"),
        ({"scores": [], "coords": np.empty((0, 2))}, "coords has shape"),
    ],
)
def test_bad_displays(options, message):
    good = {"scores": [1.0, 2.0], "coords": [[0, 0], [9, 9]]}
    with pytest.raises(ValueError, match=message):
        BagHeatmapDisplay(**{**good, **options}).plot()
    assert not plt.get_fignums()


def test_unknown_kinds(model, bags):
    for kind, message in [("rings", "kind='rings'"), ("tiles", "pass tile_size=")]:
        with pytest.raises(ValueError, match=message):
            draw(model, bags, 0, kind=kind)


def test_labels_of_other_bags(model, bags):
    with pytest.raises(ValueError, match="one label for each of the 3 bags"):
        draw(model, bags, 0, y=[1, 0])


@pytest.mark.parametrize("scores", [[1.0], [2.0, 2.0], [np.nan, 1.0]])
def test_one_instance_equal_scores_and_missing_scores(scores):
    coords = np.arange(2 * len(scores)).reshape(-1, 2)
    for center in (None, 0.0, 2.0):
        display = BagHeatmapDisplay(scores, coords, center=center).plot()
        display.figure_.canvas.draw()
