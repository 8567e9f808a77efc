"""Instances of registered estimators, for the checks."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.linear_model import LogisticRegression, Ridge

from ..components import Component
from ._core import ContractError

__all__ = ["build_estimator"]

# What scikit-learn's own estimators call an estimator that they cannot do without.
_MEMBERS = frozenset({"estimator", "base_estimator", "classifier", "regressor"})


def build_estimator(part: Component) -> Any:
    """Make an instance of a registered estimator, as the checks need it.

    Parameters
    ----------
    part : Component
        Of the kind "estimator". Arguments come from its `example`; a required one
        called ``estimator`` (or ``base_estimator``, ``classifier``, ``regressor``)
        that is not there is a small linear model of scikit-learn.

    Returns
    -------
    estimator
        An instance.

    Raises
    ------
    ContractError
        If an argument is missing, or the class refuses what it is given.

    Examples
    --------
    >>> from mlmi_sklearn import find_component
    >>> from mlmi_sklearn.testing._construction import build_estimator
    >>> build_estimator(find_component("estimator", "MISVC"))
    MISVC()
    """
    cls = part.load()
    params: dict[str, Any] = dict(part.example)
    needed = _required(cls)
    params |= {
        name: _member(part) for name in needed if name in _MEMBERS - params.keys()
    }
    missing = [name for name in needed if name not in params]
    if missing:
        given = ", ".join(f'"{name}": ...' for name in missing)
        raise ContractError(
            f"its __init__ needs {', '.join(missing)}. Give every parameter a default, "
            f"as scikit-learn asks, or pass register(..., example={{{given}}})."
        )
    try:
        return cls(**params)
    except Exception as error:
        raise ContractError(
            f"{part.name}({', '.join(f'{k}={v!r}' for k, v in params.items())}) raised "
            f"{type(error).__name__}: {error} Let __init__ only store its arguments, "
            "and check them in fit."
        ) from error


def _required(cls: Any) -> list[str]:
    """Return the parameters that have no default."""
    try:
        found = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in found if p.default is p.empty and p.kind not in variable]


def _member(part: Component) -> Any:
    """Return the plainest estimator that fits the tag `type`."""
    return Ridge() if part.tags.get("type") == "regressor" else LogisticRegression()
