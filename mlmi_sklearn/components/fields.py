"""Checks of what a component was registered with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["check_factory", "check_members", "frozen"]

_LAZY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def check_factory(label: str, factory: object) -> None:
    """Raise unless a factory is a callable or names one.

    Parameters
    ----------
    label : str
        Kind and name of the component, for messages.
    factory : object
        What was given.

    Raises
    ------
    ValueError, TypeError
        When it is neither.

    Examples
    --------
    >>> from mlmi_sklearn.components.fields import check_factory
    >>> check_factory("loss 'total'", "builtins:sum")
    """
    if isinstance(factory, str):
        if not _LAZY.fullmatch(factory):
            raise ValueError(
                f"factory {factory!r} of {label} must look like "
                "'package.module:attribute'."
            )
    elif not callable(factory):
        raise TypeError(
            f"factory of {label} must be a callable or a string "
            f"'package.module:attribute', got {type(factory).__name__}: {factory!r}."
        )


def check_members(label: str, tags: Mapping[str, Any]) -> None:
    """Raise unless the tags of a family name a few of its members.

    Parameters
    ----------
    label : str
        Kind and name of the family, for messages.
    tags : mapping
        Its tags.

    Raises
    ------
    ValueError
        When they do not.

    Examples
    --------
    >>> from mlmi_sklearn.components.fields import check_members
    >>> check_members("backbone 'timm:*'", {"members": ("resnet18",)})
    """
    given = tags.get("members")
    if (
        not isinstance(given, tuple | list)
        or not given
        or not all(isinstance(member, str) and member for member in given)
    ):
        raise ValueError(
            f"{label} stands for many parts, so its tags must name a few of them, as "
            f"in tags={{'members': ('one', 'two')}}: the checks try these. Got "
            f"{given!r}."
        )


def frozen(label: str, key: str, value: object) -> Mapping[str, Any]:
    """Return a read-only copy of a mapping whose keys can be used as keywords.

    Parameters
    ----------
    label : str
        Kind and name of the component, for messages.
    key : {"tags", "example"}
        Which field it is.
    value : object
        What was given.

    Returns
    -------
    mapping of str to object
        A view of a copy.

    Raises
    ------
    ValueError, TypeError
        When it is no such mapping.

    Examples
    --------
    >>> from mlmi_sklearn.components.fields import frozen
    >>> dict(frozen("loss 'total'", "tags", {"task": "regression"}))
    {'task': 'regression'}
    """
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{key} of {label} must be a mapping, got {type(value).__name__}: "
            f"{value!r}."
        )
    # list_components(kind, builtin=..., **tags) could never select by these.
    reserved = {"kind", "builtin"} if key == "tags" else set()
    for name in value:
        if not (isinstance(name, str) and name.isidentifier()) or name in reserved:
            but = f", other than {sorted(reserved)}" if reserved else ""
            raise ValueError(
                f"{key} of {label} has the key {name!r}; keys must be usable as "
                f"keyword arguments{but}."
            )
    return MappingProxyType(dict(value))
