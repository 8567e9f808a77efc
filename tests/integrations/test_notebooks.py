"""Pictures of estimators, displays and progress bars, as notebooks show them."""

from __future__ import annotations

import inspect
import io
import re
import sys
from contextlib import redirect_stderr

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlmi_sklearn
from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    MILClassifier,
    NetClassifier,
    all_estimators,
    inspection,
)
from mlmi_sklearn.components import doclink

URL = "https://mlmi-sklearn.readthedocs.io/en/latest/api/generated/mlmi_sklearn."
PUBLIC = [
    name
    for name in mlmi_sklearn.__all__
    if inspect.isclass(getattr(mlmi_sklearn, name))
    and issubclass(getattr(mlmi_sklearn, name), BaseEstimator)
    and name != "RegularizedLoss"
]


@pytest.fixture(autouse=True)
def _documented(monkeypatch):
    # Metadata of an older installation would not say where the pages are.
    url = URL.partition("api/")[0]
    monkeypatch.setattr(doclink, "documentation_url", lambda: url)


def blank(name):
    """Return an instance without running its constructor: links need none."""
    cls = getattr(mlmi_sklearn, name)
    return cls.__new__(cls)


def test_the_list_is_whole():
    assert {name for name, _ in all_estimators()} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_estimator_leads_to_its_page(name):
    assert blank(name)._get_doc_link() == f"{URL}{name}.html"


def test_other_classes_have_no_page_here(monkeypatch):
    mine = type("Mine", (NetClassifier,), {"__module__": "hospital.nets"})
    assert mine()._get_doc_link() == ""
    private = type("Hidden", (NetClassifier,), {"__module__": "mlmi_sklearn.somewhere"})
    assert private()._get_doc_link() == ""
    monkeypatch.setattr(doclink, "documentation_url", str)
    assert NetClassifier()._get_doc_link() == ""


def test_the_address_comes_from_the_metadata(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    monkeypatch.undo()
    doclink.documentation_url.cache_clear()

    class Metadata(dict):
        def get_all(self, key):
            return self.get(key)

    def missing(name):
        raise PackageNotFoundError(name)

    lines = ["Source, https://a.b", "Documentation, https://c.d/e"]
    for found, expected in (
        (lambda name: Metadata({"Project-URL": lines}), "https://c.d/e/"),
        (lambda name: Metadata(), ""),
        (missing, ""),
    ):
        monkeypatch.setattr(doclink, "metadata", found)
        doclink.documentation_url.cache_clear()
        assert doclink.documentation_url() == expected
    doclink.documentation_url.cache_clear()


@pytest.mark.parametrize(
    "model",
    [
        MILClassifier(pooling="attention", lr=0.25),
        NetClassifier().set_params(backbone="mlp", backbone__hidden=(7, 5)),
        CGANSampler(latent_dim=11),
        make_pipeline(StandardScaler(), NetClassifier(max_epochs=23)),
    ],
)
def test_pictures_show_parameters_and_links(model):
    html = model._repr_html_()
    assert "<div" in html
    changed = ("0.25", "attention", "(7, 5)", "latent_dim", "max_epochs")
    assert any(word in html for word in changed)
    steps = [model, *getattr(model, "named_steps", {}).values()]
    for step in steps:
        if type(step).__module__.startswith("mlmi_sklearn"):
            assert f"{URL}{type(step).__name__}.html" in html
    bundle = model._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == repr(model)


def test_a_fitted_estimator_is_shown_as_fitted():
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = NetClassifier(max_epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    assert "Fitted" in model._repr_html_()
    assert "Not fitted" in clone(model)._repr_html_()


# -- displays --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made():
    """One display of each class, with how it can be drawn again."""
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    rng = np.random.default_rng(0)
    bags = Bags(
        rng.normal(size=(40, 3)), [10] * 4, coords=np.argwhere(np.ones((4, 10)))
    )
    mil = MILClassifier(max_epochs=1, random_state=0).fit(bags, [0, 1, 0, 1])
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    domains = np.where(np.arange(40) < 20, 1, -1)
    dann = DANNClassifier(max_epochs=1, random_state=0)
    dann.fit(X, y, sample_domain=domains)
    gan = CGANSampler(max_iter=2, random_state=0, checkpoint="last").fit(X, y)
    show = inspection
    yield {
        "BagHeatmapDisplay": show.BagHeatmapDisplay.from_estimator(mil, bags, 0),
        "TopInstancesDisplay": show.TopInstancesDisplay.from_estimator(mil, bags, 3),
        "DomainDiagnosticsDisplay": show.DomainDiagnosticsDisplay.from_estimator(
            dann, X, y, sample_domain=domains
        ),
        "GANTrainingDisplay": show.GANTrainingDisplay.from_estimator(gan),
        "SampleGridDisplay": show.SampleGridDisplay.from_data(X, X + 0.1),
        "CoverageDisplay": show.CoverageDisplay.from_data(X, X + 0.1),
    }
    plt.close("all")
    matplotlib.use(before)


DISPLAYS = [name for name in inspection.__all__ if name.endswith("Display")]


@pytest.mark.parametrize("name", DISPLAYS)
def test_displays_keep_their_figure_and_take_axes(made, name):
    display = made[name]
    assert type(display).__name__ == name
    assert isinstance(display.figure_, plt.Figure)
    figure, ax = plt.subplots()
    assert display.plot(ax=ax) is display
    assert display.figure_ is figure
    for method in ("from_estimator", "from_data", "from_scores", "from_history"):
        if hasattr(display, method):
            assert "ax" in inspect.signature(getattr(display, method)).parameters
    plt.close("all")


def test_panels_share_the_place_of_one(made):
    display = made["DomainDiagnosticsDisplay"]
    figure, (left, right) = plt.subplots(1, 2)
    display.plot(ax=right)
    figure.canvas.draw()
    for panel in display.axes_.values():
        assert panel.get_window_extent().x0 >= right.get_window_extent().x0
    with pytest.raises(ValueError, match="ax or axes"):
        display.plot(ax=left, axes=[left])
    plt.close("all")


# -- progress bars ---------------------------------------------------------------------


def fit_verbosely():
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = NetClassifier(max_epochs=3, random_state=0, verbose=1)
    return model.fit(X, np.arange(30) % 2)


def test_one_bar_in_a_terminal():
    stream = io.StringIO()
    with redirect_stderr(stream):
        fit_verbosely()
    last = stream.getvalue().replace("\r", "\n").strip().splitlines()[-1]
    assert re.match(r"NetClassifier: 100%.*3/3 .*loss=\d", last), last


def test_one_bar_in_a_notebook(monkeypatch):
    """tqdm.auto chooses; where it chose widgets, the callback draws with those."""
    from mlmi_sklearn.training import callbacks

    drawn = []

    class Widget:
        def __init__(self, **options):
            drawn.append(options)

        def set_postfix(self, shown, refresh):
            drawn.append(shown)

        def update(self):
            drawn.append("update")

        def close(self):
            drawn.append("close")

    monkeypatch.setattr(callbacks, "tqdm", Widget)
    fit_verbosely()
    assert drawn[0]["total"] == 3
    assert drawn.count("update") == 3
    assert drawn[-1] == "close"
    assert "tqdm.auto" in inspect.getsource(callbacks)


def test_silence_is_the_default(capfd):
    X = np.random.default_rng(0).normal(size=(30, 3))
    NetClassifier(max_epochs=2, random_state=0).fit(X, np.arange(30) % 2)
    assert capfd.readouterr() == ("", "")


def test_versions_are_shown(capsys):
    mlmi_sklearn.show_versions()
    shown = capsys.readouterr().out
    for word in ("python", "torch", "scikit-learn", "mlmi-sklearn"):
        assert word in shown
    assert sys.version.split()[0] in shown
