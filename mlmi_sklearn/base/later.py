"""Fitted attributes that are made when somebody asks for them.

Scores of a search need outputs of nets and no net: it would be built, wrapped and given
a history, only to be thrown away. An estimator whose weights lie among those of many
nets (:mod:`.many`) therefore holds an :class:`Unbuilt` in place of it. :class:`Later`
makes the attributes when the first of them is read; until then, outputs that are known
already can be remembered and recalled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .keys import same_data

__all__ = ["Later", "finish", "recall", "remember", "unbuilt"]

Array = NDArray[Any]

_KEY = "_unbuilt"


class Unbuilt:
    """How to make a net, and what it is known to say."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self.make = make
        self.known: list[tuple[Any, Array]] = []


class Later:
    """Stands in the class for an attribute that an instance may have to make first.

    An instance that has the attribute is not slowed down: its own come first.

    Examples
    --------
    >>> class Model:
    ...     net_ = Later()
    >>> model = Model()
    >>> hasattr(model, "net_")
    False
    >>> vars(model).update(unbuilt(lambda: {"net_": "built"}))
    >>> "net_" in vars(model), model.net_, "net_" in vars(model)
    (False, 'built', True)
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            finish(instance)
            if self.name in vars(instance):
                return vars(instance)[self.name]
        kind = "type object" if instance is None else "object of class"
        name = f"{kind} {owner.__name__!r}"
        raise AttributeError(f"{name} has no attribute {self.name!r}")


def unbuilt(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what makes an instance get further attributes when they are needed."""
    return {_KEY: Unbuilt(make)}


def finish(instance: Any) -> None:
    """Make what is still to be made, and forget what was remembered till then."""
    waiting = vars(instance).get(_KEY)
    if waiting is not None:
        made = waiting.make()
        del vars(instance)[_KEY]
        vars(instance).update(made)


def remember(estimator: Any, X: Any, raw: Array) -> None:
    """Let an estimator without a net answer at once when it is asked about X.

    Parameters
    ----------
    estimator : TorchEstimator
        With a net that is not built yet.
    X : object
        Samples, which must not change.
    raw : ndarray of shape (n_samples, n_outputs)
        Outputs of its net for them.
    """
    vars(estimator)[_KEY].known.append((X, raw))


def recall(estimator: Any, X: Any) -> Array | None:
    """Return outputs that an estimator remembers for X; None if it has to compute."""
    waiting = vars(estimator).get(_KEY)
    if waiting is not None:
        for seen, raw in waiting.known:
            if same_data(X, seen):
                return np.array(raw)
    return None
