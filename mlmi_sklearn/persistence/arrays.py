"""Codecs of arrays: the numbers lie in the safetensors part, the rest in JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy import sparse

from ..exceptions import PersistenceError
from .codec import Codec, Node, Reader, Writer, field_of, refuse
from .dtypes import read_dtype, write_dtype

__all__ = ["ARRAYS", "arrays_of", "bytes_of"]

Array = NDArray[Any]

# Types that safetensors knows; arrays of others are stored as bytes.
_NATIVE = frozenset(
    ["<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1"]
)
_SPARSE: dict[str, Any] = {
    f"{form}_{kind}": getattr(sparse, f"{form}_{kind}")
    for form in ("csr", "csc", "coo", "bsr")
    for kind in ("matrix", "array")
}


def bytes_of(arrays: dict[str, Array]) -> bytes:
    """Return arrays in the safetensors format.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Of types that safetensors knows, in C order.
    """
    return save(arrays)


def arrays_of(data: bytes) -> dict[str, Array]:
    """Undo :func:`bytes_of`.

    Parameters
    ----------
    data : bytes
        Arrays in the safetensors format.

    Returns
    -------
    dict of str to ndarray
        They are read-only and share memory with each other's bytes.

    Raises
    ------
    Exception
        If the data are malformed. Sizes are checked before memory is taken.
    """
    return load(data)


def _pack_array(writer: Writer, value: Array, path: str) -> dict[str, Node]:
    array: Array = np.asarray(value)
    if array.dtype == object or array.dtype.kind == "T":
        return _pack_items(writer, array, path)
    node: dict[str, Node] = {}
    if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
        # The order decides about the last bits of products of matrices.
        node["order"] = "F"
        array = array.T
    array = np.asarray(array, order="C")
    try:
        node |= {"dtype": write_dtype(array.dtype), "shape": list(array.shape)}
    except PersistenceError as error:
        raise PersistenceError(f"{path}: {error}") from None
    if node["dtype"] not in _NATIVE:
        array = np.frombuffer(array.tobytes(), np.uint8)
    return {**node, "name": writer.add_array(array, path)}


def _pack_items(writer: Writer, array: Array, path: str) -> dict[str, Node]:
    items = array.ravel().tolist()
    packed = [writer.pack(item, f"{path}[{i}]") for i, item in enumerate(items)]
    kind = "object" if array.dtype == object else "text"
    if kind == "text" and array.dtype != np.dtypes.StringDType():
        raise PersistenceError(f"{path}: arrays of {array.dtype!r} cannot be saved.")
    return {"dtype": kind, "shape": list(array.shape), "items": packed}


def _unpack_array(reader: Reader, node: dict[str, Node]) -> Array:
    shape, name = _shape(node), field_of(node, "dtype", str)
    if "items" in node:
        return _unpack_items(reader, node, shape, name)
    dtype = read_dtype(name)
    stored = reader.take_array(node.get("name"))
    if name in _NATIVE:
        if stored.dtype != dtype or stored.shape != shape:
            raise refuse(
                node,
                f"should be {dtype} of shape {shape}, but {node['name']!r} is "
                f"{stored.dtype} of shape {stored.shape}",
            )
        array = stored.copy()
    else:
        array = _from_bytes(node, stored, shape, dtype)
    return array.T if node.get("order") == "F" else array


def _from_bytes(
    node: dict[str, Node], stored: Array, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    size = math.prod(shape) * dtype.itemsize
    # Empty texts take no room here, but four bytes each in memory.
    if (
        stored.dtype != np.uint8
        or stored.shape != (size,)
        or (not size and math.prod(shape) > 2**20)
    ):
        raise refuse(node, f"of shape {shape} and type {dtype} needs {size} bytes")
    array = np.zeros(shape, dtype)
    if size:
        array.reshape(-1).view(np.uint8)[:] = stored
    return array


def _unpack_items(
    reader: Reader, node: dict[str, Node], shape: tuple[int, ...], name: str
) -> Array:
    items = reader.unpack(field_of(node, "items", list))
    if math.prod(shape) != len(items):
        raise refuse(node, f"of shape {shape} has {len(items)} items")
    dtype: Any = {"object": object, "text": np.dtypes.StringDType()}[name]
    array = np.empty(len(items), dtype)
    for i, item in enumerate(items):  # as they are, even if they are lists or arrays
        array[i] = item
    return array.reshape(shape)


def _shape(node: dict[str, Node], key: str = "shape") -> tuple[int, ...]:
    shape = field_of(node, key, list)
    if not all(type(n) is int and 0 <= n < 2**62 for n in shape) or len(shape) > 32:
        raise refuse(node, f"has the impossible shape {shape!r:.60}")
    return tuple(shape)


def _is_array(value: Any) -> bool:
    return type(value) in (np.ndarray, np.memmap)


def _pack_masked(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {
        "data": writer.pack(value.data, f"{path}.data"),
        "mask": writer.pack(np.ma.getmaskarray(value), f"{path}.mask"),
        "fill": writer.pack(value.fill_value, path),
    }


def _unpack_masked(reader: Reader, node: dict[str, Node]) -> Any:
    data, mask = reader.unpack(node["data"]), reader.unpack(node["mask"])
    fill = reader.unpack(node["fill"])
    return np.ma.MaskedArray(data, mask, fill_value=fill)


def _pack_sparse(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    names = ("data", "row", "col") if value.format == "coo" else _COMPRESSED
    parts = [writer.pack(getattr(value, name), f"{path}.{name}") for name in names]
    kind = type(value).__name__
    return {"type": kind, "shape": list(value.shape), "parts": parts}


_COMPRESSED = ("data", "indices", "indptr")


def _unpack_sparse(reader: Reader, node: dict[str, Node]) -> Any:
    make, shape = _SPARSE[field_of(node, "type", str)], _shape(node)
    data, *rest = reader.unpack(field_of(node, "parts", list))
    if not all(isinstance(part, np.ndarray) for part in (data, *rest)):
        raise refuse(node, "is not made of arrays")
    if make is sparse.coo_matrix or make is sparse.coo_array:
        return make((data, tuple(rest)), shape)
    matrix = make((data, *rest), shape)
    matrix.check_format(full_check=True)
    return matrix


def _is_sparse(value: Any) -> bool:
    return type(value) in _SPARSE.values()


#: Codecs of this module.
ARRAYS: tuple[Codec, ...] = (
    Codec("array", _is_array, _pack_array, _unpack_array, shared=True),
    Codec(
        "masked", lambda v: type(v) is np.ma.MaskedArray, _pack_masked, _unpack_masked
    ),
    Codec("sparse", _is_sparse, _pack_sparse, _unpack_sparse, shared=True),
)
