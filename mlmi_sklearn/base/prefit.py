"""Fits done ahead of time, and taken where the same fit is asked for.

A search over parameters asks for many fits one by one. What trains several nets at
once has to know them all before; so it fits them ahead (:func:`~.many.fit_many`) and
offers the results here for as long as the search runs. A fit is recognised by what goes
into it: the class, the parameters, the data. Anything else is fitted as ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import joblib

__all__ = ["Prefitted", "fit_key", "offered", "take_prefitted"]

Outcome = dict[str, Any] | BaseException


def fit_key(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> str:
    """Return a digest of all that a fit depends on.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of the fit.
    X, y, sample_weight : object
        The data, by content and not by identity.

    Returns
    -------
    str
        Equal for equal fits.
    """
    params = estimator.get_params(deep=False)
    return joblib.hash((type(estimator), params, X, y, sample_weight))


class Prefitted:
    """Results of fits by their keys.

    Examples
    --------
    >>> results = Prefitted()
    >>> results.add("key", {"coef_": 1})
    >>> results.take("key"), results.take("key")
    ({'coef_': 1}, None)
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, list[Outcome]] = defaultdict(list)

    def __len__(self) -> int:
        return sum(map(len, self._outcomes.values()))

    def add(self, key: str, outcome: Outcome) -> None:
        """Offer the fitted attributes of a fit, or the error it ended with."""
        self._outcomes[key].append(outcome)

    def take(self, key: str) -> Outcome | None:
        """Hand an outcome out, once; None if there is none (left)."""
        waiting = self._outcomes.get(key)
        return waiting.pop(0) if waiting else None


_OFFERED: ContextVar[Prefitted | None] = ContextVar("offered", default=None)


@contextmanager
def offered(results: Prefitted) -> Iterator[None]:
    """Let fits in this block take what is there for them."""
    token = _OFFERED.set(results)
    try:
        yield
    finally:
        _OFFERED.reset(token)


def take_prefitted(estimator: Any, X: Any, y: Any, sample_weight: Any) -> bool:
    """Give an estimator the result of the fit it is about to do, if there is one.

    Parameters
    ----------
    estimator : TorchEstimator
        Not fitted yet.
    X, y, sample_weight : object
        The data of the fit.

    Returns
    -------
    bool
        Whether it is fitted now.

    Raises
    ------
    BaseException
        What the fit raised when it was done ahead.
    """
    results = _OFFERED.get()
    if not results or hasattr(estimator, "net_"):
        return False
    outcome = results.take(fit_key(estimator, X, y, sample_weight))
    if outcome is None:
        return False
    if isinstance(outcome, BaseException):
        raise outcome
    vars(estimator).update(outcome)
    return True
