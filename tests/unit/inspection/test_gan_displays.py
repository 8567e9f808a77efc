"""Pictures of synthetic data: what is drawn is what was sampled or measured."""

from __future__ import annotations

import math
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.inspection import (
    CoverageDisplay,
    GANTrainingDisplay,
    SampleGridDisplay,
)
from mlmi_sklearn.inspection import coverage as coverage_
from mlmi_sklearn.inspection.gan_training import _BALANCE
from mlmi_sklearn.metrics import prdc
from mlmi_sklearn.nn.adversarial import LeastSquares, Minimax, NonSaturating

grid = SampleGridDisplay.from_estimator
grid_of = SampleGridDisplay.from_data
cover = CoverageDisplay.from_data


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


class Echo(BaseEstimator):
    """Draws images whose pixels all equal the label, or tables of it."""

    def __init__(self, shape=(4, 6)):
        self.shape = shape

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def sample(self, n_samples=1, y=None, *, condition=None, random_state=None):
        self.asked_ = {"n": n_samples, "y": y, "condition": condition}
        values = np.asarray(y, dtype=float) if condition is None else condition[:, 0]
        extra = (1,) * len(self.shape)
        return np.ones((n_samples, *self.shape)) * values.reshape(-1, *extra), y


def labelled_images(n=40, n_classes=4, shape=(4, 6)):
    """Return images whose pixels all equal their label."""
    y = np.arange(n) % n_classes
    return np.ones((n, *shape)) * y.reshape(-1, *(1,) * len(shape)), y


def canvas(axes):
    """Return the mosaic that was drawn."""
    return np.asarray(axes.images[0].get_array().filled(np.nan))


def points(axes):
    return np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections])


def entries(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# -- grids of images -------------------------------------------------------------------


def test_each_class_has_a_row_on_both_sides():
    X, y = labelled_images()
    display = grid(Echo().fit(X), X, y, n_columns=3)
    assert list(display.axes_) == ["real", "synthetic"]
    assert display.ax_ is display.axes_["synthetic"]
    for axes in display.axes_.values():
        rows = canvas(axes)
        assert rows.shape == (4 * 5 - 1, 3 * 7 - 1)
        for number in range(4):
            row = rows[5 * number : 5 * number + 4]
            inside = np.stack([row[:, 7 * k : 7 * k + 6] for k in range(3)])
            np.testing.assert_allclose(inside, number / 3)
            assert np.isnan(row[:, [6, 13]]).all()
    real, made = display.axes_.values()
    assert [t.get_text() for t in real.get_yticklabels()] == ["0", "1", "2", "3"]
    np.testing.assert_allclose(real.get_yticks(), [1.5, 6.5, 11.5, 16.5])
    assert not len(made.get_yticks())
    assert (real.get_title(), made.get_title()) == ("Real", "Synthetic")


def test_what_is_asked_is_what_the_real_ones_are():
    X, y = labelled_images()
    echo = Echo().fit(X)
    display = grid(echo, X, y.astype(str), n_columns=2)
    assert echo.asked_["n"] == 8
    np.testing.assert_array_equal(display.real[:, 0, 0], echo.asked_["y"].astype(int))


def test_conditions_go_with_their_images():
    X, _ = labelled_images(20, 20)
    echo = Echo().fit(X)
    display = grid(echo, X, condition=np.arange(20.0)[:, None], n_columns=3)
    assert len(display.real) == 12  # four rows without labels
    np.testing.assert_array_equal(display.real, display.synthetic)


def test_scales_are_those_of_the_real_images():
    rng = np.random.default_rng(0)
    X, made = rng.normal(100, 1, (2, 8, 5, 5))
    made = made + 50
    display = grid_of(X, made)
    sides = [canvas(axes) for axes in display.axes_.values()]
    assert 0.2 < np.nanmedian(sides[0]) < 0.8
    assert np.nanmin(sides[1]) == 1.0  # far brighter, and seen to be
    assert display.axes_["real"].images[0].get_clim() == (0, 1)


def test_colours_volumes_and_several_channels():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (6, 3, 5, 4)).astype(np.uint8)
    shown = canvas(grid_of(colours, colours, n_columns=6).axes_["real"])
    assert shown.shape == (5, 6 * 5 - 1, 3)
    assert (shown[:, 4] == 1).all()  # white between
    volumes = rng.normal(size=(6, 1, 3, 5, 4))
    slices = canvas(grid_of(volumes, volumes).axes_["real"])
    assert slices.shape[0] == 5
    two = rng.normal(size=(6, 2, 5, 4))
    assert canvas(grid_of(two, two).axes_["real"]).ndim == 2
    plain = np.full((6, 5, 4), 7.0)
    assert np.isfinite(canvas(grid_of(plain, plain).axes_["real"])).any()


def test_classes_with_few_images_leave_gaps():
    X, y = labelled_images(7, 4)
    rows = canvas(grid_of(X, X, y, y, n_columns=2).axes_["real"])
    assert np.isnan(rows[15:19, 7:]).all()
    np.testing.assert_allclose(rows[15:19, :6], 1.0)


def test_numbers_make_four_rows_by_size():
    X, y = labelled_images(40, 40)
    values = y + 0.5
    display = grid(Echo().fit(X), X, values, n_columns=2)
    assert display.names[0].startswith("0.5 to ")
    assert len(display.names) == 4
    assert (np.diff(display.groups_real) >= 0).all()
    highest = display.real[display.groups_real == 3]
    assert highest.min() >= 29


def test_the_same_seed_shows_the_same():
    X, _ = labelled_images(400, 1)
    X = X + np.arange(400)[:, None, None]
    first, again, other = (grid_of(X, X, random_state=s).real for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# -- tables ----------------------------------------------------------------------------


def test_points_are_the_columns_asked_for():
    X, y = load_iris(return_X_y=True, as_frame=True)
    made = X + 1.0
    wanted = ["petal width (cm)", 0]
    display = grid_of(X, made, y, y, columns=wanted)
    real, right = display.axes_.values()
    assert real.get_xlabel() == "petal width (cm)"
    assert real.get_ylabel() == "sepal length (cm)"
    expected = X[["petal width (cm)", "sepal length (cm)"]].to_numpy()
    drawn = points(real)
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, expected))
    moved = sorted(map(tuple, points(right) - 1))
    np.testing.assert_allclose(moved, sorted(map(tuple, expected)))
    assert entries(right) == ["0", "1", "2"]
    assert real.get_xlim() == right.get_xlim()
    assert real.get_xlim()[1] > made["petal width (cm)"].max()


def test_colours_are_those_of_the_classes():
    X, y = load_iris(return_X_y=True)
    display = grid_of(X, X, y, y)
    for axes in display.axes_.values():
        colours = [tuple(c.get_facecolor()[0][:3]) for c in axes.collections]
        assert len(set(colours)) == 3
        for group, part in enumerate(axes.collections):
            own = {tuple(row) for row in X[y == group, :2]}
            assert {tuple(row) for row in np.asarray(part.get_offsets())} <= own


def test_one_column_is_a_strip_by_class():
    X, y = load_iris(return_X_y=True)
    for table, column in ((X, 2), (X[:, 2:3], None)):
        axes = grid_of(table, table, y, y, columns=column).axes_["real"]
        drawn = points(axes)
        np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.sort(X[:, 2]))
        assert set(np.round(drawn[:, 1]).astype(int)) == {0, 1, 2}
        assert [t.get_text() for t in axes.get_yticklabels()] == ["0", "1", "2"]
    alone = grid_of(X[:, :1], X[:, :1]).axes_["real"]
    assert not len(alone.get_yticks())


def test_categories_and_gaps_are_drawn():
    frame = pd.DataFrame(
        {"sex": ["f", "m", None, "f"], "age": [1.0, np.nan, 3, 4], "old": [True] * 4}
    )
    made = frame.assign(sex=["x", "f", "m", "m"])
    axes = grid_of(frame, made).axes_["real"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["f", "m", "x"]
    seen = points(axes)
    whole = seen[np.isfinite(seen).all(axis=1)]
    assert sorted(np.round(whole[:, 0])) == [0, 0]
    assert sorted(whole[:, 1]) == [1, 4]
    assert grid_of(frame, made, columns="old").axes_["real"].get_xlabel() == "old"


def test_no_more_points_than_asked():
    X, y = load_iris(return_X_y=True)
    display = grid_of(X, X, y, y, max_points=30)
    assert len(points(display.axes_["real"])) == len(display.synthetic) == 30
    many = np.arange(150)
    axes = grid_of(X, X, many, many).axes_["synthetic"]
    assert axes.get_legend() is None
    assert len(points(axes)) == 150


# -- estimators ------------------------------------------------------------------------


def test_a_real_sampler_and_a_search():
    X, y = load_iris(return_X_y=True, as_frame=True)
    sampler = CGANSampler(max_iter=3, random_state=0).fit(X, y)
    display = grid(sampler, X, y)
    assert list(display.synthetic.columns) == list(X.columns)
    expected, _ = sampler.sample(5, y=0, random_state=0)
    assert display.synthetic.dtypes.equals(expected.dtypes)
    search = GridSearchCV(CGANSampler(), {})
    search.best_estimator_ = sampler
    pd.testing.assert_frame_equal(grid(search, X, y).synthetic, display.synthetic)
    GANTrainingDisplay.from_estimator(search)
    assert CoverageDisplay.from_estimator(search, X, y).scores["coverage"] <= 1


def test_samplers_that_take_no_labels():
    X, y = load_iris(return_X_y=True)
    for sampler in (GaussianMixture(2, random_state=0), KernelDensity()):
        display = grid(sampler.fit(X), X, y)
        assert display.names == [""]
        assert len(display.synthetic) == 150
        with pytest.raises(TypeError, match="sample takes no condition"):
            grid(sampler, X, condition=X)


def test_what_has_no_samples_is_refused():
    X, y = labelled_images()
    with pytest.raises(TypeError, match="has no method sample"):
        grid(BaseEstimator(), X)
    with pytest.raises(NotFittedError):
        grid(Echo(), X, y)
    with pytest.raises(NotFittedError):
        CoverageDisplay.from_estimator(GaussianMixture(), X.reshape(40, -1))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("X has 40 rows, but y has 3", {"y": [1, 2, 3]}),
        ("too many for a grid", {"y": np.arange(40)}),
        ("n_columns must be a whole number", {"n_columns": 0}),
        ("max_points must be a whole number", {"max_points": True}),
    ],
)
def test_bad_input_to_grids(message, change):
    X, y = labelled_images()
    with pytest.raises(ValueError, match=message):
        grid(Echo().fit(X), X, **{"y": y, **change})


def test_more_bad_input_to_grids():
    X, y = labelled_images()
    table = np.ones((40, 3))
    with pytest.raises(ValueError, match="they must agree"):
        grid_of(X, X[:, :, 1:])
    with pytest.raises(ValueError, match="both of y and y_synthetic"):
        grid_of(X, X, y)
    with pytest.raises(ValueError, match="but y_synthetic has 39"):
        grid_of(X, X, y, y[1:])
    with pytest.raises(ValueError, match="rows of a table or images"):
        grid_of(y, y)
    for columns in ("age", 3, -1, True):
        with pytest.raises(ValueError, match="is not a column of X"):
            grid_of(table, table, columns=columns)
    with pytest.raises(ValueError, match="one column or two"):
        grid_of(table, table, columns=[0, 1, 2])


# -- training --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    X, y = load_iris(return_X_y=True)
    options = {"max_iter": 400, "early_stopping": True, "random_state": 0}
    return CGANSampler(batch_size=16, **options).fit(X, y)


def line(axes, start):
    found = [ln for ln in axes.lines if str(ln.get_label()).startswith(start)]
    return found[0].get_xydata()


def test_curves_are_those_of_the_history(trained):
    display = GANTrainingDisplay.from_estimator(trained)
    history = trained.history_
    for player in ("discriminator", "generator"):
        expected = history[["step", f"{player}_loss"]]
        np.testing.assert_array_equal(line(display.ax_, player), expected)
    scores = history[["step", "valid_score"]].dropna()
    np.testing.assert_array_equal(line(display.score_ax_, "tstr"), scores)
    assert set(line(display.score_ax_, "kept")[:, 0]) == {trained.best_iter_}
    assert f"kept: step {trained.best_iter_}" in entries(display.ax_)


def test_lines_of_balance(trained):
    axes = GANTrainingDisplay.from_estimator(trained).ax_
    at = line(axes, "balance of the discriminator: log 2")[:, 1]
    np.testing.assert_allclose(at, math.log(2))
    at = line(axes, "balance of the generator: (log 2) / 2")[:, 1]
    np.testing.assert_allclose(at, math.log(2) / 2)


@pytest.mark.parametrize(
    ("loss", "half"), [(NonSaturating, 0.0), (Minimax, 0.0), (LeastSquares, 0.5)]
)
def test_balance_is_what_the_losses_have_at_one_half(loss, half):
    name = {LeastSquares: "lsgan"}.get(loss, loss.__name__.lower())
    even = torch.full((5,), half, dtype=torch.float64)
    judged, made, *_ = _BALANCE[name]
    assert float(loss().discriminator(even, even)) == pytest.approx(judged)
    assert float(loss().generator(even)) == pytest.approx(made)


def test_no_lines_where_there_is_no_balance(trained):
    history = trained.history_.drop(columns=["valid_score", "step"])
    for loss in ("wgan-gp", "hinge", "acgan", None, "plugin"):
        display = GANTrainingDisplay.from_history(history, loss=loss)
        assert len(display.ax_.lines) == 2
        assert display.score_ax_ is None
    assert line(display.ax_, "generator")[0, 0] == 1


def test_smoothing_moves_the_balance():
    X, y = load_iris(return_X_y=True)
    sampler = CGANSampler(max_iter=1).set_params(loss="nonsaturating")
    plain = GANTrainingDisplay.from_estimator(sampler.fit(X, y))
    assert len(plain.ax_.lines) == 4
    sampler.set_params(loss__smoothing=0.1).fit(X, y)
    assert len(GANTrainingDisplay.from_estimator(sampler).ax_.lines) == 2
    sampler.set_params(loss__smoothing=0.0)
    assert GANTrainingDisplay.from_estimator(sampler).loss == "nonsaturating"


def test_bad_input_to_training():
    with pytest.raises(TypeError, match="has no history_ with the losses"):
        GANTrainingDisplay.from_estimator(KernelDensity().fit(np.ones((3, 2))))
    with pytest.raises(NotFittedError):
        GANTrainingDisplay.from_estimator(CGANSampler())
    frame = pd.DataFrame({"discriminator_loss": [1.0]})
    with pytest.raises(ValueError, match=r"has no columns \['generator_loss'\]"):
        GANTrainingDisplay.from_history(frame)
    with pytest.raises(ValueError, match="has no row"):
        GANTrainingDisplay.from_history(frame.assign(generator_loss=1.0)[:0])


# -- coverage --------------------------------------------------------------------------


@pytest.fixture
def two_sets():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(60, 6))
    made = rng.normal(size=(60, 6)) + np.array([1.5, 0, 0, 0, 0, 0])
    return real, made


@pytest.mark.parametrize("k", [1, 5])
def test_marks_agree_with_the_metrics(two_sets, k):
    real, made = two_sets
    display = cover(real, made, n_neighbors=k, features="raw")
    scores = prdc(real, made, n_neighbors=k, features="raw")
    assert display.scores == pytest.approx(scores)
    assert display.covered.mean() == pytest.approx(scores["coverage"])
    assert display.realistic.mean() == pytest.approx(scores["precision"])
    assert 0 < display.covered.mean() < 1


def test_covered_rows_are_found_one_by_one(two_sets):
    real, made = two_sets
    display = cover(real, made, n_neighbors=3, features="raw")
    for number, row in enumerate(display.rows):
        gaps = np.sort(np.linalg.norm(real - real[row], axis=1))
        near = np.linalg.norm(made - real[row], axis=1).min() <= gaps[3]
        assert display.covered[number] == near


def test_legend_and_points(two_sets):
    display = cover(*two_sets)
    axes = display.ax_
    n = int(display.covered.sum()), int(display.realistic.sum())
    assert entries(axes) == [
        f"real, covered ({n[0]})",
        f"synthetic, realistic ({n[1]})",
        f"synthetic, not realistic ({60 - n[1]})",
        f"real, not covered ({60 - n[0]})",
    ]
    said = axes.get_legend().get_title().get_text()
    assert f"coverage {display.scores['coverage']:.2f}" in said
    assert f"recall {display.scores['recall']:.2f}" in said
    assert len(points(axes)) == 120
    missed = axes.collections[-1]
    assert tuple(missed.get_edgecolor()[0]) == to_rgba(coverage_._MISSED)
    np.testing.assert_array_equal(missed.get_offsets(), display.real[~display.covered])


def test_a_lost_mode_is_seen():
    X, y = load_iris(return_X_y=True)
    display = cover(X, np.tile(X[y > 0], (2, 1)) + 1e-3)
    lost = y[display.rows] == 0
    assert display.covered[lost].mean() < 0.05  # one flower has a very large ball
    assert display.covered[~lost].mean() > 0.9


def test_copies_and_far_samples():
    X, _ = load_iris(return_X_y=True)
    copies = cover(X, X)
    assert copies.covered.all()
    assert copies.realistic.all()
    far = cover(X, X + 100)
    assert not far.covered.any()
    assert not far.realistic.any()


def test_sizes_are_made_equal(two_sets):
    real, made = two_sets
    display = cover(real, made[:20], max_points=30, n_neighbors=2)
    assert len(display.real) == len(display.synthetic) == len(display.rows) == 20
    assert len(cover(real, made, max_points=30).real) == 30
    again = cover(real, made, max_points=30)
    other = cover(real, made, max_points=30, random_state=1)
    assert set(again.rows) != set(other.rows)


def test_rows_of_an_estimator_are_rows_of_the_data():
    X, y = labelled_images(40, 40, (3,))
    echo = Echo((3,)).fit(X)
    display = CoverageDisplay.from_estimator(
        echo, X, y, max_points=25, n_neighbors=2, features="raw"
    )
    assert len(set(display.rows)) == 25
    assert set(echo.asked_["y"]) == set(y[display.rows])
    assert display.covered.all()


def test_images_frames_and_projections(two_sets):
    real, made = two_sets
    images = cover(real.reshape(60, 2, 3), made.reshape(60, 2, 3))
    assert images.real.shape == (60, 2)
    frame = pd.DataFrame({"a": real[:, 0], "s": np.where(real[:, 1] > 0, "x", "y")})
    assert cover(frame, frame).covered.all()
    tsne = cover(real, made, projection="tsne")
    assert not len(tsne.ax_.get_xticks())
    np.testing.assert_array_equal(tsne.real, cover(real, made, projection="tsne").real)
    two = cover(real[:, :2], made[:, :2], features="raw")
    np.testing.assert_array_equal(two.real, real[two.rows, :2])


def test_bad_input_to_coverage(two_sets):
    real, made = two_sets
    with pytest.raises(ValueError, match="projection must be one of"):
        cover(real, made, projection="umap")
    with pytest.raises(ValueError, match="n_neighbors must be"):
        cover(real, made, n_neighbors=60)
    with pytest.raises(ValueError, match="max_points must be"):
        cover(real, made, max_points=0)
    with pytest.raises(ValueError, match="X has 60 rows, but y has 2"):
        CoverageDisplay.from_estimator(Echo((6,)).fit(real), real, [1, 2])


# -- where to draw ---------------------------------------------------------------------


def test_given_axes_leave_pyplot_alone(two_sets, trained):
    real, made = two_sets
    axes = Figure().subplots(2, 2)
    assert cover(real, made, ax=axes[0, 0]).figure_ is axes[0, 0].figure
    assert GANTrainingDisplay.from_estimator(trained, ax=axes[0, 1]).ax_ is axes[0, 1]
    pair = grid_of(real, made, ax=axes[1])
    assert list(pair.axes_.values()) == list(axes[1])
    assert not plt.get_fignums()


def test_one_pair_of_axes_is_shared(two_sets):
    ax = Figure().subplots()
    display = grid_of(*two_sets, ax=ax)
    assert display.axes_["real"] in ax.child_axes
    assert len(ax.child_axes) == 2
    assert not ax.axison
    with pytest.raises(ValueError, match="ax must be one Axes or two, got 3"):
        grid_of(*two_sets, ax=Figure().subplots(1, 3))


def test_displays_draw_again(two_sets, trained):
    shown = [
        grid_of(*two_sets), cover(*two_sets), GANTrainingDisplay.from_estimator(trained)
    ]  # fmt: skip
    for display in shown:
        first = display.figure_
        assert display.plot() is display
        assert display.figure_ is not first
        display.figure_.canvas.draw()


def test_data_are_not_changed(two_sets):
    real, made = two_sets
    before = real.copy(), made.copy()
    grid_of(real, made)
    cover(real, made)
    np.testing.assert_array_equal(real, before[0])
    np.testing.assert_array_equal(made, before[1])


def test_no_torch_is_needed():
    code = (
        "import sys, mlmi_sklearn.inspection as i; i.CoverageDisplay; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
