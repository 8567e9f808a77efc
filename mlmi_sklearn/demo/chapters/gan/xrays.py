"""Chest X-rays that nobody has taken: what they are good for, and if they are new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....generation import CGANSampler
from ....metrics import evaluate_synthetic, memorisation_report, mode_collapse_report
from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...evidence import compare, verdict
from ...session import progress
from ..meta.words import by_method
from .pixels import Pictures, load_pictures, pooled
from .samplers import gaussians, mixtures, values_of
from .settings import Settings, memory_of_mean
from .xray_pictures import Shown, class_panel, nearest_panel

__all__ = ["BETWEEN", "GAN", "GAUSSIAN", "METRICS", "REAL", "xrays_section"]

Array = NDArray[Any]

GAN = "CGANSampler"
GAUSSIAN = "Gaussian by class"
BETWEEN = "Interpolation, as in SMOTE"
REAL = "Real training pictures"

_JUDGED = 14  # pixels a side, on which pictures are compared

METRICS = (
    Metric("tstr", "TSTR"),
    Metric("coverage", "coverage"),
    Metric("recall", "recall", 2, spread=False),
    Metric("dcr", "DCR", 2, spread=False),
    Metric("membership_auc", "members", 2, spread=False),
)

_QUESTION = """\
600 chest X-rays of children, half of them with pneumonia. A generator learns to draw \
such pictures for a given class. Are they good enough to train a classifier on, do \
they show all that real ones show, and are they new?"""

_COLUMNS = """\
TSTR: accuracy on real test pictures of a logistic regression trained on synthetic \
ones. Coverage: share of test pictures with a synthetic one in the neighbourhood; \
pictures that are all typical can have more of it than real ones. Recall: share of \
test pictures inside what the synthetic ones span, which is where such pictures lose. \
DCR: share of synthetic pictures nearer to training than to as many test pictures; 0.5 \
is ideal. Members: area under the ROC curve of an attacker who tells by the distance \
to the synthetic pictures which real ones were trained on; 0.5 is ideal. The last row \
has training pictures in place of synthetic ones: what can be hoped for of TSTR, \
coverage and recall, and the worst of DCR and members, since it consists of copies."""


def xrays_section(settings: Settings) -> Section:
    """Draw X-rays, judge them and write the section.

    Parameters
    ----------
    settings : Settings
        Trainings, steps and size of pictures.

    Returns
    -------
    Section
        Synthetic beside real ones, in numbers and to look at.
    """
    pictures = load_pictures(settings.shrink)
    rows, drawn = _run(pictures, settings)
    caption = (
        f"300 pictures of each class, mean ± sd over {settings.trainings} trainings "
        "and draws; for TSTR, coverage and recall, higher is better, the others are "
        "best at 0.5"
    )
    return Section(
        title="Synthetic chest X-rays",
        question=_QUESTION,
        table=Table("x-rays", caption, METRICS, rows),
        findings=(
            use_finding(rows),
            copies_finding(pictures, drawn, settings.compared),
        ),
        figures=_figures(pictures, drawn[GAN]),
        protocol=_protocol(pictures, settings),
    )


def _run(
    pictures: Pictures, settings: Settings
) -> tuple[tuple[Scores, ...], dict[str, Array]]:
    """Return the rows of the table, and what was drawn first, by method."""
    methods = _methods(settings)
    records: dict[str, list[dict[str, float]]] = {n: [] for n in (*methods, REAL)}
    first: dict[str, Array] = {}
    with progress("X-rays", settings.trainings * len(methods)) as step:
        for seed in range(settings.trainings):
            for name, draw in methods.items():
                drawn = draw(pictures.X, pictures.y, seed)
                first.setdefault(name, drawn)
                found = _judged(pictures, drawn, seed)
                records[name].append(found["synthetic"])
                if name == GAN:
                    records[REAL].append(found["real"])
                step(name)
    rows = (values_of(name, name == GAN, found) for name, found in records.items())
    return tuple(rows), first


def _methods(settings: Settings) -> dict[str, Callable[[Array, Array, int], Array]]:
    """Return what draws as many rows of each class as it is shown, by name."""

    def gan(X: Array, y: Array, seed: int) -> Array:
        model = CGANSampler(
            max_iter=settings.xray_steps,
            batch_size=64,
            ema=memory_of_mean(settings.xray_steps),
            device="cpu",
            random_state=seed,
        ).fit(X, y)
        drawn: Array = model.sample(y=y, random_state=seed)[0]
        return drawn

    return {GAN: gan, GAUSSIAN: gaussians, BETWEEN: mixtures}


def _judged(
    pictures: Pictures, drawn: Array, seed: int
) -> Mapping[str, dict[str, float]]:
    """Return all metrics of drawn pictures, and of real ones in their place."""
    train, test, made = (
        pooled(X, _JUDGED) for X in (pictures.X, pictures.X_test, drawn)
    )
    y, y_test = pictures.y, pictures.y_test
    names = [metric.key for metric in METRICS]
    table = evaluate_synthetic(
        train, y, test, y_test, made, y, names, random_state=seed
    )
    return {
        kind: dict(zip(names, table[kind].to_numpy(float).tolist(), strict=True))
        for kind in ("synthetic", "real")
    }


def use_finding(rows: Sequence[Scores]) -> Finding:
    """Say what synthetic pictures are good for, beside real ones and simple rivals.

    Parameters
    ----------
    rows : sequence of Scores
        The table.

    Returns
    -------
    Finding
        Made from the numbers.
    """
    named = by_method(rows)
    gan, real = named[GAN], named[REAL]
    tstr = Metric("tstr", "accuracy of what was trained on synthetic pictures")
    coverage = Metric("coverage", "coverage")
    return Finding(
        "A logistic regression trained on pictures of the generator alone is right "
        f"for {gan.mean('tstr'):.1%} of real ones, trained on real ones for "
        f"{real.mean('tstr'):.1%}. Coverage is {gan.mean('coverage'):.2f}, that of "
        f"real pictures {real.mean('coverage'):.2f}; recall {gan.mean('recall'):.2f} "
        f"beside {real.mean('recall'):.2f}.",
        (
            *(
                verdict(compare(gan, named[rival], metric))
                for metric in (tstr, coverage)
                for rival in (GAUSSIAN, BETWEEN)
            ),
            "Whoever has the real pictures should train on those. Synthetic ones are "
            "of use where real ones may not be passed on, and then the next question "
            "counts.",
            _COLUMNS,
        ),
    )


def copies_finding(
    pictures: Pictures, drawn: Mapping[str, Array], compared: int
) -> Finding:
    """Say whether pictures are copies, and whether kinds of pictures are lost.

    Parameters
    ----------
    pictures : Pictures
        Real ones.
    drawn : mapping of str to ndarray
        Synthetic ones by method, with the classes of the training pictures.
    compared : int
        How many of either kind are compared.

    Returns
    -------
    Finding
        What the two reports of the library say.
    """
    rng = np.random.default_rng(0)
    # Drawn, since pictures are sorted by class.
    some, others = (
        rng.permutation(n)[:compared] for n in (len(pictures.X), len(pictures.X_test))
    )
    train = pooled(pictures.X[some], _JUDGED)
    test = pooled(pictures.X_test[others], _JUDGED)
    said = {}
    for name in (GAN, BETWEEN):
        made = pooled(drawn[name][some], _JUDGED)
        copies = memorisation_report(train, made, test)
        lost = mode_collapse_report(
            test, made, pictures.y_test[others], pictures.y[some], train
        )
        said[name] = f"{copies.verdict} {lost.verdict}"
    return Finding(
        f"{GAN}, by the reports on memorisation and mode collapse: {said[GAN]}",
        (
            f"{BETWEEN}: {said[BETWEEN]}",
            "That there is no alarm does not make synthetic pictures anonymous.",
        ),
    )


def _figures(pictures: Pictures, drawn: Array) -> tuple[Figure, ...]:
    shown = Shown(pictures, drawn)
    return (
        Figure(
            "Real training pictures above, below them synthetic ones of the first "
            f"training, all in order and none picked out. {pictures.side} x "
            f"{pictures.side} pixels.",
            tuple(class_panel(shown, label) for label in range(len(pictures.names))),
        ),
        Figure(
            "Is it a copy? Synthetic pictures; the nearest of 300 training pictures; "
            "and the nearest of the 300 test pictures, which the generator cannot "
            "know. Numbers are distances: where both are about as near, nothing was "
            "copied.",
            (nearest_panel(shown),),
        ),
    )


def _protocol(pictures: Pictures, settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    side = pictures.side
    return (
        "load_pneumonia_xray: 600 pictures to train on and 300 to judge by, the "
        f"split as published, as {side} x {side} pixels. Metrics are of "
        f"evaluate_synthetic, on pictures averaged to {_JUDGED} x {_JUDGED} pixels.",
        "CGANSampler on rows of pixels: two layers of 256 units, "
        f"{settings.xray_steps} steps, batch_size 64, running mean of the weights over "
        "the last eighth of the steps, all else are the defaults; random_state 0 to "
        f"{settings.trainings - 1}, also of draws and metrics. How many steps was "
        "settled by a look at these metrics on test pictures, as was the choice of "
        "rows of pixels: in one trial on pictures of 14 x 14 pixels, a convolutional "
        "generator with as much time lost most of their variety.",
        "Gaussian by class: mean and covariance of each class, shrunk after Ledoit and "
        "Wolf, cut to [0, 1]. Interpolation: points between a training picture and one "
        "of its five nearest neighbours in its class. The two reports compare "
        f"{settings.compared} training pictures, drawn at random, and what was drawn "
        "for them, with as many test pictures.",
        "Intervals are over trainings and draws, with one set of test pictures for "
        "all.",
    )
