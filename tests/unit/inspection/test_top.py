import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import Bags, InstanceWise, TileGrid
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.inspection import TopInstancesDisplay, top_instances
from mlmi_sklearn.inspection._drawing import NEGATIVE, POSITIVE

show = TopInstancesDisplay.from_estimator


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def frames(display):
    colours = {POSITIVE: [], NEGATIVE: []}
    for patch in display.ax_.patches:
        if isinstance(patch, Rectangle) and not patch.get_fill():
            for name, found in colours.items():
                if np.allclose(
                    patch.get_edgecolor(), plt.matplotlib.colors.to_rgba(name)
                ):
                    found.append(patch)
    return len(colours[POSITIVE]), len(colours[NEGATIVE])


def test_the_table_lists_the_best_of_each_bag(model, bags):
    table = top_instances(model, bags, k=4)
    assert table["bag"].tolist() == [0] * 4 + [1] * 3 + [2] * 4
    assert table["bag_id"].tolist() == ["x"] * 4 + ["y"] * 3 + ["z"] * 4
    assert table["rank"].tolist() == [1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 4]
    for number, rows in table.groupby("bag"):
        scores = bags[number][:, 0]
        np.testing.assert_array_equal(rows["score"], np.sort(scores)[::-1][: len(rows)])
        np.testing.assert_array_equal(scores[rows["instance"]], rows["score"])
        where = bags[[number]].coords[rows["instance"]]
        np.testing.assert_array_equal(rows[["x", "y"]], where)
        labels = bags[[number]].y_instances[rows["instance"]]
        np.testing.assert_array_equal(rows["y_instance"], labels)
        weights = model.attention(bags)[number][rows["instance"]]
        np.testing.assert_array_equal(rows["attention"], weights)


def test_columns_that_are_not_known_are_left_out(model):
    table = top_instances(model, [np.ones((3, 2)), np.zeros((2, 2))], k=1)
    assert list(table) == ["bag", "rank", "instance", "score", "attention"]
    assert list(top_instances(model, [np.ones((3, 2))], method="attention")) == [
        "bag", "rank", "instance", "score",
    ]  # fmt: skip
    deep = Bags(np.ones((2, 1)), [2], coords=np.ones((2, 3)))
    assert {"coord_0", "coord_1", "coord_2"} <= set(top_instances(model, deep))


def test_equal_scores_keep_the_order_of_the_bag(model):
    bags = Bags(np.array([[1.0], [2.0], [2.0], [1.0], [2.0]]), [5])
    assert top_instances(model, bags, k=4)["instance"].tolist() == [1, 2, 4, 0]


def test_some_bags_in_any_order(model, bags):
    table = top_instances(model, bags, k=1, indices=["z", 0, -2, 0])
    assert table["bag"].tolist() == [2, 0, 1, 0]
    assert top_instances(model, bags, k=1, indices=1)["bag"].tolist() == [1]


@pytest.mark.parametrize("k", [0, -1, 1.5, "2", True, None])
def test_bad_k(model, bags, k):
    with pytest.raises(ValueError, match="k="):
        top_instances(model, bags, k)
    with pytest.raises(ValueError, match="k="):
        show(model, bags, k)


def test_bags_that_are_not_there(model, bags):
    with pytest.raises(BagError, match="index=7"):
        top_instances(model, bags, indices=[0, 7])
    with pytest.raises(BagError, match="index='w'"):
        top_instances(model, bags, indices="w")
    with pytest.raises(ValueError, match="indices is empty"):
        top_instances(model, bags, indices=[])
    with pytest.raises(TypeError, match="StandardScaler has no such method"):
        top_instances(StandardScaler(), bags)


def test_sparse_instances(model, bags):
    FirstFeature = type(model)

    class Sparse(FirstFeature):
        def instance_scores(self, X):
            return [bag.toarray()[:, 0] for bag in X]

    table = top_instances(model, bags, 2)
    holds = bags.with_values(sparse.csr_array(bags.values))
    pd.testing.assert_frame_equal(top_instances(Sparse().fit(None), holds, 2), table)
    assert show(Sparse().fit(None), holds, 2).instances.shape == (6, 4)


def test_images_are_shown_best_first_with_their_scores(model):
    rng = np.random.default_rng(0)
    bags = Bags(rng.random((7, 5, 6)), [4, 3], y_instances=[0, 1, 0, 1, 0, 0, -1])
    display = show(model, bags, 2, y=["no", "yes"])
    order = np.argsort(-bags.values[:4, 0, 0])[:2]
    for shown, expected in zip(display.ax_.images[:2], bags.values[order], strict=True):
        np.testing.assert_array_equal(shown.get_array(), expected)
    limits = {shown.get_clim() for shown in display.ax_.images}
    assert len(display.ax_.images) == 4
    assert len(limits) == 1
    assert f"{bags.values[order[0], 0, 0]:.2f}" in texts(display)
    assert "Bag 1" in texts(display)
    assert any(text.startswith("label yes\nscore = ") for text in texts(display))
    known = display.table["y_instance"]
    assert frames(display) == ((known == 1).sum(), (known == 0).sum())
    assert "Number below: instance score" in texts(display)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((3, 5, 6), (5, 6, 3)),
        ((5, 6, 3), (5, 6, 3)),
        ((1, 5, 6), (5, 6)),
        ((2, 5, 6), (5, 6)),
        ((4, 5, 6), (5, 6, 4)),
        ((5, 6), (5, 6)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_any_layout_of_images(shape, shown, dtype):
    values = (np.random.default_rng(0).random((1, *shape)) * 2).astype(dtype)
    table = pd.DataFrame({"bag": [0], "rank": [1], "score": [0.5]})
    display = TopInstancesDisplay(table, values).plot()
    assert display.ax_.images[0].get_array().shape == shown
    display.figure_.canvas.draw()


def test_flattened_images_are_given_their_shape(model):
    bags = Bags(np.arange(24.0).reshape(2, 12), [2])
    display = show(model, bags, 1, image_shape=(3, 4))
    np.testing.assert_array_equal(
        display.ax_.images[0].get_array(), bags.values[1].reshape(3, 4)
    )
    for wrong in ((3, 5), (12,)):
        with pytest.raises(ValueError, match="image_shape="):
            show(model, bags, 1, image_shape=wrong)


def test_instances_are_shown_as_they_were_before_the_pipeline(model, bags):
    pipe = make_pipeline(InstanceWise(StandardScaler()), model).fit(bags, [0, 1, 1])
    display = show(pipe, bags, 1)
    best = [s.argmax() for s in model.instance_scores(bags)]
    expected = [bags[i][b] for i, b in enumerate(best)]
    np.testing.assert_array_equal(display.instances, expected)


def test_tiles_of_a_pipeline_are_shown(model):
    image = np.zeros((16, 24))
    image[8:, 16:] = 3.0
    pipe = make_pipeline(TileGrid(8, tissue=None), model).fit([image], [1])
    display = show(pipe, [image, image], 1)
    assert display.table[["x", "y"]].values.tolist() == [[16, 8]] * 2
    np.testing.assert_array_equal(display.instances, np.full((2, 8, 8), 3.0))


def test_vectors_show_what_stands_out(model, bags):
    display = show(model, bags, 1, indices=[1], n_features=2)
    away = (display.instances[0] - bags[1].mean(axis=0)) / bags[1].std(axis=0)
    first, second = np.argsort(-np.abs(away))[:2]
    names = [*bags.feature_names[:3], "a_very_long_fea…"]
    found = texts(display)
    assert names[first] in found
    assert names[second] in found
    assert f"{away[first]:+.1f}" in found
    assert sum(name in found for name in names) == 2


def test_constant_features_do_not_stand_out(model):
    bags = Bags(np.column_stack([np.arange(4.0), np.ones(4)]), [4])
    display = show(model, bags, 1)
    display.figure_.canvas.draw()
    assert "+0.0" in texts(display)
    assert "feature 1" in texts(display)


def test_the_first_five_bags_unless_told_otherwise(model):
    bags = Bags(np.arange(8.0)[:, None], [1] * 8)
    assert show(model, bags, 3).table["bag"].tolist() == [0, 1, 2, 3, 4]
    assert show(model, bags[:2], 3).table["bag"].tolist() == [0, 1]


def test_the_same_bag_twice_is_two_rows(model, bags):
    display = show(model, bags, 2, indices=[1, 1])
    assert [t for t in texts(display) if t.startswith("Bag")] == ["Bag y", "Bag y"]


def test_given_axes_leave_pyplot_alone(model, bags):
    axes = Figure().subplots()
    assert show(model, bags, 2, ax=axes).ax_ is axes
    assert not plt.get_fignums()


def test_several_classes(three, bags):
    display = show(three, bags, 1, indices=[0, 1])
    winners = three.predict(bags)[:2]
    for row, winner in enumerate(winners):
        column = "abc".index(winner)
        assert display.table["score"][row] == bags[row][:, column].max()
        assert any(f"P({winner}) = " in text for text in texts(display))


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        (np.zeros((2, 3)), "instances has 2 entries, but table has 1 rows"),
        (np.zeros(1), "neither vectors nor images"),
    ],
)
def test_bad_displays(instances, message):
    table = pd.DataFrame({"bag": [0], "rank": [1], "score": [0.5]})
    with pytest.raises(ValueError, match=message):
        TopInstancesDisplay(table, instances).plot()
