"""Digits whose second half looks different, and what becomes of them in a net."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.pipeline import Pipeline

from ....datasets import make_shifted_digits
from ....domain_adaptation import DANNClassifier, MMEClassifier
from ....inspection import DomainDiagnosticsDisplay
from ...content import Figure, Finding, Metric, Panel, Scores, Section, Table
from ...experiment import Method
from ...pictures import WIDTH, Theme
from ...session import progress
from .fitting import by_method, changes, contrasts, fit_stacked, list_of, stacked_values
from .settings import Settings

__all__ = ["digits_section"]

Array = NDArray[Any]

ALONE, DANN = "Net without adaptation", "DANN"
_MEAN = Metric("accuracy", "mean", decimals=2)
# The shifts on which nobody chose the defaults of the library.
_UNTUNED = ("blur", "scale")

_QUESTION = """\
900 handwritten digits with labels, and 897 others, altered as by a different scanner, \
in one of these ways at a time: {shifts}. Can they be read without labels of their \
own, or with {shots} labels of each digit?"""

_CAPTION = """\
{points} digits of the first draw of "{shift}" before the net (inputs) and after it \
(features of DANN), brought into a plane by t-SNE, in which groups mean something and \
distances do not. Circles are of the source, triangles of the target. Above by domain: \
the more circles and triangles mix, the less the net tells the domains apart. Below by \
the true digit, which the net was not told for triangles: only where triangles lie \
among circles of their own colour will the labels of the source fit. Then how DANN was \
trained. What it says of itself: {verdict}"""

_PANELS = {
    "before": ("inputs_by_domain", "inputs_by_class"),
    "after": ("features_by_domain", "features_by_class"),
    "training": ("losses", "critic"),
}


def digits_section(settings: Settings) -> Section:
    """Train on shifted digits and write the section.

    Parameters
    ----------
    settings : Settings
        Shifts, draws, epochs and labels.

    Returns
    -------
    Section
        Accuracy on the target by shift, and digits before and after.
    """
    rows, model = _run(settings)
    metrics = (*(Metric(shift, shift, decimals=2) for shift in settings.shifts), _MEAN)
    caption = f"accuracy on digits of the target, mean ± sd over {settings.draws} draws"
    return Section(
        title="Shifted digits: before and after",
        question=_QUESTION.format(
            shifts=list_of(settings.shifts), shots=settings.shots
        ),
        table=Table("shifted-digits", caption, metrics, rows),
        findings=(_finding(rows, metrics[:-1], settings),),
        figures=(_figure(model, settings),),
        protocol=_protocol(settings),
    )


def _names(shots: int) -> tuple[str, str]:
    """Return the names of the control of MME, and of MME."""
    return f"Net with {shots} labels a digit", f"MME with {shots} labels a digit"


def _methods(settings: Settings) -> tuple[Method, ...]:
    """Return the methods compared, and the same without what they add."""
    common: dict[str, Any] = {
        "max_epochs": settings.digit_epochs,
        "diagnostics": False,
        "device": "cpu",
    }

    def method(name: str, ours: bool, net: Any) -> Method:
        return Method(name, ours, Pipeline([("model", net)]))

    control, mme = _names(settings.shots)
    return (
        method(DANN, True, DANNClassifier(**common)),
        method(mme, True, MMEClassifier(**common)),
        method(ALONE, False, DANNClassifier(lambda_=0.0, **common)),
        method(control, False, MMEClassifier(entropy_weight=0.0, **common)),
    )


def _run(settings: Settings) -> tuple[tuple[Scores, ...], Pipeline]:
    """Fit all methods on all shifts; return scores and the first DANN."""
    methods = _methods(settings)
    records: dict[str, list[dict[str, float]]] = {m.name: [] for m in methods}
    first = None
    n_fits = settings.draws * len(settings.shifts) * len(methods)
    with progress("Shifted digits", n_fits) as step:
        for seed in range(settings.draws):
            scores: dict[str, dict[str, float]] = {m.name: {} for m in methods}
            for shift in settings.shifts:
                X, y, domain = make_shifted_digits(shift, random_state=seed)
                labels = reveal(y, domain, settings.shots, seed)
                test = labels == -1
                for method in methods:
                    model = method.build(seed)
                    if first is None:
                        model.set_params(model__diagnostics=True)
                    fit_stacked(model, X, labels, domain)
                    first = model if first is None else first
                    guess = model.predict(X[test])
                    scores[method.name][shift] = float(accuracy_score(y[test], guess))
                    step(method.name)
            for name, found in scores.items():
                mean = float(np.mean(list(found.values())))
                records[name].append({**found, _MEAN.key: mean})
    assert first is not None
    rows = tuple(
        Scores(m.name, m.ours, stacked_values(records[m.name])) for m in methods
    )
    return rows, first


def reveal(y: Array, sample_domain: Array, shots: int, seed: int) -> Array:
    """Hide the labels of the target but for a few of each class.

    Parameters
    ----------
    y, sample_domain : ndarray of shape (n,)
        True labels, and domains.
    shots : int
        Labels of each class to show.
    seed : int
        Determines which.

    Returns
    -------
    ndarray of shape (n,)
        Labels, -1 where hidden.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(sample_domain < 0))
    labels = np.where(sample_domain < 0, -1, y)
    for label in np.unique(y):
        shown = order[y[order] == label][:shots]
        labels[shown] = label
    return labels


def _finding(
    rows: tuple[Scores, ...], shifts: tuple[Metric, ...], settings: Settings
) -> Finding:
    """Say what each method adds to its control, in the mean and by shift."""
    control, mme = _names(settings.shots)
    named, pairs = by_method(rows), ((DANN, ALONE), (mme, control))
    means = "; ".join(
        f"{a} {named[a].mean(_MEAN.key):.3f}, {b} {named[b].mean(_MEAN.key):.3f}"
        for a, b in pairs
    )
    metric = Metric(_MEAN.key, "mean accuracy")
    return Finding(
        f"Mean accuracy over the shifts, each beside its control: {means}.",
        (
            *contrasts(rows, pairs, metric),
            *(changes(named[a], named[b], shifts, "shift") for a, b in pairs),
        ),
    )


def _figure(model: Pipeline, settings: Settings) -> Figure:
    """Show digits before and after, by domain and by class."""
    shift = settings.shifts[0]
    X, y, domain = make_shifted_digits(shift, random_state=0)
    display = DomainDiagnosticsDisplay.from_estimator(
        model,
        X,
        y,
        domain,
        projection="tsne",
        max_points=settings.points,
        panels=["losses"],
        axes=Canvas().subplots(),
        random_state=0,
    )
    caption = _CAPTION.format(
        points=settings.points, shift=shift, verdict=display.verdict
    )
    return Figure(caption, tuple(_panel(key, display, model[-1]) for key in _PANELS))


def _panel(key: str, display: DomainDiagnosticsDisplay, net: Any) -> Panel:
    """Show two panels of the display, one above the other."""
    if key == "training":
        alt = (
            "Losses and accuracy of the discriminator by epoch. At the end it tells "
            "source from target with balanced accuracy "
            f"{net.discriminator_accuracy_:.2f}, where 0.50 is chance."
        )
    else:
        which = "input" if key == "before" else "features"
        alt = (
            f"Digits in a plane, {key} the net, by domain and by digit. The proxy "
            f"A-distance of source and target is {net.pad_[which]:.2f}, from 0, alike, "
            "to 2."
        )
    return Panel(key, alt, partial(_draw, _PANELS[key], display))


def _draw(
    names: tuple[str, ...], display: DomainDiagnosticsDisplay, theme: Theme
) -> Canvas:
    """Draw panels of the display in the manner of the page."""
    figure = Canvas(figsize=(WIDTH, 6.6), layout="constrained")
    display.plot(panels=names, axes=figure.subplots(len(names), 1))
    for axes in figure.axes:
        for spine in axes.spines.values():
            spine.set_color(theme.faint)
    if "losses" not in names:
        for axes in figure.axes:
            for spine in axes.spines.values():
                spine.set_visible(True)
    return figure


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    known = [shift for shift in settings.shifts if shift not in _UNTUNED]
    new = [shift for shift in settings.shifts if shift in _UNTUNED]
    caution = f"were chosen by looking at the target of {list_of(known)}, so gains "
    caution += "there are flattered" + (f"; not of {list_of(new)}." if new else ".")
    return (
        f"{settings.draws} draws of make_shifted_digits, random_state 0 to "
        f"{settings.draws - 1}, also of nets and of the labels shown. No image is both "
        "in source and target.",
        f"Nets train {settings.digit_epochs} epochs, all else are the defaults. These "
        f"{caution}",
        f"MME and its control see {settings.shots} labels of each digit of the "
        "target; those images are left out of the test, for all methods. Nets see the "
        "images they are tested on, without labels.",
        f"Controls: '{ALONE}' is DANNClassifier with lambda_=0, "
        f"'{_names(settings.shots)[0]}' is MMEClassifier with entropy_weight=0.",
    )
