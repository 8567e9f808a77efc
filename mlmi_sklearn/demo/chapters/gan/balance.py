"""A rare class, and what synthetic pictures of it are worth beside simple means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ....generation import CGANSampler
from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...evidence import compare, finding
from ...pictures import dots_panel
from ...session import progress
from ..meta.words import by_method
from .pixels import Pictures, load_pictures
from .samplers import oversampled, smote, smote_name, smote_there, values_of
from .settings import Settings, memory_of_mean
from .xrays import GAN

__all__ = ["NOTHING", "WEIGHTS", "Way", "balance_section", "thinned"]

Array = NDArray[Any]
Balance = Callable[[Array, Array, int], tuple[Array, Array]]

NOTHING, WEIGHTS, REPEATED = "Nothing", "class_weight", "Random oversampling"

_RARE = 0  # normal
_SHRINK = 2

METRICS = (
    Metric("logistic", "logistic"),
    Metric("svc", "SVC"),
    Metric("seconds", "s to balance", 2, spread=False),
)

_QUESTION = """\
Of one class there are 300 pictures, of the other {rare}. Classifiers then neglect the \
rare class. Do synthetic pictures of it help more than what costs nothing: a weight \
for the class, repeated pictures, points between pictures?"""

_PARITY = """\
Parity is the most to expect: a generator trained on few pictures of a class knows \
nothing of it that a classifier could not learn from them. class_weight="balanced" \
takes no time, and is what to try first."""


@dataclass(frozen=True)
class Way:
    """How a rare class is brought to bear.

    Parameters
    ----------
    name : str
        Name for readers.
    balance : callable
        From rows, classes and a seed to rows and classes.
    weight : {None, "balanced"}, default=None
        ``class_weight`` of the classifiers.
    """

    name: str
    balance: Balance
    weight: str | None = None


def balance_section(settings: Settings) -> Section:
    """Thin a class, bring it to bear in several ways, and write the section.

    Parameters
    ----------
    settings : Settings
        Draws, pictures of the rare class and steps.

    Returns
    -------
    Section
        Balanced accuracy of two classifiers.
    """
    rows = _run(load_pictures(_SHRINK), settings)
    caption = (
        "balanced accuracy on 150 test pictures of each class, mean ± sd over "
        f"{settings.draws} draws of {settings.rare} pictures of the rare class"
    )
    return Section(
        title="A rare class, brought into balance",
        question=_QUESTION.format(rare=settings.rare),
        table=Table("balance", caption, METRICS, rows),
        findings=balance_findings(rows),
        figures=(
            Figure(
                "One dot for each draw of the rare class; all ways of a draw see the "
                "same pictures.",
                tuple(dots_panel(metric.key, rows, metric) for metric in _spoken()),
            ),
        ),
        protocol=_protocol(settings),
    )


def _spoken() -> tuple[Metric, Metric]:
    """Return the two columns of scores with titles that stand alone."""
    return (
        Metric("logistic", "balanced accuracy, logistic regression"),
        Metric("svc", "balanced accuracy, SVC"),
    )


def ways(settings: Settings) -> tuple[Way, ...]:
    """Return the rows of the table.

    Parameters
    ----------
    settings : Settings
        Steps of the generator.

    Returns
    -------
    tuple of Way
        The generator first.
    """

    def gan(X: Array, y: Array, seed: int) -> tuple[Array, Array]:
        model = CGANSampler(
            max_iter=settings.balance_steps,
            batch_size=64,
            ema=memory_of_mean(settings.balance_steps),
            device="cpu",
            random_state=seed,
        )
        return model.fit_resample(X, y)

    return (
        Way(GAN, gan),
        Way(NOTHING, _as_it_is),
        Way(WEIGHTS, _as_it_is, "balanced"),
        Way(REPEATED, oversampled),
        Way(smote_name(), smote),
    )


def _as_it_is(X: Array, y: Array, seed: int) -> tuple[Array, Array]:
    return X, y


def thinned(y: Array, rare: int, seed: int) -> Array:
    """Pick all rows of the frequent class and a few of the rare one.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Classes, 0 for the one that becomes rare.
    rare : int
        How many of it to keep.
    seed : int
        Determines which.

    Returns
    -------
    ndarray of int
        Numbers of the rows, in ascending order.

    Examples
    --------
    >>> rows = thinned(np.array([0, 1, 0, 1, 0]), 1, seed=0)
    >>> len(rows), {1, 3} <= set(rows.tolist())
    (3, True)
    """
    few = np.random.default_rng(seed).permutation(np.flatnonzero(y == _RARE))[:rare]
    return np.sort(np.concatenate([few, np.flatnonzero(y != _RARE)]))


def _run(pictures: Pictures, settings: Settings) -> tuple[Scores, ...]:
    """Return scores of all ways on all draws."""
    tried = ways(settings)
    records: dict[str, list[dict[str, float]]] = {way.name: [] for way in tried}
    with progress("A rare class", settings.draws * len(tried)) as step:
        for seed in range(settings.draws):
            rows = thinned(pictures.y, settings.rare, seed)
            for way in tried:
                start = time.perf_counter()
                X, y = way.balance(pictures.X[rows], pictures.y[rows], seed)
                seconds = time.perf_counter() - start
                scores = _scores(way, X, y, pictures)
                records[way.name].append({**scores, "seconds": seconds})
                step(way.name)
    return tuple(values_of(w.name, w.name == GAN, records[w.name]) for w in tried)


def _scores(way: Way, X: Array, y: Array, pictures: Pictures) -> Mapping[str, float]:
    """Train both classifiers and score them on test pictures."""
    models = {
        "logistic": LogisticRegression(C=0.01, class_weight=way.weight, max_iter=1000),
        "svc": SVC(class_weight=way.weight),
    }
    found = {}
    for name, model in models.items():
        fitted = make_pipeline(StandardScaler(), model).fit(X, y)
        guess = fitted.predict(pictures.X_test)
        found[name] = float(balanced_accuracy_score(pictures.y_test, guess))
    return found


def balance_findings(rows: Sequence[Scores]) -> tuple[Finding, ...]:
    """Say for each classifier who leads, and how the generator stands.

    Parameters
    ----------
    rows : sequence of Scores
        The table.

    Returns
    -------
    tuple of Finding
        Made from the numbers, and what to expect of the like.
    """
    named = by_method(rows)
    found = [finding(rows, metric, reference=WEIGHTS) for metric in _spoken()]
    gains = " and ".join(
        f"{compare(named[GAN], named[NOTHING], metric).difference:+.3f} for "
        f"{metric.title.removeprefix('balanced accuracy, ')}"
        for metric in _spoken()
    )
    last = found[-1]
    details = (
        *last.details,
        f"What the generator adds to doing nothing: {gains}.".replace("-", "−"),
        _PARITY,
    )
    return (*found[:-1], Finding(last.headline, details))


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    between = (
        "SMOTE of imbalanced-learn, with its defaults"
        if smote_there()
        else "Interpolation: points between a picture of the rare class and one of its "
        "five nearest (imbalanced-learn, whose SMOTE does so, is not installed)"
    )
    return (
        "The X-rays of above, averaged to 14 x 14 pixels: all 300 training pictures "
        f"with pneumonia and {settings.rare} normal ones, drawn with random_state 0 to "
        f"{settings.draws - 1}, which also seeds generators and samplers. The 300 "
        "test pictures are always the same.",
        f"{GAN}.fit_resample on rows of pixels, {settings.balance_steps} steps, "
        "batch_size 64, running mean over the last eighth of the steps; in training "
        "it draws rare classes more often than their share, by default. "
        f"{between}.",
        "Classifiers are scikit-learn's LogisticRegression (C=0.01) and SVC on "
        "standardised pixels, the same for all ways. Nothing was tuned to this task.",
        "Intervals are over draws, which share the frequent class and the test "
        "pictures, and are a little too narrow for that.",
    )
