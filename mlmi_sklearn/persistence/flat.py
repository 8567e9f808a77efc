"""States of estimators in which one class is named: that of the estimator.

An estimator keeps small objects of its own, such as the recipe of its net. In a pickle
or a skops file each would be a class of ours that a reader has to trust, and that can
never be renamed. :func:`flatten` turns them into plain containers around arrays, as in
a file of :func:`~mlmi_sklearn.save`, and leaves everything else as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from inspect import signature
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ..containers import Bags
from .classes import class_name
from .codec import Codec, Node, Reader, Writer, field_of
from .objects import OBJECTS
from .plain import PLAIN
from .torch_values import TORCH

__all__ = ["PlainState", "expand", "flatten", "with_new_params"]

_MARK = "flat"


def _pack_bags(writer: Writer, value: Bags, path: str) -> dict[str, Node]:
    # As pickle has it: what lies in a file is referred to, not read.
    state = value.__getstate__()
    return {"state": [[k, writer.pack(v, f"{path}.{k}")] for k, v in state.items()]}


def _unpack_bags(reader: Reader, node: dict[str, Node]) -> Bags:
    made = object.__new__(Bags)
    state = {k: reader.unpack(v) for k, v in field_of(node, "state", list)}
    made.__setstate__(state)
    return made


def _is_ours(value: Any) -> bool:
    """Whether a value is of a class of this package that a state can do without."""
    name = class_name(type(value))
    return name is not None and name.startswith(("inner:", "mlmi-sklearn:"))


_BY_TAG = {codec.tag: codec for codec in (*PLAIN, *TORCH, *OBJECTS)}
_BAGS = Codec("bags", lambda v: type(v) is Bags, _pack_bags, _unpack_bags, shared=True)
_OBJECT = _BY_TAG["object"]
_CODECS: tuple[Codec, ...] = (
    _BY_TAG["sequence"],
    _BY_TAG["mapping"],
    _BY_TAG["tensor"],
    _BY_TAG["module"],
    _BY_TAG["spec"],
    _BY_TAG["row"],
    _BAGS,
    Codec("object", _is_ours, _OBJECT.pack, _OBJECT.unpack, shared=True),
)
_READ = {codec.tag: codec for codec in _CODECS}
_SPECIAL = ("spec", "bags", "row", "object", "tensor", "module")


class _Flattener(Writer):
    """A writer that keeps what it has no codec for, and counts what it flattened."""

    def __init__(self) -> None:
        super().__init__(_CODECS, lambda value, path: path)
        self.count = 0

    def _packed(self, value: Any, path: str) -> Node:
        if isinstance(value, Bunch) or any(
            c.tag in _SPECIAL and c.handles(value) for c in self.codecs
        ):
            self.count += 1
        known = type(value) is list or any(c.handles(value) for c in self.codecs)
        return super()._packed(value, path) if known else value

    def _again(self, key: int) -> Node:
        self.count += 1
        return super()._again(key)


class _Expander(Reader):
    """A reader that keeps what is no node."""

    def unpack(self, node: Node) -> Any:
        """Return the value of a node, or what is none as it is."""
        return super().unpack(node) if type(node) in (dict, list) else node


def flatten(state: dict[str, Any], params: Collection[str] = ()) -> dict[str, Any]:
    """Return a state without objects of classes of this package.

    Parameters
    ----------
    state : dict
        Attributes of an estimator.
    params : collection of str, default=()
        Attributes that are parameters: estimators in them are left as they are.

    Returns
    -------
    dict
        The same keys.

    Examples
    --------
    >>> from mlmi_sklearn import MLPBackbone
    >>> state = {"backbone": MLPBackbone(hidden=(4,)), "lr": 0.1}
    >>> flat = flatten(state)
    >>> type(flat["backbone"]).__name__, flat["lr"]
    ('dict', 0.1)
    >>> expand(flat)
    {'backbone': MLPBackbone(hidden=(4,)), 'lr': 0.1}
    """
    flattener = _Flattener()
    found = {}
    for key, value in sorted(state.items()):
        found[key] = value
        if key in params and isinstance(value, BaseEstimator) and not _is_spec(value):
            continue
        before = flattener.count
        packed = flattener.pack(value, key)
        if flattener.count > before:
            found[key] = {_MARK: packed}
    return found


def expand(state: dict[str, Any]) -> dict[str, Any]:
    """Undo :func:`flatten`.

    Parameters
    ----------
    state : dict
        From :func:`flatten`, or a state in which nothing is flat.
    """
    expander = _Expander(_READ, {})
    return {
        key: expander.unpack(value[_MARK]) if _is_flat(value) else value
        for key, value in sorted(state.items())
    }


def with_new_params(kind: type, state: dict[str, Any]) -> dict[str, Any]:
    """Add the parameters that a class has got since a state was written.

    Their defaults are what the class did before it had them.

    Parameters
    ----------
    kind : type
        Class of the estimator.
    state : dict
        Its attributes.

    Returns
    -------
    dict
        All parameters of the constructor among them.

    Examples
    --------
    >>> from mlmi_sklearn import NetClassifier
    >>> with_new_params(NetClassifier, {"lr": 0.1})["batch_size"]
    128
    """
    accepted = signature(kind).parameters.values()
    defaults = {p.name: p.default for p in accepted if p.default is not p.empty}
    return {**defaults, **state}


class PlainState:
    """Mixin, before :class:`~sklearn.base.BaseEstimator`: pickle the plain state."""

    def __getstate__(self) -> dict[str, Any]:
        params: Any = getattr(self, "get_params", dict)
        state: Any = super().__getstate__()
        return flatten(state, params(deep=False))

    def __setstate__(self, state: dict[str, Any]) -> None:
        parent: Any = super()
        parent.__setstate__(with_new_params(type(self), expand(state)))


def _is_flat(value: Any) -> bool:
    return type(value) is dict and list(value) == [_MARK]


def _is_spec(value: Any) -> bool:
    return _READ["spec"].handles(value)
