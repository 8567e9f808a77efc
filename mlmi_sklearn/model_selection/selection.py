"""Choose hyper-parameters of domain adaptation without labels of the target."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state, check_scalar

from mlmi_sklearn.containers.domains import Domains
from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.metrics import make_domain_scorer
from mlmi_sklearn.metrics.domain_scorers._domains import plain_labels
from mlmi_sklearn.metrics.domain_scorers._fitting import domain_fit_params
from mlmi_sklearn.model_selection._rows import (
    named_targets,
    needed_domains,
    numbered,
    unknown_labels,
)
from mlmi_sklearn.model_selection.candidates import Candidate, make_candidates
from mlmi_sklearn.model_selection.trials import Trials, paired_gain

__all__ = ["SafeSelection", "safe_select"]


@dataclass(frozen=True)
class SafeSelection:
    """What :func:`safe_select` chose, and why.

    Parameters
    ----------
    best_estimator_ : estimator
        Fitted on all rows.
    best_params_ : dict
        Its parameters, as far as they were in question.
    chose_control : bool
        Whether it does not adapt.
    table : DataFrame
        One row a candidate; see :func:`safe_select`.
    verdict : str
        The reason in a sentence.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.model_selection import SafeSelection
    >>> table = pd.DataFrame({"lambda_": [0, 1], "score": [0.8, 0.7]})
    >>> found = SafeSelection("a model", {"lambda_": 0}, True, table, "No adaptation.")
    >>> found.chose_control, found.best_params_
    (True, {'lambda_': 0})
    """

    best_estimator_: Any
    best_params_: dict[str, Any]
    chose_control: bool
    table: pd.DataFrame
    verdict: str

    def __str__(self) -> str:
        return self.verdict


def safe_select(
    estimator: Any,
    param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    X: Any,
    y: Any,
    sample_domain: Any = None,
    *,
    scoring: str | Callable[..., float] = "reverse",
    control: Mapping[str, Any] | None = None,
    margin: float = 0.0,
    n_repeats: int = 3,
    validation_fraction: float = 0.25,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> SafeSelection:
    """Choose hyper-parameters without target labels, and adapt only if it helps.

    Adaptation can end below a model of the source alone, and without labels of the
    target nobody sees it. So the model without adaptation, the control, is always
    among the candidates. Another one is chosen only if it beats the control on the
    same splits by more than the standard error of the difference, and, where `scoring`
    is not reverse validation, if reverse validation does not find it worse by more
    than a standard error.

    Parameters
    ----------
    estimator : estimator
        Such as ``DANNClassifier`` or a pipeline that ends with one.
    param_grid : dict or list of dict
        As for :class:`sklearn.model_selection.GridSearchCV`; ``{}`` asks whether the
        estimator, as it is, should adapt.
    X : array-like of shape (n, ...)
        Rows of all domains.
    y : array-like of shape (n,)
        Labels. Those of target rows are used by nothing but an estimator told to.
    sample_domain : array-like of shape (n,), scalar or None, default=None
        Ids: at least 0 for sources, below 0 for targets, or names if the estimator has
        ``target_domains``. With None, rows with the unlabelled marker in y are the
        target.
    scoring : str or callable, default="reverse"
        Reverse validation; another name that
        :func:`~mlmi_sklearn.metrics.make_domain_scorer` knows, such as "im" or "bnm";
        or ``scorer(estimator, X, y, sample_domain=...)``. Larger is better.
    control : dict or None, default=None
        Parameters that switch adaptation off. None sets all that are called
        ``lambda_``, ``entropy`` and ``entropy_weight`` to 0, also inside a pipeline.
        There is a control for each setting of the other parameters in the grid.
    margin : float, default=0.0
        By how much more, in units of the score, the control must be beaten; at least 0.
    n_repeats : int, default=3
        Splits to score on, each with its own seed; at least 2.
    validation_fraction : float, default=0.25
        Share of rows held out for scoring, above 0 and below 1.
    random_state : int, RandomState instance or None, default=None
        Determines the seeds of splits and, while candidates are compared, of the
        estimator.
    n_jobs : int or None, default=None
        Fits at a time, as in scikit-learn.

    Returns
    -------
    SafeSelection
        With ``best_estimator_``, ``best_params_``, ``chose_control``, ``verdict`` and
        ``table``. That has the parameters and ``control`` (whether it is one),
        ``score`` and ``sd`` over splits, ``gain`` over the best control and its
        standard error ``gain_se``, ``reverse_gain`` and ``reverse_se`` as far as they
        were needed, and ``chosen``.

    Raises
    ------
    ValueError
        If nothing says which rows are the target, or how to switch adaptation off.

    Warns
    -----
    DomainWarning
        If the control is chosen.
    FitFailedWarning
        If a candidate cannot be fitted; its score is NaN, and it is not chosen.

    Notes
    -----
    Reverse validation fits twice. So the default costs ``2 * n_repeats`` fits for each
    candidate and control, another `scoring` ``n_repeats``, and then
    ``2 * n_repeats`` for the control and each candidate that had to be guarded.

    References
    ----------
    Zhong, E. et al. (2010). Cross validation framework to choose amongst models and
    datasets for transfer learning. ECML PKDD. Ganin, Y. et al. (2016), section 5.1.2.

    Examples
    --------
    >>> from mlmi_sklearn import DANNClassifier
    >>> from mlmi_sklearn.datasets import make_rotated_moons
    >>> from mlmi_sklearn.model_selection import safe_select
    >>> X, y, sample_domain = make_rotated_moons(n_samples=60, random_state=0)
    >>> found = safe_select(
    ...     DANNClassifier(hidden_layer_sizes=(15,), max_epochs=30, random_state=0),
    ...     {"lambda_": [0.3, 1.0]}, X, y, sample_domain, margin=1, random_state=0,
    ... )
    >>> found.chose_control, found.best_params_["lambda_"]
    (True, 0)
    >>> found.table[["lambda_", "control", "chosen"]]
      lambda_  control  chosen
    0       0     True    True
    1     0.3    False   False
    2     1.0    False   False

    (No score exceeds another by ``margin=1``; leave it at 0.)
    """
    check_scalar(margin, "margin", Real, min_val=0)
    check_scalar(n_repeats, "n_repeats", Integral, min_val=2)
    check_scalar(
        validation_fraction,
        "validation_fraction",
        Real,
        min_val=0,
        max_val=1,
        include_boundaries="neither",
    )
    scorer = _as_scorer(scoring)
    candidates = make_candidates(estimator, param_grid, control)
    domains = needed_domains(
        "safe_select", X, y, sample_domain, named_targets(estimator)
    )
    model, ids = numbered(estimator, domains)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=n_repeats)
    trials = Trials(
        model, X, y, ids, float(validation_fraction), seeds.tolist(), n_jobs
    )
    table, winner = _compare(trials, candidates, scorer, float(margin))
    verdict = _verdict(table, winner, scoring)
    if candidates[winner].is_control:
        warnings.warn(verdict, DomainWarning, stacklevel=2)
    chosen = candidates[winner]
    best = _refitted(clone(estimator).set_params(**chosen.params), X, y, domains)
    return SafeSelection(best, chosen.params, chosen.is_control, table, verdict)


def _as_scorer(scoring: Any) -> Callable[..., float] | None:
    """Return a scorer; None for reverse validation, which fits by itself."""
    if callable(scoring):
        return cast("Callable[..., float]", scoring)
    if scoring == "reverse":
        return None
    try:
        return make_domain_scorer(scoring)
    except ValueError as error:
        raise ValueError(
            f"scoring={scoring!r} is no score that does without labels of the target: "
            f"{error}"
        ) from None


def _compare(
    trials: Trials,
    candidates: Sequence[Candidate],
    scorer: Callable[..., float] | None,
    margin: float,
) -> tuple[pd.DataFrame, int]:
    """Score candidates, and return the table and the position of the chosen one."""
    scores = trials.scores(candidates, scorer)
    present = trials.estimator.get_params()
    names = list(dict.fromkeys(name for c in candidates for name in c.params))
    rows = [
        [c.params.get(name, present.get(name)) for name in names] for c in candidates
    ]
    table = pd.DataFrame(rows, columns=names, dtype=object)
    table["control"] = [candidate.is_control for candidate in candidates]
    table["score"] = scores.mean(axis=1)
    table["sd"] = scores.std(axis=1, ddof=1)
    rival = int(np.nanargmax(table["score"].where(table["control"])))
    gains = [paired_gain(row, scores[rival]) for row in scores]
    table[["gain", "gain_se"]] = gains
    better = ~table["control"] & (table["gain"] - table["gain_se"] > margin)
    ranking = table["score"][better].sort_values(ascending=False, kind="stable").index
    if scorer is None:
        winner = next(iter(ranking), rival)
    else:
        winner = _guarded(trials, candidates, table, list(ranking), rival)
    table["chosen"] = table.index == winner
    return table, int(winner)


def _guarded(
    trials: Trials,
    candidates: Sequence[Candidate],
    table: pd.DataFrame,
    ranking: list[int],
    rival: int,
) -> int:
    """Return the first of a ranking that reverse validation does not find worse."""
    table[["reverse_gain", "reverse_se"]] = np.nan
    control = trials.scores([candidates[rival]], None)[0] if ranking else None
    for number in ranking:
        gain, error = paired_gain(
            trials.scores([candidates[number]], None)[0], np.asarray(control)
        )
        table.loc[number, ["reverse_gain", "reverse_se"]] = gain, error
        if gain + error >= 0:
            return number
    return rival


def _verdict(table: pd.DataFrame, winner: int, scoring: Any) -> str:
    """Say in a sentence what was chosen and why."""
    by = scoring if isinstance(scoring, str) else "the scorer"
    row = table.iloc[winner]
    if not row["control"]:
        return (
            f"Adaptation chosen: by {by} it scores {row['score']:.3f}, "
            f"{row['gain']:.3f} +- {row['gain_se']:.3f} above the control without it."
        )
    adapted = table[~table["control"].astype(bool)]
    gain = adapted["gain"].max()
    if np.isnan(gain):
        reason = "there was no other candidate that could be fitted"
    elif "reverse_gain" in table and adapted["reverse_gain"].notna().any():
        reason = f"those better by {by} were worse by reverse validation"
    else:
        best = adapted.iloc[int(np.nanargmax(adapted["gain"]))]
        reason = (
            f"the best other candidate differs from it by {best['gain']:+.3f} +- "
            f"{best['gain_se']:.3f} by {by}"
        )
    return (
        f"The control, which learns from the source alone, was chosen: {reason}. "
        "Adaptation does not show a benefit for this target, and may do harm."
    )


def _refitted(model: Any, X: Any, y: Any, domains: Domains) -> Any:
    """Fit on all rows; on labelled source rows where domains mean nothing to it."""
    with config_context(enable_metadata_routing=True):
        if params := domain_fit_params(model, domains.ids):
            return model.fit(X, y, **params)
    rows = ~domains.is_target & ~unknown_labels(y)
    return model.fit(_safe_indexing(X, rows), plain_labels(_safe_indexing(y, rows)))
