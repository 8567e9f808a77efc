"""Choosing lambda without labels of the target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure as Canvas
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from ....datasets import make_shifted_digits
from ....domain_adaptation import DANNClassifier
from ....metrics import bnm_scorer, im_scorer
from ...content import Figure, Finding, Metric, Panel, Scores, Section, Table
from ...experiment import Method
from ...pictures import WIDTH, Theme
from ...session import progress
from .fitting import fit_stacked, stacked_values
from .settings import Settings

__all__ = ["lambda_section"]

_TRUTH = Metric("target_accuracy", "target accuracy")
_GUIDES = (
    Metric("source_accuracy", "source accuracy"),
    Metric("information", "information (im)"),
    Metric("nuclear_norm", "nuclear norm (bnm)"),
)
_SHIFT: Final = "rotate"

_QUESTION = """\
How strongly should the domains be made alike, if no label of the target can say what \
works? Accuracy on held-out digits of the source is blind to the target; two scores of \
the predictions on the target, information maximisation and the batch nuclear norm, \
are high where these are sure of themselves and yet of many kinds."""


def lambda_section(settings: Settings) -> Section:
    """Train with several weights and write the section.

    Parameters
    ----------
    settings : Settings
        Weights, draws and epochs.

    Returns
    -------
    Section
        What each score makes of each weight, and what it would have chosen.
    """
    rows = _run(settings)
    caption = f"mean ± sd over {settings.lambda_draws} draws of digits, {_SHIFT}"
    metrics = (_TRUTH, *_GUIDES)
    return Section(
        title="Choosing lambda without target labels",
        question=_QUESTION,
        table=Table("lambda", caption, metrics, rows),
        findings=(choice_finding(rows, settings.lambdas),),
        figures=(
            Figure(
                "Accuracy on the target against lambda, mean and range over the draws. "
                "Arrows: what each score would choose by its mean. None of them, but "
                "for the curve itself, has seen a label of the target.",
                (_panel(rows, settings.lambdas),),
            ),
        ),
        protocol=(
            f"{settings.lambda_draws} draws of make_shifted_digits('{_SHIFT}'), "
            f"random_state 0 to {settings.lambda_draws - 1}, also of the nets, "
            f"{settings.digit_epochs} epochs. A fifth of the source is held out for "
            "its accuracy; im_scorer and bnm_scorer see the target without labels.",
            "Here each score sees one split; model_selection.safe_select, as in the "
            "code below, repeats the comparison on several, asks for a gain beyond its "
            "standard error, and otherwise keeps the net that does not adapt.",
        ),
    )


def _run(settings: Settings) -> tuple[Scores, ...]:
    """Fit with each weight in each draw."""
    names = [_name(value) for value in settings.lambdas]
    records: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    n_fits = settings.lambda_draws * len(names)
    with progress("Lambda", n_fits) as step:
        for seed in range(settings.lambda_draws):
            data = make_shifted_digits(_SHIFT, random_state=seed)
            for name, value in zip(names, settings.lambdas, strict=True):
                net = DANNClassifier(
                    lambda_=value,
                    max_epochs=settings.digit_epochs,
                    diagnostics=False,
                    device="cpu",
                )
                method = Method(name, value > 0, Pipeline([("model", net)]))
                records[name].append(_scores(method.build(seed), data, seed))
                step(name)
    return tuple(
        Scores(name, value > 0, stacked_values(records[name]))
        for name, value in zip(names, settings.lambdas, strict=True)
    )


def _name(value: float) -> str:
    return f"lambda {value:g}"


def _scores(model: Pipeline, data: Any, seed: int) -> dict[str, float]:
    """Hold out some of the source, fit, and score in every way."""
    X, y, domain = data
    source, target = np.flatnonzero(domain >= 0), np.flatnonzero(domain < 0)
    train, held_out = train_test_split(source, test_size=0.2, random_state=seed)
    rows = np.concatenate([train, target])
    labels = np.where(domain < 0, -1, y)
    fit_stacked(model, X[rows], labels[rows], domain[rows])
    net = model[-1]
    on = X[target], labels[target]
    return {
        _TRUTH.key: float(accuracy_score(y[target], net.predict(X[target]))),
        "source_accuracy": float(accuracy_score(y[held_out], net.predict(X[held_out]))),
        "information": float(im_scorer(net, *on, sample_domain=domain[target])),
        "nuclear_norm": float(bnm_scorer(net, *on, sample_domain=domain[target])),
    }


def choice_finding(rows: Sequence[Scores], lambdas: Sequence[float]) -> Finding:
    """Say what each score would choose, and how good that is.

    Parameters
    ----------
    rows : sequence of Scores
        One a weight.
    lambdas : sequence of float
        The weights.

    Returns
    -------
    Finding
        Two sentences.
    """
    best = _choice(rows, _TRUTH)
    truth = [row.mean(_TRUTH.key) for row in rows]
    picks = "; ".join(
        f"{metric.title} {lambdas[k]:g}, which has {truth[k]:.3f}"
        for metric in _GUIDES
        for k in [_choice(rows, metric)]
    )
    return Finding(
        f"By accuracy on the target, which nobody would know, lambda {lambdas[best]:g} "
        f"is best of these: {truth[best]:.3f}, against {truth[0]:.3f} for lambda "
        f"{lambdas[0]:g}.",
        (f"Without labels of the target the choice would be: {picks}.",),
    )


def _choice(rows: Sequence[Scores], metric: Metric) -> int:
    """Return the position of the highest mean; of equals the smallest weight."""
    return int(np.argmax([row.mean(metric.key) for row in rows]))


def _panel(rows: Sequence[Scores], lambdas: Sequence[float]) -> Panel:
    """Show the accuracy on the target, and the choices."""
    curve = ", ".join(
        f"{row.mean(_TRUTH.key):.2f} at {value:g}"
        for row, value in zip(rows, lambdas, strict=True)
    )
    picks = ", ".join(f"{m.title} {lambdas[_choice(rows, m)]:g}" for m in _GUIDES)
    alt = f"Accuracy on the target by lambda: {curve}. Choices: {picks}."
    return Panel("choice", alt, partial(_draw, rows, lambdas))


def _draw(rows: Sequence[Scores], lambdas: Sequence[float], theme: Theme) -> Canvas:
    """Draw the curve, and an arrow for each choice."""
    figure = Canvas(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    values = np.array([row.values[_TRUTH.key] for row in rows])
    places = np.arange(len(rows))
    axes.fill_between(
        places,
        values.min(1),
        values.max(1),
        color=theme.ours[0],
        alpha=0.18,
        lw=0,
    )
    axes.plot(places, values.mean(1), "o-", color=theme.ours[0], lw=1.6)
    span = np.ptp(values) or 1.0
    low = values.min() - 0.15 * span
    for rank, metric in enumerate(_GUIDES):
        k, height = _choice(rows, metric), low - 0.16 * span * rank
        axes.plot(k, height, "^", color=theme.hot, ms=7)
        right = k < len(rows) / 2
        axes.annotate(
            metric.title,
            (k, height),
            xytext=(8 if right else -8, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=8,
        )
    axes.set_xticks(places, [f"{value:g}" for value in lambdas])
    axes.set(title="accuracy on the target", xlabel="lambda")
    axes.set_ylim(low - 0.16 * span * len(_GUIDES), values.max() + 0.1 * span)
    axes.set_xlim(-0.3, len(rows) - 0.7)
    axes.grid(axis="y", lw=0.6)
    return figure
