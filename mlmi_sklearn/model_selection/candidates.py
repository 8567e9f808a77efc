"""The candidates of a search and their common rival: the same without adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

from sklearn.model_selection import ParameterGrid

__all__ = ["Candidate", "adaptation_off", "make_candidates"]

_SWITCHES = ("lambda_", "entropy", "entropy_weight")


@dataclass(frozen=True)
class Candidate:
    """Parameters to try.

    Parameters
    ----------
    params : dict
        What ``set_params`` gets.
    is_control : bool
        Whether they switch adaptation off.
    """

    params: dict[str, Any]
    is_control: bool


def adaptation_off(estimator: Any) -> dict[str, Any]:
    """Return the parameters that make an estimator learn from the source alone.

    Parameters
    ----------
    estimator : estimator
        May hold others, as a pipeline does.

    Returns
    -------
    dict
        0 for each parameter called ``lambda_``, ``entropy`` or ``entropy_weight``,
        under its nested name.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> from sklearn.pipeline import make_pipeline
    >>> class Adapter(BaseEstimator):
    ...     def __init__(self, lambda_=0.3, lr=0.1):
    ...         self.lambda_, self.lr = lambda_, lr
    ...     def fit(self, X, y):
    ...         return self
    >>> adaptation_off(make_pipeline(Adapter()))
    {'adapter__lambda_': 0}
    """
    switches = {
        name: 0
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.split("__")[-1] in _SWITCHES
        and isinstance(value, Number)
        and not isinstance(value, bool)
    }
    if not switches:
        raise ValueError(
            f"{type(estimator).__name__} has no parameter lambda_, entropy or "
            "entropy_weight that would switch adaptation off; say in control={...} "
            "which parameters do."
        )
    return switches


def make_candidates(
    estimator: Any,
    param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    control: Mapping[str, Any] | None,
) -> list[Candidate]:
    """Return the controls, then the candidates that adapt.

    There is one control for each setting of the other parameters in the grid, so that
    adaptation cannot win by a better learning rate.

    Parameters
    ----------
    estimator : estimator
        Its other parameters count as they are.
    param_grid : dict or list of dict
        As for :class:`sklearn.model_selection.GridSearchCV`.
    control : dict or None
        Parameters that switch adaptation off; None to find them.

    Returns
    -------
    list of Candidate
        Without repetitions.
    """
    off = adaptation_off(estimator) if control is None else dict(control)
    present = {name: estimator.get_params(deep=True).get(name) for name in off}
    controls: list[dict[str, Any]] = []
    adapted: list[dict[str, Any]] = []
    for setting in ParameterGrid(param_grid):
        plain = {**setting, **off}
        if plain not in controls:
            controls.append(plain)
        # What the estimator itself says counts too: lambda_=0 alone is the control
        # of an estimator whose entropy is 0 anyway.
        if any({**present, **setting}[name] != off[name] for name in off):
            adapted.append(setting)
    return [Candidate(params, True) for params in controls] + [
        Candidate(params, False) for params in adapted
    ]
