"""MUSK1, the first multiple-instance problem, by repeated cross-validation."""

from __future__ import annotations

from typing import Any

from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from ....datasets import load_musk1
from ...content import Figure, Metric, Section, Table
from ...evidence import finding
from ...experiment import SECONDS, Fold, Outcome, run_folds
from ...pictures import dots_panel, loss_panel
from .methods import SIL, methods
from .settings import Settings

__all__ = ["musk_section"]

_ACCURACY = Metric("accuracy", "accuracy")
_AUC = Metric("roc_auc", "ROC AUC")
_METRICS = (_ACCURACY, _AUC, Metric(SECONDS, "s per fit", decimals=3, spread=False))

_QUESTION = """\
92 molecules, 47 of them musks. A molecule (bag) takes 2 to 40 shapes (instances) with \
166 measurements each, and smells of musk if one of its shapes does; which one is not \
known. Can the smell of unseen molecules be predicted?"""


def musk_section(settings: Settings) -> Section:
    """Run the cross-validation and write the section.

    Parameters
    ----------
    settings : Settings
        Folds, repeats and epochs.

    Returns
    -------
    Section
        Accuracy and ROC AUC over the folds of all methods.
    """
    outcome = run_folds(
        "MUSK1",
        methods(settings.epochs, scale=True),
        _folds(settings),
        _evaluate,
    )
    n = settings.folds * settings.repeats
    table = Table("musk1", f"mean ± sd over {n} folds", _METRICS, outcome.scores)
    overlap = 1 / (settings.folds - 1)
    return Section(
        title="MUSK1: which molecules smell of musk?",
        question=_QUESTION,
        table=table,
        findings=(finding(table.rows, _AUC, overlap=overlap, reference=SIL),),
        figures=(_figure(table, outcome),),
        protocol=_protocol(settings),
    )


def _folds(settings: Settings) -> list[Fold]:
    """Cut the data into folds, once a repeat."""
    X, y = load_musk1(return_X_y=True)
    return [
        Fold(X[train], y[train], X[test], y[test], seed)
        for seed in range(settings.repeats)
        for train, test in StratifiedKFold(
            settings.folds, shuffle=True, random_state=seed
        ).split(X, y)
    ]


def _evaluate(model: Any, X: Any, y: Any) -> dict[str, float]:
    """Score a model on a test fold."""
    return {
        _ACCURACY.key: accuracy_score(y, model.predict(X)),
        _AUC.key: roc_auc_score(y, model.decision_function(X)),
    }


def _figure(table: Table, outcome: Outcome) -> Figure:
    """Show every fold, and how the nets learned."""
    nets = [
        name
        for name, model in outcome.models[0].items()
        if hasattr(model[-1], "loss_curve_")
    ]
    curves = {name: outcome.loss_curves(name) for name in nets}
    return Figure(
        "Accuracy and ROC AUC: each dot is one test fold, the bar is mean ± sd. A fold "
        "holds few molecules, so few values are possible; dots are spread vertically "
        "to be seen. Training loss: mean and range over the folds.",
        (
            dots_panel("accuracy", table.rows, _ACCURACY),
            dots_panel("roc-auc", table.rows, _AUC),
            loss_panel("loss", curves),
        ),
    )


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    seeds = ", ".join(map(str, range(settings.repeats)))
    return (
        f"{settings.folds}-fold stratified cross-validation, shuffled, repeated "
        f"{settings.repeats}×; folds and methods have random_state {seeds}.",
        "Instances are standardised with the training folds' mean and deviation. "
        f"Nets train {settings.epochs} epochs with the defaults of MILClassifier, on "
        "the CPU. Nothing was tuned, chosen or stopped by looking at test folds.",
        "Made for bags: MILClassifier, a net that scores every instance and takes the "
        "highest score (max pooling) or a weighted mean whose weights it learns "
        "(attention); MISVC, a support vector machine and, in turn, its choice of one "
        "instance for each positive bag; MILES, which describes a bag by how similar "
        "it is to each training instance.",
        "Simple baselines: SIL, single-instance learning, where instances inherit the "
        "label of their bag and a bag scores the maximum; mean, or minimum and "
        "maximum, of each feature over a bag, given to an ordinary classifier.",
        "SIL and MISVC choose their threshold from training bags out of fold, which "
        "counts in their time. The other methods keep theirs.",
        "Methods are compared fold by fold. The intervals allow for training sets that "
        "overlap; they do not allow for the best baseline being picked by the scores "
        "shown, which favours it a little.",
    )
