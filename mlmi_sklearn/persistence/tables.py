"""Codecs of pandas: frames, series, indices and the types of their columns."""

from __future__ import annotations

import re
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd

from .codec import Codec, Node, Reader, Writer, field_of, refuse

__all__ = ["TABLES"]

_MASKED = re.compile(r"U?Int(8|16|32|64)|Float(32|64)|boolean")
_ZONED = re.compile(r"datetime64\[(s|ms|us|ns), ([A-Za-z0-9_+/:-]{1,60})\]")
_PERIOD = re.compile(r"period\[[A-Za-z-]{1,20}\]")
_CHOOSES_MISSING = "na_value" in signature(pd.StringDtype).parameters


def _pack_dtype(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    if isinstance(value, np.dtype):
        return {"type": "numpy", "text": "object" if value.hasobject else value.str}
    if isinstance(value, pd.CategoricalDtype):
        categories = writer.pack(value.categories, path)
        ordered = None if value.ordered is None else bool(value.ordered)
        return {"type": "category", "categories": categories, "ordered": ordered}
    if isinstance(value, pd.StringDtype):
        storage, missing = value.storage, value.na_value is pd.NA
        return {"type": "string", "storage": storage, "missing": missing}
    return {"type": "pandas", "text": str(value)}


def _unpack_dtype(reader: Reader, node: dict[str, Node]) -> Any:
    kind = field_of(node, "type", str)
    if kind == "category":
        categories = reader.unpack(node["categories"])
        return pd.CategoricalDtype(categories, node["ordered"])
    if kind == "string":
        missing = pd.NA if node["missing"] else np.nan
        return _string_dtype(field_of(node, "storage", str), missing)
    text = field_of(node, "text", str)
    if kind == "numpy":
        from .dtypes import read_dtype

        return np.dtype(object) if text == "object" else read_dtype(text)
    if not any(p.fullmatch(text) for p in (_MASKED, _ZONED, _PERIOD)):
        raise refuse(node, f"does not know the type {text!r:.60}")
    return pd.api.types.pandas_dtype(text)


def _string_dtype(storage: str, missing: Any) -> Any:
    """Return the type of texts; without pyarrow, the one that needs none."""
    make: Any = pd.StringDtype
    # Before pandas 2.3 the missing value was no choice.
    chosen = {"na_value": missing} if _CHOOSES_MISSING else {}
    try:
        return make(storage, **chosen)
    except ImportError:
        return make("python", **chosen)


def _is_dtype(value: Any) -> bool:
    if isinstance(value, np.dtype):
        return value.kind in "biufcSUmMO" and value.names is None
    if isinstance(value, pd.CategoricalDtype | pd.StringDtype):
        return True
    text = str(value) if isinstance(value, pd.api.extensions.ExtensionDtype) else ""
    return any(p.fullmatch(text) for p in (_MASKED, _ZONED, _PERIOD))


def _pack_column(writer: Writer, column: Any, path: str) -> dict[str, Node]:
    """Pack the values of a series or an index that are not a plain array."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return {"values": writer.pack(column.to_numpy(), path)}
    node: dict[str, Node] = {"dtype": writer.pack(dtype, path)}
    values = column.array
    if isinstance(dtype, pd.CategoricalDtype):
        return {**node, "values": writer.pack(np.asarray(values.codes), path)}
    if isinstance(dtype, pd.StringDtype):
        missing = np.asarray(values.isna())
        text = np.where(missing, "", np.asarray(values, dtype=object))
        node["values"] = writer.pack(text.astype(object), path)
        return {**node, "mask": writer.pack(missing, path)}
    if _MASKED.fullmatch(str(dtype)):
        node["values"] = writer.pack(np.asarray(values._data), path)
        return {**node, "mask": writer.pack(np.asarray(values._mask), path)}
    return {**node, "values": writer.pack(values.asi8, path)}


def _unpack_column(reader: Reader, node: dict[str, Node]) -> Any:
    dtype = reader.unpack(node["dtype"]) if "dtype" in node else None
    values = reader.unpack(node["values"])
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise refuse(node, "has a column that is not an array of one axis")
    if dtype is None:
        return values
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(values, dtype=dtype)
    if "mask" not in node:
        return _from_integers(values, dtype)
    mask = reader.unpack(node["mask"])
    array = pd.array(values, dtype=dtype)
    array[np.asarray(mask, dtype=bool)] = dtype.na_value
    return array


def _from_integers(values: Any, dtype: Any) -> Any:
    if isinstance(dtype, pd.PeriodDtype):
        make: Any = pd.PeriodIndex
        return make.from_ordinals(values, freq=dtype.freq).array
    times = values.view(f"M8[{dtype.unit}]")
    return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(dtype.tz).array


def _pack_index(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    names = [writer.pack(name, path) for name in value.names]
    if type(value) is pd.RangeIndex:
        ends = [value.start, value.stop, value.step]
        return {"names": names, "range": ends}
    if isinstance(value, pd.MultiIndex):
        levels = [value.get_level_values(i) for i in range(value.nlevels)]
        packed = [_pack_column(writer, level, path) for level in levels]
        return {"names": names, "levels": packed}
    return {"names": names, **_pack_column(writer, value, path)}


def _unpack_index(reader: Reader, node: dict[str, Node]) -> Any:
    names = reader.unpack(field_of(node, "names", list))
    if "range" in node:
        start, stop, step = field_of(node, "range", list)
        return pd.RangeIndex(start, stop, step, name=names[0])
    if "levels" in node:
        levels = [_unpack_column(reader, level) for level in node["levels"]]
        return pd.MultiIndex.from_arrays(levels, names=names)
    values = _unpack_column(reader, node)
    # Without a type, an index of texts in an object array would become another.
    dtype = values.dtype if isinstance(values, np.ndarray) else None
    return pd.Index(values, dtype=dtype, name=names[0])


def _pack_series(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    node = {"index": writer.pack(value.index, path)}
    node["name"] = writer.pack(value.name, path)
    return {**node, **_pack_column(writer, value, path)}


def _unpack_series(reader: Reader, node: dict[str, Node]) -> Any:
    index, name = reader.unpack(node["index"]), reader.unpack(node["name"])
    values = _unpack_column(reader, node)
    dtype = values.dtype if isinstance(values, np.ndarray) else None
    return pd.Series(values, index=index, name=name, dtype=dtype)


def _pack_frame(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    labels = list(value.columns)
    columns = [
        _pack_column(writer, value.iloc[:, i], f"{path}[{label!r}]")
        for i, label in enumerate(labels)
    ]
    index = writer.pack(value.index, path)
    return {
        "index": index,
        "labels": writer.pack(value.columns, path),
        "columns": columns,
    }


def _unpack_frame(reader: Reader, node: dict[str, Node]) -> Any:
    index, labels = reader.unpack(node["index"]), reader.unpack(node["labels"])
    columns = [_unpack_column(reader, c) for c in field_of(node, "columns", list)]
    series = {
        i: pd.Series(c, index=index, dtype=c.dtype) for i, c in enumerate(columns)
    }
    frame = pd.DataFrame(series, index=index)
    frame.columns = labels
    return frame


def _is_missing(value: Any) -> bool:
    return value is pd.NA or value is pd.NaT


def _pack_time(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    zone = getattr(value, "tz", None)
    return {
        "type": type(value).__name__,
        "ticks": int(value.asm8.astype(np.int64)),
        "unit": value.unit,
        "zone": None if zone is None else str(zone),
    }


def _unpack_time(reader: Reader, node: dict[str, Node]) -> Any:
    unit = field_of(node, "unit", str)
    if unit not in ("s", "ms", "us", "ns"):
        raise refuse(node, "has an unknown unit")
    ticks = field_of(node, "ticks", int)
    if field_of(node, "type", str) == "Timedelta":
        return pd.Timedelta(np.timedelta64(ticks, unit))
    zone = node.get("zone")
    dtype = pd.DatetimeTZDtype(unit, zone) if zone else None
    time = pd.Timestamp(np.datetime64(ticks, unit))
    return time if dtype is None else time.tz_localize("UTC").tz_convert(dtype.tz)


#: Codecs of this module.
TABLES: tuple[Codec, ...] = (
    Codec("dtype", _is_dtype, _pack_dtype, _unpack_dtype),
    Codec("frame", lambda v: type(v) is pd.DataFrame, _pack_frame, _unpack_frame),
    Codec("series", lambda v: type(v) is pd.Series, _pack_series, _unpack_series),
    Codec(
        "index",
        lambda v: isinstance(v, pd.Index) and _index_is_known(v),
        _pack_index,
        _unpack_index,
    ),
    Codec(
        "missing",
        _is_missing,
        lambda writer, value, path: {"type": "NA" if value is pd.NA else "NaT"},
        lambda reader, node: {"NA": pd.NA, "NaT": pd.NaT}[node["type"]],
    ),
    Codec(
        "time",
        lambda v: type(v) in (pd.Timestamp, pd.Timedelta),
        _pack_time,
        _unpack_time,
    ),
)


def _index_is_known(value: Any) -> bool:
    levels = value.levels if isinstance(value, pd.MultiIndex) else [value]
    return all(_is_dtype(level.dtype) for level in levels)
