"""Fits done ahead of time, and taken where the same fit is asked for.

A search over parameters asks for many fits one by one. What trains several nets at
once has to know them all before; so it trains them ahead (:mod:`.many`) and offers the
results here for as long as the search runs. A fit is recognised by what goes into it:
the class, the parameters, the data. Anything else is fitted as ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .keys import params_key, same_data

__all__ = ["Prefitted", "offered", "take_prefitted"]

Outcome = dict[str, Any] | BaseException
_Data = tuple[Any, Any, Any]


class Prefitted:
    """Results of fits, found by parameters and data.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> model, results = LinearRegression(), Prefitted()
    >>> results.add(model, [[1.0]], [2.0], None, {"coef_": 2})
    >>> [results.take(model, [[x]], [2.0], None) for x in (3.0, 1.0, 1.0)]
    [None, {'coef_': 2}, None]
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[tuple[_Data, Outcome]]] = defaultdict(list)

    def add(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any, outcome: Outcome
    ) -> None:
        """Offer the fitted attributes of a fit, or the error it ended with.

        Parameters
        ----------
        estimator : BaseEstimator
            With the parameters of the fit.
        X, y, sample_weight : object
            Its data.
        outcome : dict or BaseException
            What came of it.
        """
        key = params_key(estimator)
        self._waiting[key].append(((X, y, sample_weight), outcome))

    def take(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any
    ) -> Outcome | None:
        """Hand an outcome out, once; None if there is none (left).

        Parameters
        ----------
        estimator : BaseEstimator
            With parameters.
        X, y, sample_weight : object
            Data; compared by content and not by identity.

        Returns
        -------
        dict, BaseException or None
            The outcome.
        """
        data = X, y, sample_weight
        waiting = self._waiting.get(params_key(estimator), [])
        for number, (known, outcome) in enumerate(waiting):
            if all(map(same_data, data, known)):
                del waiting[number]
                return outcome
        return None


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
    if results is None or hasattr(estimator, "net_"):
        return False
    outcome = results.take(estimator, X, y, sample_weight)
    if outcome is None:
        return False
    if isinstance(outcome, BaseException):
        raise outcome.with_traceback(None)  # it would grow with every fit that failed
    vars(estimator).update(outcome)
    return True
