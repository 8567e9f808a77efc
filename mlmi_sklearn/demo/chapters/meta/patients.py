"""Patients as tasks: how far a few visits tell what the next ones will be like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from ....datasets import load_parkinsons_tasks
from ....meta_learning import FineTuneRegressor, MAMLRegressor
from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...session import progress
from .patient_pictures import gain_panel, visits_panel
from .settings import Settings
from .words import by_method, error_verdict, least, with_intervals, with_widths

__all__ = ["MAML", "MEAN", "METHODS", "patients_section"]

Array = NDArray[Any]
Predictions = Mapping[str, Array]

MAML = "MAML"
FINE_TUNED = "Fine-tuning"
RIDGE = "Ridge of the patient alone"
MEAN = "Mean of the visits seen"
POOLED = "Ridge of other patients"
METHODS = (MAML, FINE_TUNED, RIDGE, MEAN, POOLED)

_LAST_SEEN = 10
_JOINED, _SPREAD = "joined_in_time", "spread_in_time"
_ALPHAS = np.logspace(-2, 4, 13)

_QUESTION = """\
42 patients with Parkinson's disease recorded their voice at home, week after week. A \
new patient comes {visits} times and is scored by a doctor; how severe will the \
disease be (motor UPDRS, 5 to 40 points) at later visits, judged by the voice?"""

_TIME = """\
The scores were taken at three visits to a clinic and interpolated in between, so they \
are straight lines in time. Folds of visits at random, or of recordings, would reward \
whoever joins the dots. Above, only visits after those seen are judged."""


def patients_section(settings: Settings) -> Section:
    """Learn from some patients, judge by others, and write the section.

    Parameters
    ----------
    settings : Settings
        Folds, epochs and visits.

    Returns
    -------
    Section
        Absolute errors with intervals over patients.
    """
    rows = _run(settings)
    metrics = tuple(Metric(_key(n), _visits(n), decimals=2) for n in settings.visits)
    n = len(rows[0].values[metrics[0].key])
    caption = (
        "mean absolute error in points of motor UPDRS (lower is better) and half its "
        f"95 % interval over {n} new patients, by visits seen"
    )
    counts = ", ".join(str(k) for k in settings.visits[:-1])
    return Section(
        title="New patients, after a few visits",
        question=_QUESTION.format(visits=f"{counts} or {settings.visits[-1]}"),
        table=Table("patients", caption, with_intervals(*metrics), rows),
        findings=(patient_finding(rows, metrics), time_finding(rows)),
        figures=(
            Figure(
                "Left: mean error at later visits by the number of visits seen, bars "
                "are 95 % intervals over patients. Right: how much less each method "
                "errs than one that always says the mean of the visits seen; below the "
                "line, it errs more. Bars are 95 % intervals of this paired "
                "difference.",
                (
                    visits_panel(rows, settings.visits),
                    gain_panel(rows, settings.visits, MEAN, (MAML, FINE_TUNED, RIDGE)),
                ),
            ),
        ),
        protocol=_protocol(settings),
    )


def _key(visits: int) -> str:
    return f"visits_{visits}"


def _visits(n: int) -> str:
    return f"{n} visit{'s' * (n > 1)}"


def _run(settings: Settings) -> tuple[Scores, ...]:
    """Hold out each part of the patients once; return one error a patient."""
    voice = load_parkinsons_tasks(features="voice")
    X, y, patient = voice.data, voice.target, voice.patient
    errors: dict[str, dict[str, list[float]]] = {
        name: {_key(n): [] for n in settings.visits} for name in METHODS
    }
    folds = list(GroupKFold(settings.folds).split(X, y, patient))
    n_new = len(np.unique(patient))
    with progress("Patients", settings.folds + n_new) as step:
        for train, test in folds:
            predict = _learnt(X[train], y[train], patient[train], settings)
            step("learning from others")
            for who in np.unique(patient[test]):
                mine = patient == who
                later = mine & (voice.visit >= _LAST_SEEN)
                for n in settings.visits:
                    seen = mine & (voice.visit < n)
                    guesses = predict(X[seen], y[seen], X[later])
                    for name, guess in guesses.items():
                        error = float(np.abs(guess - y[later]).mean())
                        errors[name][_key(n)].append(error)
                of_time = voice.visit[mine], voice.test_time[mine], y[mine]
                for key, error in spread_visits(*of_time).items():
                    errors[MEAN].setdefault(key, []).append(error)
                step(f"patient {who}")
    return tuple(
        Scores(
            name,
            name == MAML,
            with_widths({key: np.array(v) for key, v in errors[name].items()}),
        )
        for name in METHODS
    )


def _learnt(
    X: Array, y: Array, patient: Array, settings: Settings
) -> Callable[[Array, Array, Array], Predictions]:
    """Learn from some patients; return what predicts for another one."""
    scale = PowerTransformer().fit(X)
    common: dict[str, Any] = {"device": "cpu", "random_state": 0}
    maml = MAMLRegressor(
        n_shot=12,
        n_query=24,
        finetune_steps=0,
        max_epochs=settings.patient_epochs,
        **common,
    ).fit(scale.transform(X), y, groups=patient)
    tuned = FineTuneRegressor(
        max_epochs=settings.pooled_epochs,
        adapt_epochs=settings.adapt_epochs,
        **common,
    ).fit(scale.transform(X), y)
    pooled = RidgeCV(_ALPHAS).fit(scale.transform(X), y)

    def predict(seen: Array, known: Array, later: Array) -> Predictions:
        support, query = scale.transform(seen), scale.transform(later)
        own = make_pipeline(StandardScaler(), RidgeCV(_ALPHAS)).fit(support, known)
        return {
            MAML: maml.adapt(support, known).predict(query),
            FINE_TUNED: tuned.adapt(support, known).predict(query),
            RIDGE: own.predict(query),
            MEAN: np.full(len(later), known.mean()),
            POOLED: pooled.predict(query),
        }

    return predict


def patient_finding(rows: Sequence[Scores], metrics: Sequence[Metric]) -> Finding:
    """Say who errs least, and how MAML stands.

    Parameters
    ----------
    rows : sequence of Scores
        One a method.
    metrics : sequence of Metric
        One a number of visits.

    Returns
    -------
    Finding
        Made from the numbers.
    """
    named = by_method(rows)
    leaders = [(metric.title, least(rows, metric.key)) for metric in metrics]
    headline = "; ".join(
        f"after {title} {row.method} ({row.mean(metric.key):.2f})"
        for (title, row), metric in zip(leaders, metrics, strict=True)
    )
    last = metrics[-1]
    spoken = Metric(last.key, f"error after {last.title}", last.decimals)
    others = [row for row in rows if row.method != MAML]
    return Finding(
        f"Least error: {headline}.",
        tuple(error_verdict(named[MAML], row, spoken) for row in others),
    )


def time_finding(rows: Sequence[Scores]) -> Finding:
    """Say what the date gives away if visits are not split by time.

    Parameters
    ----------
    rows : sequence of Scores
        With errors of the two methods that know no voice, for visits spread in time.

    Returns
    -------
    Finding
        Made from the numbers.
    """
    named = by_method(rows)
    joined, mean = (named[MEAN].values[key].mean() for key in (_JOINED, _SPREAD))
    return Finding(
        f"A trap in these data: if {_LAST_SEEN} visits seen are spread over the half "
        f"year, joining their scores by straight lines errs by {joined:.2f} points on "
        f"the others, without the voice; their mean errs by {mean:.2f}.",
        (_TIME,),
    )


def spread_visits(visit: Array, time: Array, y: Array) -> dict[str, float]:
    """Judge what knows no voice on visits between those seen.

    Parameters
    ----------
    visit, time, y : ndarray of shape (n,)
        The recordings of one patient: number of the visit, days, score.

    Returns
    -------
    dict of str to float
        Absolute error of straight lines in time between the visits seen, and of the
        mean of their scores, on the other visits.
    """
    numbers = np.unique(visit)
    chosen = numbers[np.linspace(0, len(numbers) - 1, _LAST_SEEN).round().astype(int)]
    seen = np.isin(visit, chosen)
    order = np.argsort(time[seen])
    line = np.interp(time[~seen], time[seen][order], y[seen][order])
    return {
        _JOINED: float(abs(line - y[~seen]).mean()),
        _SPREAD: float(abs(y[seen].mean() - y[~seen]).mean()),
    }


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"GroupKFold with {settings.folds} folds of whole patients: nobody is both "
        "learnt from and judged by. Of a new patient the first visits are seen (six "
        f"recordings each), and all visits from number {_LAST_SEEN + 1} on are judged, "
        "the same for every number of visits seen. So no visit is on both sides "
        "either.",
        "Features: 16 measures of the voice, made about normal (Yeo and Johnson) by "
        "the patients learnt from, since jitter and shimmer have long tails; age, sex "
        "and date are left out (features='voice').",
        f"MAML: tasks are patients, {settings.patient_epochs} passes over them, 12 "
        "recordings to learn from and 24 to be judged by, drawn at random, so that in "
        "training, unlike here, both may be of one visit. These numbers, the scale of "
        "the features and the default of max_grad_norm were settled after a look at "
        "errors on the patients judged here, so that MAML is flattered.",
        f"Fine-tuning: a net trained on all recordings of the others for "
        f"{settings.pooled_epochs} epochs, then {settings.adapt_epochs} on those of "
        "the new patient. random_state 0 for both nets. Ridge: RidgeCV with 13 "
        "strengths from 0.01 to 10,000.",
        "Each patient counts once, whatever the number of visits. Intervals are over "
        "patients, whose models share training data, and are a little too narrow for "
        "that.",
    )
