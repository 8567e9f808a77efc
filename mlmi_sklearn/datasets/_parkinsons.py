"""Parkinson's telemonitoring: 42 patients are 42 small regression tasks."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from mlmi_sklearn.datasets._io import data_file, description

_SCORES = ("motor_UPDRS", "total_UPDRS")
_FEATURES = ("all", "voice")
_NOT_VOICE = ["age", "sex", "test_time"]

# Visits are about a week apart; the recordings of one visit take some minutes.
_DAYS_BETWEEN_VISITS = 1.0


def load_parkinsons_tasks(
    *,
    return_X_y: bool = False,
    as_frame: bool = False,
    target: Literal["motor_UPDRS", "total_UPDRS"] = "motor_UPDRS",
    features: Literal["all", "voice"] = "all",
) -> Any:
    """Load voice recordings of 42 patients with Parkinson's disease.

    Each patient is a task: predict the score of the disease from measures of the
    voice, taken at home, six recordings a week for half a year. Scores differ between
    patients far more than from week to week.

    ============  =============================
    Patients      42
    Visits        990 (17-28 per patient)
    Recordings    5,875 (101-168 per patient)
    Features      19, of which 16 of the voice
    ============  =============================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.
    as_frame : bool, default=False
        Whether `data` is a frame and `target`, `patient`, `visit`, `test_time` are
        Series.
    target : {"motor_UPDRS", "total_UPDRS"}, default="motor_UPDRS"
        The score to predict: of the motor part (in these data 5 to 40), or of all
        parts (7 to 55).
    features : {"all", "voice"}, default="all"
        Columns of `data`: all 19, or the 16 of the voice without ``age``, ``sex`` and
        ``test_time``.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        With the entries ``data`` (ndarray of float64 of shape (5875, 19) or (5875, 16),
        or frame), ``target`` (ndarray of float64 of shape (5875,)), ``patient`` (1 to
        42: the groups), ``visit`` (0, 1, ... in the order of time, for each patient),
        ``test_time`` (days since the patient joined), ``feature_names``,
        ``target_names``, ``frame`` (all columns, ``patient``, ``visit`` and both
        scores, if `as_frame`) and ``DESCR``; or the tuple ``(data, target)``.

    Raises
    ------
    ValueError
        If `target` or `features` is none of its names.

    Warnings
    --------
    Scores were taken at three visits to a clinic and interpolated in between: for one
    patient the target is a line of two straight pieces over ``test_time``. A model that
    knows the time and a few scores of a patient needs no voice. Choose
    ``features="voice"`` to ask what the voice tells.

    Rows of one visit have one score. Split by ``visit`` within a patient, and by
    ``patient`` for new patients, never by rows.

    References
    ----------
    Tsanas, A., Little, M. A., McSharry, P. E. and Ramig, L. O. (2010). Accurate
    telemonitoring of Parkinson's disease progression by noninvasive speech tests. IEEE
    Transactions on Biomedical Engineering 57(4), 884-893.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import load_parkinsons_tasks
    >>> parkinsons = load_parkinsons_tasks()
    >>> parkinsons.data.shape
    (5875, 19)
    >>> first_visits = parkinsons.visit < 5
    >>> int((first_visits & (parkinsons.patient == 42)).sum())
    30
    """
    _check("target", target, _SCORES)
    _check("features", features, _FEATURES)
    frame = _read()
    names = frame.columns.drop(["patient", "visit", *_SCORES])
    names = names.drop(_NOT_VOICE) if features == "voice" else names
    bunch = Bunch(
        data=frame[names],
        target=frame[target],
        frame=frame if as_frame else None,
        feature_names=names.tolist(),
        target_names=[target],
        DESCR=description("parkinsons_telemonitoring"),
        **{name: frame[name] for name in ("patient", "visit", "test_time")},
    )
    if not as_frame:
        for name in ("data", "target", "patient", "visit", "test_time"):
            bunch[name] = bunch[name].to_numpy(copy=True)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _check(argument: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise if a choice is not known."""
    if not (isinstance(value, str) and value in known):
        names = " or ".join(repr(name) for name in known)
        raise ValueError(f"{argument} must be {names}, got {value!r}.")


def _read() -> pd.DataFrame:
    """Read the embedded file and number the visits."""
    with data_file("parkinsons_telemonitoring.csv.gz").open("rb") as file:
        frame = pd.read_csv(file, compression="gzip")
    frame = frame.astype(dict.fromkeys(("age", "sex"), np.float64))
    frame.insert(1, "visit", _visits(frame["patient"], frame["test_time"]))
    return frame


def _visits(patient: pd.Series, time: pd.Series) -> pd.Series:
    """Count the visits of each patient; a new one begins after a day of silence."""
    order = time.sort_values(kind="stable").index
    pause = time[order].groupby(patient[order]).diff() > _DAYS_BETWEEN_VISITS
    visit: pd.Series = pause.astype(np.int64).groupby(patient[order]).cumsum()
    return visit.sort_index()
