"""Pictures: valid files in both themes, and no trace in the user's session."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlmi_sklearn.demo.chapters.mil.bag_pictures import bag_panel, per_cent
from mlmi_sklearn.demo.chapters.mil.slide_pictures import slide_panel
from mlmi_sklearn.demo.chapters.mil.slopes import _spread, slopes_panel
from mlmi_sklearn.demo.content import Metric, Scores
from mlmi_sklearn.demo.pictures import DARK, LIGHT, dots_panel, loss_panel, render


def rows(n):
    rng = np.random.default_rng(0)
    names = (("net", True), ("other net", True), ("simple", False))
    return tuple(Scores(name, ours, {"auc": rng.random(n)}) for name, ours in names)


def bag(n, labels=None):
    rng = np.random.default_rng(n)
    labels = np.zeros(n, int) if labels is None else np.array(labels)
    return bag_panel(4, rng.random((n, 8, 8)), 0.25, rng.random(n), labels)


def losses():
    return {"net": pd.DataFrame([[0.7, 0.3], [0.8, 0.2]])}


def slide(labels=(0, 1, 1)):
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(18, 18, 3), dtype=np.uint8)
    coords = np.array([[0, 0], [9, 0], [9, 9]])
    chance = np.array([0.6, 0.2, 0.9])
    return slide_panel(4, image, coords, 0.25, chance, np.array(labels))


def slopes():
    found = {"a-test_train_auc": np.ones(2), "a-test_test_auc": np.array([0.1, 0.3])}
    rows = [Scores(name, name == "net", found) for name in ("net", "a", "b", "c")]
    return slopes_panel("a-test", rows, 0.7)


PANELS = {
    "slide": slide,
    "slopes": slopes,
    "dots": lambda: dots_panel("dots", rows(10), Metric("auc", "AUC")),
    "loss": lambda: loss_panel("loss", losses()),
    "bag": lambda: bag(7, [0, 1, 0, 0, 0, 0, 0]),
}


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_a_panel_is_a_picture_on_the_theme_s_ground(name, theme):
    image = Image.open(io.BytesIO(render(PANELS[name](), theme))).convert("RGB")
    ground = matplotlib.colors.to_hex(np.array(image.getpixel((0, 0))) / 255)
    assert image.format is None or image.format == "PNG"
    assert image.width == 680
    assert ground == theme.background
    assert len(image.getcolors(2**20)) > 10


def test_drawing_leaves_settings_and_figures_alone():
    from matplotlib._pylab_helpers import Gcf

    matplotlib.rcParams["lines.linewidth"] = 7.5
    before, figures = dict(matplotlib.rcParams), dict(Gcf.figs)
    try:
        render(PANELS["dots"](), DARK)
        assert dict(matplotlib.rcParams) == before
        assert dict(Gcf.figs) == figures
    finally:
        matplotlib.rcdefaults()


def test_a_style_of_the_user_s_does_not_show():
    plain = render(PANELS["dots"](), LIGHT)
    with matplotlib.rc_context({"lines.linewidth": 9.0, "font.size": 22}):
        assert render(PANELS["dots"](), LIGHT) == plain


def test_dots_are_described():
    alt = dots_panel("dots", rows(10), Metric("auc", "AUC")).alt
    assert alt.startswith("Dot plot of AUC by method, mean ± sd: net 0.")
    assert alt.count("±") == 4


def test_losses_are_described():
    assert "net from 0.75 to 0.250" in loss_panel("loss", losses()).alt


def test_scores_outside_the_usual_range_are_drawn():
    low = (Scores("bad", True, {"auc": np.array([0.0, 0.02])}),)
    assert render(dots_panel("dots", low, Metric("auc", "AUC")), LIGHT)


# -- bags ----------------------------------------------------------------------------


def test_a_positive_bag_is_described_with_its_true_images():
    labels, chances = np.array([0, 1, 1]), np.array([0.3, 0.999, 0.001])
    alt = bag_panel(0, np.zeros((3, 8, 8)), 0.999, chances, labels).alt
    assert alt == (
        "Bag 1: positive, scored >99 %. It has 3 images. "
        "The true nines get >99 %, <1 %. The highest of the others gets 30 %."
    )


def test_a_negative_bag_and_a_bag_of_nines_are_described():
    zeros = np.zeros(2, int)
    assert "true" not in bag_panel(0, np.zeros((2, 8, 8)), 0.1, zeros + 0.1, zeros).alt
    nines = bag_panel(0, np.zeros((2, 8, 8)), 0.9, zeros + 0.9, zeros + 1).alt
    assert "others" not in nines


@pytest.mark.parametrize("n", [1, 5, 6, 16])
def test_bags_of_any_size_fit(n):
    heights = [Image.open(io.BytesIO(render(bag(k), LIGHT))).height for k in (1, n)]
    n_rows = -(-n // 5)
    assert heights[1] - heights[0] == pytest.approx((n_rows - 1) * 164, abs=2)


@given(st.floats(0, 1))
def test_a_probability_is_rounded_but_never_to_certainty(probability):
    text = per_cent(probability)
    assert text not in ("0 %", "100 %")
    if text[0].isdigit():
        assert abs(float(text.removesuffix(" %")) - 100 * probability) <= 0.51


def test_a_slide_says_in_words_what_it_shows():
    assert slide().alt == (
        "Slide 5: positive, scored 25 %. It has 3 tiles, 2 of them scored 50 % or "
        "more. The lesion has 2 tiles, 1 of them scored so."
    )
    assert "negative" in slide((0, 0, 0)).alt
    assert "lesion" not in slide((0, 0, 0)).alt


def test_slopes_say_both_ends():
    assert "net from 1.00 to 0.20; a from 1.00 to 0.20" in slopes().alt


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_names_beside_lines_stay_apart_and_in_order(values):
    heights = np.array(_spread(values))
    order = np.argsort(-np.array(values), kind="stable")
    assert (np.diff(heights[order]) <= -0.085 + 1e-9).all()
    assert heights.max() <= 1.06 + 1e-9
    assert heights.min() >= -0.04 - 1e-9
