"""Whether an estimator keeps to the standard assumption of multiple-instance learning.

That assumption says that a bag is positive if and only if it holds a positive instance.
A model that keeps it can only be moved towards "positive" by what a bag holds, never by
what it lacks and never by how often it holds something. Good scores cannot show that a
model keeps it; the tests of Raff and Holt can show that it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.utils import check_random_state, check_scalar

from ..datasets import make_raff_holt_bags

__all__ = ["AssumptionReport", "check_mil_assumption"]

_MEANING = {
    "single-concept": (
        "it lowers the score of a bag for an instance that only negative bags held in "
        "training: it uses evidence against the class"
    ),
    "multi-concept": (
        "it lowers the score of a bag for an instance that only negative bags held in "
        "training, although concepts of the positive class are there too"
    ),
    "false-frequency": (
        "it counts: many instances of what negative bags held once in training make "
        "it call a bag positive"
    ),
}
_CHANCE = 0.5


@dataclass(frozen=True, repr=False)
class AssumptionReport:
    """What :func:`check_mil_assumption` found.

    Attributes
    ----------
    results : DataFrame
        One row a test: ``train_auc`` and ``test_auc``, areas under the ROC curve of
        bags; ``passed``, whether ``test_auc`` is at least ``bound``; ``verdict``, which
        is "kept", "broken" (``test_auc`` below 0.5) or "undecided" (between).
    bound : float
        The area under the curve to be reached.
    estimator : str
        How the estimator prints.
    """

    results: pd.DataFrame
    bound: float
    estimator: str

    @property
    def passed(self) -> bool:
        """Whether all tests were passed."""
        return bool(self.results["passed"].all())

    def raise_for_failure(self) -> None:
        """Raise an error that explains the tests that were not passed, if any.

        Raises
        ------
        AssertionError
            If a test was not passed.
        """
        if not self.passed:
            raise AssertionError(repr(self))

    def __repr__(self) -> str:
        state = "passed" if self.passed else "not passed"
        lines = [
            f"Multiple-instance assumption of {self.estimator}: {state}",
            self.results.round(3).to_string(),
            *(self._explained(name) for name in self.results.index),
        ]
        return "\n".join(line for line in lines if line)

    def _explained(self, name: str) -> str:
        """Say in words what a test shows; nothing if it was passed."""
        row = self.results.loc[name]
        if row["passed"]:
            return ""
        if row["verdict"] == "broken":
            return (
                f"{name}: test AUC {row['test_auc']:.3f} is below 0.5. The model "
                "learned what no model of the standard assumption can learn: "
                f"{_MEANING[name]}. A maximum over scores of instances, the default of "
                "MILClassifier, cannot."
            )
        return (
            f"{name}: test AUC {row['test_auc']:.3f} is below {self.bound:g}, but not "
            f"below 0.5, with train AUC {row['train_auc']:.3f}. That breaks nothing, "
            "but the model learned too little to tell: train it longer or on more bags."
        )


def check_mil_assumption(
    estimator: Any,
    *,
    tests: Sequence[str] | None = None,
    n_bags: int = 500,
    n_features: int = 16,
    bound: float = 0.7,
    random_state: Any = None,
) -> AssumptionReport:
    """Run the algorithmic unit tests of Raff and Holt on an estimator of bags.

    Each test trains a copy of the estimator on bags that hold an easy signal of a kind
    that the assumption "positive if and only if one instance is" rules out, and scores
    it on bags where that signal is reversed. A model that keeps the assumption cannot
    use it and loses little; one that uses it has an area under the ROC curve of nearly
    one in training and of less than 0.5 in testing. See
    :func:`~mlmi_sklearn.datasets.make_raff_holt_bags` for the bags.

    Parameters
    ----------
    estimator : estimator
        Any classifier of bags with ``decision_function`` or ``predict_proba``, not
        necessarily deep, not necessarily of this package; a pipeline too. It is not
        changed.
    tests : sequence of str, default=None
        Which of ``"single-concept"``, ``"multi-concept"`` and ``"false-frequency"``;
        None for all.
    n_bags : int, default=500
        Bags to train on and bags to test on, at least 2. 200 are enough for a first
        look.
    n_features : int, default=16
        Number of features, at least 1.
    bound : float, default=0.7
        Area under the ROC curve, in [0.5, 1], to be reached in testing. Below 0.5 the
        assumption is broken; between, too little was learned to tell.
    random_state : int, RandomState instance or None, default=None
        Determines the bags, not the estimator.

    Returns
    -------
    AssumptionReport
        With ``passed``, ``results`` and ``raise_for_failure()``; prints as a table with
        explanations.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    To pass is no proof: a model may break the assumption in ways not tested here. To
    fail with less than 0.5 is one.

    The second test cannot be solved perfectly by a maximum over instances, since both
    of its concepts occur in negative bags; instance-level max pooling reaches about
    0.8.

    References
    ----------
    Raff, E. and Holt, J. (2023). Reproducibility in multiple instance learning: a case
    for algorithmic unit tests. NeurIPS (arXiv:2310.17867).

    Examples
    --------
    >>> from mlmi_sklearn import MILClassifier
    >>> from mlmi_sklearn.mil import check_mil_assumption
    >>> model = MILClassifier(pooling="attention", max_epochs=20, random_state=0)
    >>> report = check_mil_assumption(
    ...     model, tests=["single-concept"], n_bags=100, random_state=0
    ... )
    >>> report.passed, report.results["verdict"]["single-concept"]
    (False, 'broken')
    """
    names = _checked(tests)
    check_scalar(n_bags, "n_bags", Integral, min_val=2)
    check_scalar(bound, "bound", Real, min_val=_CHANCE, max_val=1)
    # Drawn for all tests, so that the bags of one do not depend on the others.
    drawn = check_random_state(random_state).randint(2**31 - 1, size=(len(_MEANING), 2))
    seeds = dict(zip(_MEANING, drawn.tolist(), strict=True))
    rows = {
        name: _run(estimator, name, (n_bags, n_features), seeds[name]) for name in names
    }
    results = pd.DataFrame.from_dict(
        rows, orient="index", columns=["train_auc", "test_auc"]
    ).rename_axis("test")
    found = results["test_auc"]
    results["passed"] = found >= bound
    verdicts = np.where(found < _CHANCE, "broken", "undecided")
    results["verdict"] = np.where(results["passed"], "kept", verdicts)
    return AssumptionReport(results, float(bound), repr(estimator))


def _run(
    estimator: Any, test: Any, size: tuple[int, int], seeds: Sequence[int]
) -> tuple[float, float]:
    """Return the areas under the ROC curve in training and in testing."""
    sets = [
        make_raff_holt_bags(test, *size, split="train", random_state=seeds[0]),
        make_raff_holt_bags(test, *size, split="test", random_state=seeds[1]),
    ]
    fitted = clone(estimator).fit(*sets[0])
    auc = get_scorer("roc_auc")
    train, other = (float(auc(fitted, X, y)) for X, y in sets)
    return train, other


def _checked(tests: Any) -> list[str]:
    """Return the names of the tests to run."""
    if tests is None:
        return list(_MEANING)
    names = [tests] if isinstance(tests, str) else list(tests)
    unknown = [name for name in names if name not in _MEANING]
    if unknown or not names:
        raise ValueError(f"tests must be among {list(_MEANING)}, got {tests!r}.")
    return names
