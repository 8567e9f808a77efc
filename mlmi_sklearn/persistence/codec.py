"""How values become JSON and arrays, and come back.

A :class:`Codec` handles one kind of value. Plain values of JSON stand for themselves,
lists included; everything else is an object whose key ``"is"`` names the codec. What a
file can hold is what has a codec: there is no way to call a function or to import a
module that a file names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..exceptions import PersistenceError

__all__ = ["Codec", "Reader", "Writer", "field_of", "refuse"]

Node = Any

# Lists in lists and the like; scikit-learn's deepest estimators need about twenty.
_DEEPEST = 100


@dataclass(frozen=True)
class Codec:
    """One kind of value.

    Parameters
    ----------
    tag : str
        Value of the key ``"is"``.
    handles : callable
        Whether a value is of this kind.
    pack : callable
        ``(writer, value, path) -> dict``, without the key ``"is"``.
    unpack : callable
        ``(reader, node) -> value``; may raise anything if the node is malformed.
    shared : bool, default=False
        Whether two references to one value are to remain that.
    """

    tag: str
    handles: Callable[[Any], bool]
    pack: Callable[[Writer, Any, str], dict[str, Node]]
    unpack: Callable[[Reader, dict[str, Node]], Any]
    shared: bool = False


@dataclass
class Writer:
    """Turns one value into a node and arrays.

    Parameters
    ----------
    codecs : tuple of Codec
        The first that handles a value packs it.
    refusal : callable
        ``(value, path) -> str``: what to say about a value that none handles.
    """

    codecs: tuple[Codec, ...]
    refusal: Callable[[Any, str], str]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    components: dict[tuple[str, str], Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    _done: dict[int, tuple[Any, dict[str, Node]]] = field(default_factory=dict)
    _open: list[int] = field(default_factory=list)
    _n_shared: int = 0

    def pack(self, value: Any, path: str) -> Node:
        """Return the node of a value.

        Parameters
        ----------
        value : object
            Any value.
        path : str
            Where it is, for messages and names of arrays.

        Raises
        ------
        PersistenceError
            If a file cannot hold it.
        """
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is int:
            return value
        if kind is float and math.isfinite(value):
            return value
        if id(value) in self._done:
            return self._again(id(value))
        if id(value) in self._open or len(self._open) > _DEEPEST:
            why = "refers to itself" if id(value) in self._open else "is nested deeply"
            raise PersistenceError(f"{path} {why}, which a file cannot hold.")
        self._open.append(id(value))
        try:
            return self._packed(value, path)
        finally:
            self._open.pop()

    def add_array(self, array: NDArray[Any], path: str) -> str:
        """Keep an array and return the name by which a node refers to it."""
        stem = "".join(c if c.isascii() and c.isalnum() else "." for c in path)
        stem = ".".join(filter(None, stem.split(".")))[:150] or "array"
        name, number = stem, 1
        while name in self.arrays:
            number += 1
            name = f"{stem}.{number}"
        self.arrays[name] = array
        return name

    def _packed(self, value: Any, path: str) -> Node:
        if type(value) is list:
            return [self.pack(v, f"{path}[{i}]") for i, v in enumerate(value)]
        for codec in self.codecs:
            if codec.handles(value):
                node = {"is": codec.tag, **codec.pack(self, value, path)}
                if codec.shared:
                    self._done[id(value)] = value, node
                return node
        raise PersistenceError(self.refusal(value, path))

    def _again(self, key: int) -> Node:
        """Refer to a value that is there already."""
        node = self._done[key][1]
        if "id" not in node:
            node["id"] = self._n_shared
            self._n_shared += 1
        return {"is": "same", "id": node["id"]}


@dataclass
class Reader:
    """Turns a node and arrays into the value.

    Parameters
    ----------
    codecs : dict of str to Codec
        By tag.
    arrays : dict of str to ndarray
        What nodes refer to; each is taken once.
    device : str or None, default=None
        Where nets shall go, if not to where they were.
    """

    codecs: dict[str, Codec]
    arrays: dict[str, NDArray[Any]]
    device: str | None = None
    _known: dict[int, Any] = field(default_factory=dict)
    _depth: int = 0

    def unpack(self, node: Node) -> Any:
        """Return the value of a node.

        Parameters
        ----------
        node : JSON value
            From :meth:`Writer.pack`, or from anybody.

        Raises
        ------
        Exception
            Of any type, if the node is malformed.
        """
        if node is None or isinstance(node, bool | str | int | float):
            return node
        self._depth += 1
        if self._depth > 2 * _DEEPEST:
            raise PersistenceError("values are nested too deeply.")
        try:
            if isinstance(node, list):
                return [self.unpack(item) for item in node]
            return self._unpacked(node)
        finally:
            self._depth -= 1

    def take_array(self, name: Any) -> NDArray[Any]:
        """Return an array, which no other node may refer to."""
        if not isinstance(name, str) or name not in self.arrays:
            raise PersistenceError(f"there is no array {name!r}.")
        return self.arrays.pop(name)

    def _unpacked(self, node: dict[str, Node]) -> Any:
        tag = node.get("is")
        if tag == "same":
            return self._known[field_of(node, "id", int)]
        codec = self.codecs.get(tag) if isinstance(tag, str) else None
        if codec is None:
            raise PersistenceError(f"there is no kind of value {tag!r}.")
        value = codec.unpack(self, node)
        if "id" in node:
            self._known[field_of(node, "id", int)] = value
        return value


def field_of(node: dict[str, Node], key: str, *types: type) -> Any:
    """Return one field of a node after checking its type.

    Parameters
    ----------
    node : dict
        The node.
    key : str
        Which field.
    *types : type
        Allowed types, exactly.

    Returns
    -------
    object
        The value.

    Raises
    ------
    PersistenceError
        If it is missing or of another type.

    Examples
    --------
    >>> field_of({"is": "bytes", "data": "aa"}, "data", str)
    'aa'
    """
    value = node.get(key)
    if type(value) not in types:
        wanted = " or ".join(kind.__name__ for kind in types)
        raise PersistenceError(
            f"{node.get('is')!r} needs {key!r} of type {wanted}, got {value!r:.60}."
        )
    return value


def refuse(node: dict[str, Node], why: str) -> PersistenceError:
    """Return the error for a node that makes no sense."""
    return PersistenceError(f"{node.get('is')!r} {why}.")
