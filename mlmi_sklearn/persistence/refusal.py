"""What to say about a value that a file cannot hold."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

__all__ = ["refusal_for"]


def refusal_for(estimator: Any) -> Any:
    """Return what makes the message about a value inside an estimator.

    Parameters
    ----------
    estimator : estimator
        What is being saved.

    Returns
    -------
    callable
        ``(value, path) -> str``.
    """
    owner = type(estimator).__name__

    def refusal(value: Any, path: str) -> str:
        what = _describe(value)
        return (
            f"{path} of {owner} is {what}, which a file cannot hold: loading would "
            f"have to run code that it names. {_remedy(estimator, value, path)}"
        )

    return refusal


def _describe(value: Any) -> str:
    if inspect.isclass(value):
        return f"the class {value.__module__}.{value.__qualname__}"
    if inspect.isroutine(value):
        name = getattr(value, "__qualname__", repr(value))
        home = getattr(value, "__module__", None)
        return f"the function {f'{home}.' if home else ''}{name}"
    kind = type(value)
    return f"an object of the class {kind.__module__}.{kind.__qualname__}"


def _remedy(estimator: Any, value: Any, path: str) -> str:
    last = path.rpartition(".")[2].partition("[")[0]
    if "callback" in last:
        return (
            "Callbacks matter in fit alone: set_params(callbacks=None) before saving, "
            "and give them again after loading."
        )
    kind = _kind_of(estimator, path)
    if kind is not None:
        return (
            f"Register it, and pass its name: "
            f'register_component("{kind}", "my-{kind}", factory) in your program, or '
            "a plugin, whose distribution and version are then recorded."
        )
    if hasattr(value, "get_params") or hasattr(value, "fit"):
        return (
            "Register its class in a plugin (hook mlmi_register_estimators), or use "
            "an estimator of scikit-learn."
        )
    return "Pass a plain value, an array, or the name of a registered component."


def _kind_of(estimator: Any, path: str) -> str | None:
    """Return the kind of component that the last parameter on a path takes."""
    known: dict[str, str] = {}
    for candidate in (estimator, *_inner(estimator)):
        known |= getattr(type(candidate), "_components", {})
    for step in reversed(path.replace("[", ".").split(".")):
        if step in known:
            return known[step]
    return None


def _inner(estimator: Any) -> list[Any]:
    params = getattr(estimator, "get_params", dict)
    try:
        found: Mapping[str, Any] = params(deep=True)
    except Exception:  # an estimator that cannot list its parameters
        return []
    return list(found.values())
