"""Checks of constructor arguments, shared by the parts of a net."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from ..components.naming import did_you_mean

__all__ = [
    "check_at_least",
    "check_choice",
    "check_interval",
    "check_positive_int",
    "check_sizes",
]


def check_positive_int(value: Any, name: str) -> int:
    """Return `value` as int if it is an integer of at least 1."""
    return check_at_least(value, name, 1)


def check_at_least(value: Any, name: str, low: int) -> int:
    """Return `value` as int if it is an integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")
    return int(value)


def check_sizes(value: Any, name: str) -> tuple[int, ...]:
    """Return an int or sequence of ints as a tuple of positive ints."""
    sizes = value if isinstance(value, Iterable) else (value,)
    if isinstance(sizes, str):
        raise ValueError(f"{name} must be a tuple of integers, got {value!r}.")
    return tuple(check_positive_int(size, f"every entry of {name}") for size in sizes)


def check_interval(
    value: Any,
    name: str,
    low: float = 0.0,
    high: float = float("inf"),
    closed: str = "both",
) -> float:
    """Return `value` as float if it lies between `low` and `high`.

    `closed` says which ends belong to the interval: "both", "left", "right" or
    "neither"; infinity never does.
    """
    left = "[" if closed in ("both", "left") else "("
    right = "]" if closed in ("both", "right") and high != float("inf") else ")"
    inside = isinstance(value, Real) and not isinstance(value, bool)
    if inside:
        above = value >= low if left == "[" else value > low
        below = value <= high if right == "]" else value < high
        inside = above and below
    if not inside:
        raise ValueError(
            f"{name} must be a number in {left}{low:g}, {high:g}{right}, got {value!r}."
        )
    return float(value)


def check_choice(value: Any, name: str, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`."""
    options = sorted(choices)
    if value not in options:
        hint = did_you_mean(value, options) if isinstance(value, str) else ""
        raise ValueError(
            f"{name}={value!r} is unknown.{hint} Choose from {', '.join(options)}."
        )
    return str(value)
