"""Each of four hospitals in turn as the one without labels: fits and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ....datasets import load_heart_multisite
from ....domain_adaptation import DANNClassifier, MMEClassifier
from ....model_selection import TargetTask, iter_target_domains
from ...content import Scores
from ...experiment import Method
from ...session import progress
from .fitting import fit_stacked, stacked_values
from .settings import Settings

__all__ = [
    "ALONE",
    "DANN",
    "EM",
    "LOGISTIC",
    "MAJORITY",
    "Hospitals",
    "hospital_methods",
    "run_hospitals",
]

LOGISTIC = "Logistic regression"
ALONE = "Net without adaptation"
DANN = "DANN"
EM = "DANN with label_shift='em'"
MAJORITY = "Always the more frequent diagnosis"


@dataclass
class Hospitals:
    """What came out.

    Attributes
    ----------
    names : tuple of str
        Of the hospitals, as in the data.
    scores : tuple of Scores
        One entry a method, with ``accuracy`` and ``balanced_accuracy``, means over the
        hospitals, and ``<hospital>_...`` of each.
    majority : Scores
        What a constant answer would score that knows which is more frequent.
    sick : dict of str to float
        True share of the sick.
    estimated : dict of str to list of float
        Share of the sick as expectation maximisation has it, one a repetition.
    warned : list of str
        Hospitals where DANN warned of a shift of labels, in the first repetition.
    """

    names: tuple[str, ...]
    sick: dict[str, float]
    scores: tuple[Scores, ...] = ()
    majority: Scores = field(default_factory=lambda: Scores(MAJORITY, False, {}))
    estimated: dict[str, list[float]] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)


def names_with_labels(n: int) -> tuple[str, str]:
    """Return the names of the control of MME, and of MME, with n labels."""
    return f"Net with {n} target labels", f"MME with {n} target labels"


def hospital_methods(settings: Settings) -> tuple[Method, ...]:
    """Return the methods compared.

    Parameters
    ----------
    settings : Settings
        Epochs and number of labels.

    Returns
    -------
    tuple of Method
        Those that adapt, then their controls, then logistic regression.
    """
    common: dict[str, Any] = {
        "max_epochs": settings.hospital_epochs,
        "diagnostics": False,
        "device": "cpu",
    }
    control, mme = names_with_labels(settings.labels)
    return (
        Method(DANN, True, _pipeline(DANNClassifier(**common))),
        Method(EM, True, _pipeline(DANNClassifier(label_shift="em", **common))),
        Method(mme, True, _pipeline(MMEClassifier(**common))),
        Method(ALONE, False, _pipeline(DANNClassifier(lambda_=0.0, **common))),
        Method(control, False, _pipeline(MMEClassifier(entropy_weight=0.0, **common))),
        Method(LOGISTIC, False, _pipeline(LogisticRegression(max_iter=1000))),
    )


def _pipeline(last: Any) -> Pipeline:
    """Fill gaps, mark them, scale; then the method."""
    return Pipeline(
        [
            ("impute", SimpleImputer(add_indicator=True)),
            ("scale", StandardScaler()),
            ("model", last),
        ]
    )


def run_hospitals(settings: Settings) -> Hospitals:
    """Fit all methods for each hospital and seed.

    Parameters
    ----------
    settings : Settings
        Seeds, epochs and number of labels.

    Returns
    -------
    Hospitals
        Scores on rows of the target whose labels no method has seen.
    """
    heart = load_heart_multisite(missing="nan")
    y, sites = np.asarray(heart.target), np.asarray(heart.site)
    names = tuple(map(str, heart.site_names))
    found = Hospitals(names, {n: float(y[sites == n].mean()) for n in names})
    methods = hospital_methods(settings)
    records: dict[str, list[dict[str, float]]] = {m.name: [] for m in methods}
    constant: list[dict[str, float]] = []
    with progress("Hospitals", settings.hospital_seeds * len(names) * 6) as step:
        for seed in range(settings.hospital_seeds):
            of_seed: dict[str, dict[str, float]] = {m.name: {} for m in methods}
            of_constant: dict[str, float] = {}
            for task in iter_target_domains(heart.data, y, sites):
                labels, test = reveal(task, y, settings.labels, seed)
                of_constant |= _scores(task.name, y[test], _most_frequent(y[test]))
                for method in methods:
                    model = _fit(method, task, labels, seed)
                    guess = model.predict(task.X[test])
                    of_seed[method.name] |= _scores(task.name, y[test], guess)
                    _note(found, method.name, str(task.name), model[-1], seed)
                    step(method.name)
            for method in methods:
                records[method.name].append(_with_means(of_seed[method.name], names))
            constant.append(_with_means(of_constant, names))
    found.scores = tuple(
        Scores(m.name, m.ours, stacked_values(records[m.name])) for m in methods
    )
    found.majority = Scores(MAJORITY, False, stacked_values(constant))
    return found


def reveal(
    task: TargetTask, y: NDArray[Any], n: int, seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Show some labels of the target, drawn at random whatever they are.

    Parameters
    ----------
    task : TargetTask
        With all labels of the target hidden.
    y : ndarray of shape (n_rows,)
        The true labels.
    n : int
        How many.
    seed : int
        Determines which.

    Returns
    -------
    labels : ndarray of shape (n_rows,)
        With those shown.
    test : ndarray of int
        The other rows of the target.
    """
    shown = np.random.default_rng(seed).permutation(task.test)[:n]
    labels = task.y.copy()
    labels[shown] = y[shown]
    return labels, np.setdiff1d(task.test, shown)


def _fit(method: Method, task: TargetTask, labels: NDArray[Any], seed: int) -> Pipeline:
    """Fit one method; in the first repetition DANN says what it thinks of the data."""
    model = method.build(seed)
    if method.name == DANN and seed == 0:
        model.set_params(model__diagnostics=True)
    return fit_stacked(model, task.X, labels, task.sample_domain)


def _note(found: Hospitals, method: str, name: str, model: Any, seed: int) -> None:
    """Keep what a net says of the class shares."""
    if method == EM:
        found.estimated.setdefault(name, []).append(float(model.class_shares_[1]))
    if method == DANN and seed == 0:
        texts = model.adaptation_report_.warnings
        if any(text.startswith("Shares of classes") for text in texts):
            found.warned.append(name)


def _most_frequent(y: NDArray[Any]) -> NDArray[Any]:
    return np.full(len(y), np.bincount(y).argmax())


def _scores(name: str, y: NDArray[Any], guess: NDArray[Any]) -> dict[str, float]:
    return {
        f"{name}_accuracy": float(accuracy_score(y, guess)),
        f"{name}_balanced_accuracy": float(balanced_accuracy_score(y, guess)),
    }


def _with_means(scores: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """Add the means over the hospitals, each counting as much."""
    return scores | {
        kind: float(np.mean([scores[f"{name}_{kind}"] for name in names]))
        for kind in ("accuracy", "balanced_accuracy")
    }
