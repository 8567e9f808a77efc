"""Codecs of Python's own values and containers, and of single numbers of numpy."""

from __future__ import annotations

import base64
import datetime
import math
from collections import OrderedDict, defaultdict
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .codec import Codec, Node, Reader, Writer, field_of, refuse
from .dtypes import read_dtype, write_dtype

__all__ = ["PLAIN"]

_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_MAPPINGS: dict[str, Any] = {
    "dict": dict,
    "OrderedDict": OrderedDict,
    "Bunch": lambda pairs: Bunch(**pairs),
    "mappingproxy": MappingProxyType,
}
_FACTORIES = {kind.__name__: kind for kind in (list, dict, int, float, set)}
_SEQUENCES: dict[str, Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_DATES: dict[str, Any] = {
    kind.__name__: kind for kind in (datetime.datetime, datetime.date, datetime.time)
}


def _exactly(*kinds: type) -> Any:
    return lambda value: type(value) in kinds


def _pack_float(writer: Writer, value: float, path: str) -> dict[str, Node]:
    return {"value": str(value)}


def _unpack_float(reader: Reader, node: dict[str, Node]) -> float:
    return _SPECIAL[field_of(node, "value", str)]


def _pack_complex(writer: Writer, value: complex, path: str) -> dict[str, Node]:
    parts = [writer.pack(value.real, path), writer.pack(value.imag, path)]
    return {"parts": parts}


def _unpack_complex(reader: Reader, node: dict[str, Node]) -> complex:
    real, imag = reader.unpack(field_of(node, "parts", list))
    return complex(real, imag)


def _pack_bytes(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    text = base64.b64encode(bytes(value)).decode()
    return {"data": text, "type": type(value).__name__}


def _unpack_bytes(reader: Reader, node: dict[str, Node]) -> Any:
    data = base64.b64decode(field_of(node, "data", str), validate=True)
    return bytearray(data) if node.get("type") == "bytearray" else data


def _pack_sequence(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    items = list(value)
    if isinstance(value, set | frozenset):
        # The order of a set of strings differs from one run of Python to the next.
        items = sorted(items, key=lambda item: (type(item).__name__, repr(item)))
    packed = [writer.pack(item, f"{path}[{i}]") for i, item in enumerate(items)]
    return {"type": type(value).__name__, "items": packed}


def _unpack_sequence(reader: Reader, node: dict[str, Node]) -> Any:
    make = _SEQUENCES[field_of(node, "type", str)]
    return make(reader.unpack(field_of(node, "items", list)))


def _pack_mapping(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    pairs = [
        [writer.pack(k, f"a key of {path}"), writer.pack(v, f"{path}[{k!r}]")]
        for k, v in value.items()
    ]
    node: dict[str, Node] = {"type": type(value).__name__, "items": pairs}
    if isinstance(value, defaultdict):
        node["default"] = getattr(value.default_factory, "__name__", None)
    return node


def _unpack_mapping(reader: Reader, node: dict[str, Node]) -> Any:
    pairs: dict[Any, Any] = {}
    for pair in field_of(node, "items", list):
        key, value = reader.unpack(pair)
        if key in pairs:
            raise refuse(node, f"has the key {key!r:.60} twice")
        pairs[key] = value
    name = field_of(node, "type", str)
    if name == "defaultdict":
        default = node.get("default")
        return defaultdict(None if default is None else _FACTORIES[default], pairs)
    return _MAPPINGS[name](pairs)


def _is_mapping(value: Any) -> bool:
    if type(value) is defaultdict:
        factory = value.default_factory
        return factory is None or factory in _FACTORIES.values()
    return type(value) in (dict, OrderedDict, Bunch, MappingProxyType)


def _pack_scalar(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    array = np.asarray(value)
    return {"dtype": write_dtype(array.dtype), "data": array.tobytes().hex()}


def _unpack_scalar(reader: Reader, node: dict[str, Node]) -> Any:
    dtype = read_dtype(field_of(node, "dtype", str))
    data = bytes.fromhex(field_of(node, "data", str))
    if len(data) != dtype.itemsize:
        raise refuse(node, f"of type {dtype} needs {dtype.itemsize} bytes")
    if not data:  # an empty text
        return np.zeros((), dtype)[()]
    return np.frombuffer(data, dtype)[0]


def _is_scalar(value: Any) -> bool:
    return isinstance(value, np.generic) and value.dtype.kind in "biufcSUmM"


def _pack_date(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {"type": type(value).__name__, "text": value.isoformat()}


def _unpack_date(reader: Reader, node: dict[str, Node]) -> Any:
    return _DATES[field_of(node, "type", str)].fromisoformat(node["text"])


def _is_date(value: Any) -> bool:
    # Named time zones do not survive as text.
    zone = getattr(value, "tzinfo", None)
    fixed = zone is None or isinstance(zone, datetime.timezone)
    return type(value) in _DATES.values() and fixed


def _pack_delta(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {"parts": [value.days, value.seconds, value.microseconds]}


def _unpack_delta(reader: Reader, node: dict[str, Node]) -> Any:
    return datetime.timedelta(*field_of(node, "parts", list))


def _pack_slice(writer: Writer, value: slice, path: str) -> dict[str, Node]:
    ends = value.start, value.stop, value.step
    return {"parts": [writer.pack(end, path) for end in ends]}


def _unpack_slice(reader: Reader, node: dict[str, Node]) -> slice:
    start, stop, step = reader.unpack(field_of(node, "parts", list))
    return slice(start, stop, step)


def _pack_range(writer: Writer, value: range, path: str) -> dict[str, Node]:
    return {"parts": [value.start, value.stop, value.step]}


def _unpack_range(reader: Reader, node: dict[str, Node]) -> range:
    found = range(*field_of(node, "parts", list))
    if len(found) > 10**6:
        raise refuse(node, "has more than a million numbers")
    return found


def _pack_path(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {"text": str(value)}


def _unpack_path(reader: Reader, node: dict[str, Node]) -> Path:
    return Path(field_of(node, "text", str))


#: Codecs of this module.
PLAIN: tuple[Codec, ...] = (
    Codec("float", _exactly(float), _pack_float, _unpack_float),
    Codec(
        "sequence", _exactly(tuple, set, frozenset), _pack_sequence, _unpack_sequence
    ),
    Codec("mapping", _is_mapping, _pack_mapping, _unpack_mapping),
    Codec("scalar", _is_scalar, _pack_scalar, _unpack_scalar),
    Codec("bytes", _exactly(bytes, bytearray), _pack_bytes, _unpack_bytes),
    Codec("complex", _exactly(complex), _pack_complex, _unpack_complex),
    Codec("slice", _exactly(slice), _pack_slice, _unpack_slice),
    Codec("range", _exactly(range), _pack_range, _unpack_range),
    Codec("date", _is_date, _pack_date, _unpack_date),
    Codec("timedelta", _exactly(datetime.timedelta), _pack_delta, _unpack_delta),
    Codec("path", lambda v: isinstance(v, PurePath), _pack_path, _unpack_path),
)
