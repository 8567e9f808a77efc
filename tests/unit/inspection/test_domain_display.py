"""The picture of adaptation: what is drawn is what the estimator recorded."""

from __future__ import annotations

import subprocess
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import DANNClassifier, DANNRegressor, MMEClassifier
from mlmi_sklearn.containers.domains import Domains
from mlmi_sklearn.inspection import DomainDiagnosticsDisplay
from mlmi_sklearn.inspection import _domain_panels as panels_
from mlmi_sklearn.inspection._projections import project, rows_to_show

show = DomainDiagnosticsDisplay.from_estimator
SIX = {
    "losses", "critic", "inputs_by_domain", "features_by_domain",
    "inputs_by_class", "features_by_class",
}  # fmt: skip


class Recorded(BaseEstimator):
    """Keeps a made-up record of adapting; its features are twice its inputs."""

    target_domains = None

    def fit(self, X, y=None):
        self.history_ = pd.DataFrame(
            {
                "epoch": [1, 2, 3],
                "train_loss": [3.0, 2.0, 1.25],
                "domain_loss": [0.7, 0.6, 0.65],
                "discriminator_accuracy": [0.9, 0.8, 0.35],
            }
        )
        self.lambda_path_ = np.array([0.1, 0.2, 0.3])
        self.adaptation_report_ = {"verdict": "It went as it went."}
        return self

    def transform(self, X):
        return 2 * np.asarray(X)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(40, 4)),
        np.arange(40) % 3,
        np.repeat([0, 5, -1], [10, 10, 20]),
    )


@pytest.fixture
def model(data):
    return Recorded().fit(data[0])


def points(axes):
    """Return all points of some axes, in the order drawn."""
    return np.concatenate([c.get_offsets() for c in axes.collections])


def entries(axes):
    """Return the texts of a legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def line(axes, start):
    """Return the data of the line whose label begins so."""
    found = [ln for ln in axes.lines if str(ln.get_label()).startswith(start)]
    return found[0].get_xydata()


# -- curves --------------------------------------------------------------------------


def test_losses_are_those_of_the_history(model, data):
    axes = show(model, *data).axes_["losses"]
    np.testing.assert_array_equal(line(axes, "labels"), [[1, 3.0], [2, 2.0], [3, 1.25]])
    np.testing.assert_array_equal(
        line(axes, "domains"), [[1, 0.7], [2, 0.6], [3, 0.65]]
    )
    assert entries(axes) == ["labels (last 1.25)", "domains (last 0.65)"]
    assert axes.get_ylim()[0] == 0


def test_a_validation_loss_is_drawn_and_a_negative_one_not_cut_off(model, data):
    model.history_["valid_loss"] = [2.0, 1.0, 1.5]
    model.history_["domain_loss"] = [-2.0, -3.0, -4.0]
    axes = show(model, *data).axes_["losses"]
    assert "labels, held out (last 1.5)" in entries(axes)
    assert axes.get_ylim()[0] < -4


def test_the_critic_stands_against_chance_with_lambda_beside(model, data):
    display = show(model, *data)
    axes = display.axes_["critic"]
    assert line(axes, "discriminator")[:, 1].tolist() == [0.9, 0.8, 0.35]
    assert set(line(axes, "chance")[:, 1]) == {0.5}
    low, high = axes.get_ylim()
    assert low < 0.35
    assert high > 1
    right = next(
        ax
        for ax in display.figure_.axes
        if ax not in display.axes_.values() and ax.lines
    )
    assert line(right, "lambda").tolist() == [[1, 0.1], [2, 0.2], [3, 0.3]]
    assert entries(axes) == ["chance", "discriminator accuracy", "lambda (right)"]


def test_without_a_critic_the_linear_classifier_is_shown(model, data):
    del model.history_["discriminator_accuracy"]
    model.discriminator_accuracy_ = 0.8
    axes = show(model, *data).axes_["critic"]
    assert line(axes, "linear classifier").tolist() == [[3, 0.8]]


def test_without_a_target_there_is_no_critic(model, data):
    for path in ([], [0.0, 0.0, 0.0]):
        model.lambda_path_ = np.array(path)
        axes = show(model, *data).axes_["critic"]
        assert not axes.lines
        assert axes.texts[0].get_text().endswith("there is no critic.")
    model.discriminator_accuracy_ = 0.912
    axes = show(model, *data).axes_["critic"]
    assert axes.texts[0].get_text().endswith("balanced accuracy 0.91.")


# -- points --------------------------------------------------------------------------


def test_points_are_the_principal_components(model, data):
    X, _, sample_domain = data
    display = show(model, *data)
    for which, factor in (("inputs", 1), ("features", 2)):
        pca = PCA(2, svd_solver="full").fit(factor * X)
        places, names = display.projections[which]
        np.testing.assert_allclose(places, pca.transform(factor * X))
        first = 100 * pca.explained_variance_ratio_[0]
        assert names[0] == f"PC 1 ({first:.0f} %)"
        drawn = points(display.axes_[f"{which}_by_domain"])
        order = [np.flatnonzero(sample_domain == d) for d in (0, 5, -1)]
        np.testing.assert_allclose(drawn, places[np.concatenate(order)])


def test_sources_are_cold_circles_and_targets_warm_triangles(model, data):
    axes = show(model, *data).axes_["inputs_by_domain"]
    assert entries(axes) == ["source 0", "source 5", "target -1"]
    colours = [tuple(c.get_facecolor()[0][:3]) for c in axes.collections]
    assert colours == [
        to_rgba(c)[:3] for c in (*panels_._SOURCES[:2], panels_._TARGETS[0])
    ]
    corners = [len(c.get_paths()[0].vertices) for c in axes.collections]
    assert corners[0] == corners[1] > corners[2] == 4


def test_classes_have_one_colour_in_both_domains(model, data):
    axes = show(model, *data).axes_["features_by_class"]
    assert entries(axes) == ["0", "1", "2"]
    colours = [tuple(c.get_facecolor()[0]) for c in axes.collections]
    assert colours[:3] == colours[3:]
    assert len(set(colours)) == 3
    assert len(points(axes)) == 40


def test_points_without_a_label_are_grey_and_all_are_drawn(model, data):
    X, y, sample_domain = data
    hidden = np.where(sample_domain < 0, -1, y)
    display = show(model, X, hidden)  # the marker says what the target is
    np.testing.assert_array_equal(display.domains.is_target, sample_domain < 0)
    axes = display.axes_["inputs_by_class"]
    assert sorted(entries(axes)) == ["0", "1", "2", "no label"]
    grey = [
        c for c in axes.collections
        if tuple(c.get_facecolor()[0][:3]) == to_rgba(panels_._UNKNOWN)[:3]
    ]  # fmt: skip
    assert sum(len(c.get_offsets()) for c in grey) == 20
    assert len(points(axes)) == 40


@pytest.mark.parametrize("kind", [object, str, bool])
def test_other_kinds_of_labels(model, data, kind):
    X, y, sample_domain = data
    labels = (y > 0) if kind is bool else y.astype(str).astype(kind)
    if kind is object:
        labels[-3:] = None
    axes = show(model, X, labels, sample_domain).axes_["inputs_by_class"]
    assert len(points(axes)) == 40


def test_numbers_are_shades_with_a_bar(model, data):
    X, _, sample_domain = data
    values = X[:, 0].copy()
    values[-5:] = np.nan
    display = show(model, X, values, sample_domain)
    axes = display.axes_["inputs_by_class"]
    shades = [c.get_array() for c in axes.collections if c.get_array() is not None]
    np.testing.assert_array_equal(np.concatenate(shades), values[:-5])
    limits = {c.get_clim() for c in axes.collections if c.get_array() is not None}
    assert limits == {(values[:-5].min(), values[:-5].max())}
    display.figure_.canvas.draw()


def test_many_classes_have_no_legend(model, data):
    X, _, sample_domain = data
    axes = show(model, X, np.arange(40), sample_domain).axes_["inputs_by_class"]
    assert axes.get_legend() is None
    assert len({tuple(c.get_facecolor()[0]) for c in axes.collections}) == 40


def test_two_columns_are_shown_as_they_are(data):
    X = data[0][:, :2]
    model = Recorded().fit(X)
    places, names = show(model, X, *data[1:]).projections["inputs"]
    np.testing.assert_array_equal(places, X)
    assert names == ("first column", "second column")
    places, _ = project(X[:, :1], "tsne", 0)
    np.testing.assert_array_equal(places, np.column_stack([X[:, 0], np.zeros(40)]))


def test_constant_vectors_have_a_place(recwarn):
    places, names = project(np.ones((6, 4)), "pca", 0)
    np.testing.assert_array_equal(places, np.zeros((6, 2)))
    assert names == ("PC 1 (0 %)", "PC 2 (0 %)")


@pytest.mark.parametrize("n", [4, 40])
def test_tsne_repeats_itself(data, n):
    first, names = project(data[0][:n], "tsne", 0)
    again, _ = project(data[0][:n], "tsne", 0)
    np.testing.assert_array_equal(first, again)
    assert first.shape == (n, 2)
    assert names == ("", "")


def test_legends_cover_no_points(model, data):
    display = show(model, *data)
    display.figure_.canvas.draw()
    for axes in display.axes_.values():
        if axes.get_legend() is not None:
            legend = axes.get_legend().get_window_extent()
            assert not legend.overlaps(axes.get_window_extent())


# -- which rows ----------------------------------------------------------------------


def test_rows_are_drawn_evenly_from_the_domains():
    ids = np.repeat([0, 1, -1], [500, 30, 7])
    rows = rows_to_show(Domains(ids, ids < 0), 60, 0)
    assert len(rows) == len(set(rows)) == 60
    assert (np.diff(rows) > 0).all()
    values, counts = np.unique(ids[rows], return_counts=True)
    counts = dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert counts[-1] == 7
    assert abs(counts[0] - counts[1]) <= 1
    np.testing.assert_array_equal(rows, rows_to_show(Domains(ids, ids < 0), 60, 0))
    assert rows.tolist() != rows_to_show(Domains(ids, ids < 0), 60, 1).tolist()
    assert rows_to_show(Domains(ids, ids < 0), 537, 0).tolist() == list(range(537))


def test_labels_and_domains_follow_the_rows(model, data):
    X, y, sample_domain = data
    X = np.column_stack([y, sample_domain])
    display = show(model, X, y, sample_domain, max_points=9, random_state=3)
    places = display.projections["inputs"][0]
    np.testing.assert_array_equal(places[:, 0], display.labels)
    np.testing.assert_array_equal(places[:, 1], display.domains.ids)
    assert len(places) == 9


# -- estimators ----------------------------------------------------------------------


def fitted(estimator, X, y, sample_domain):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y, sample_domain)


@pytest.mark.parametrize("divergence", ["dann", "mmd"])
def test_a_real_classifier(data, divergence):
    model = fitted(DANNClassifier(divergence=divergence, max_epochs=2), *data)
    display = show(model, *data)
    assert set(display.axes_) == SIX
    assert display.verdict == model.adaptation_report_.verdict
    assert display.text_.get_text().replace("\n", " ") == display.verdict
    np.testing.assert_array_equal(display.lambda_path, model.lambda_path_)
    expected = PCA(2, svd_solver="full").fit_transform(
        model.transform(data[0]).astype(float)
    )
    np.testing.assert_allclose(display.projections["features"][0], expected, atol=1e-6)


def test_few_labels_and_no_target(data):
    X, y, sample_domain = data
    some = np.where((sample_domain < 0) & (np.arange(40) > 25), -1, y)
    show(fitted(MMEClassifier(max_epochs=2), X, some, sample_domain), *data)
    alone = fitted(DANNClassifier(max_epochs=2, lambda_=0), *data)
    axes = show(alone, *data).axes_["critic"]
    assert "source alone" in axes.texts[0].get_text()


def test_numbers_may_be_minus_one(data):
    X, y, sample_domain = data
    values = y - 1
    model = fitted(DANNRegressor(max_epochs=2), X, values.astype(float), sample_domain)
    display = show(model, X, values, sample_domain)
    assert display.known.all()


def test_a_pipeline_shows_what_its_last_step_sees(data):
    X, y, sample_domain = data
    pipe = make_pipeline(StandardScaler(), DANNClassifier(max_epochs=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.fit(X, y, dannclassifier__sample_domain=sample_domain)
    display = show(pipe, X, y, sample_domain)
    expected = PCA(2, svd_solver="full").fit_transform(pipe[0].transform(X))
    np.testing.assert_allclose(display.projections["inputs"][0], expected)
    search = GridSearchCV(pipe, {})
    search.best_estimator_ = pipe
    again = show(search, X, y, sample_domain)
    np.testing.assert_allclose(again.projections["inputs"][0], expected)
    alone = make_pipeline(pipe[-1])
    show(alone, X, y, sample_domain)


def test_named_domains_images_and_sparse_rows(data):
    X, y, sample_domain = data
    names = np.array(["here", "there"])[(sample_domain < 0).astype(int)]
    model = DANNClassifier(max_epochs=1, target_domains=["there"])
    display = show(fitted(model, X, y, names), X, y, names)
    legend = entries(display.axes_["inputs_by_domain"])
    assert legend == ["source here", "target there"]
    frame = pd.DataFrame(X, columns=list("abcd"))
    dense = display.projections["inputs"][0]
    for rows in (sparse.csr_matrix(X), frame):
        model = DANNClassifier(max_epochs=1)
        same = show(fitted(model, rows, y, sample_domain), rows, y, sample_domain)
        np.testing.assert_allclose(same.projections["inputs"][0], dense)
    images = X.reshape(40, 2, 2)
    model = Recorded().fit(images)
    same = show(model, images, y, sample_domain)
    np.testing.assert_allclose(same.projections["inputs"][0], dense)


# -- where to draw -------------------------------------------------------------------


def test_without_labels_there_are_no_classes(model, data):
    X, _, sample_domain = data
    display = show(model, X, sample_domain=sample_domain)
    assert list(display.axes_) == [
        "losses", "critic", "inputs_by_domain", "features_by_domain",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'inputs_by_class' needs labels; pass y"):
        display.plot(panels=["inputs_by_class"])


def test_given_axes_leave_pyplot_alone(model, data):
    axes = Figure().subplots(1, 2)
    panels = ["inputs_by_domain", "features_by_domain"]
    display = show(model, *data, panels=panels, axes=axes)
    assert list(display.axes_) == panels
    assert list(display.axes_.values()) == list(axes)
    assert display.text_ is None
    assert display.figure_ is axes[0].figure
    assert not plt.get_fignums()


def test_a_display_draws_again(model, data):
    display = show(model, *data)
    first = display.figure_
    assert display.plot(panels="losses") is display
    assert display.figure_ is not first
    assert list(display.axes_) == ["losses"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projection": "umap"}, "projection must be one of"),
        ({"max_points": 1}, "max_points"),
        ({"panels": ["loss"]}, "panels must be among"),
        ({"panels": []}, "one or more, each once"),
        ({"panels": ["losses", "losses"]}, "one or more, each once"),
        ({"axes": []}, "axes must hold one for each of the 6 panels"),
    ],
)
def test_bad_options(model, data, options, message):
    with pytest.raises(ValueError, match=message):
        show(model, *data, **options)


def test_bad_rows(model, data):
    X, y, sample_domain = data
    with pytest.raises(ValueError, match="sample_domain is needed"):
        show(model, X, y)
    with pytest.raises(ValueError, match="X has 40 rows, but y has 39"):
        show(model, X, y[1:], sample_domain)
    with pytest.raises(ValueError, match="sample_domain has shape"):
        show(model, X, y, sample_domain[1:])


def test_bad_estimators(data):
    with pytest.raises(TypeError, match="LogisticRegression has no transform"):
        show(LogisticRegression().fit(*data[:2]), *data)
    with pytest.raises(TypeError, match="StandardScaler has no history_"):
        show(StandardScaler().fit(data[0]), *data)
    with pytest.raises(NotFittedError):
        show(DANNClassifier(), *data)


def test_no_torch_is_needed():
    code = (
        "import sys; from mlmi_sklearn.inspection import DomainDiagnosticsDisplay; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
