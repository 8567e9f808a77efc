"""Codec of compiled parts of scikit-learn's estimators, such as trees, through skops.

skops decides by its own list which types are safe. What it is given is looked at first:
nothing compressed, and no array that claims to be larger than its bytes.
"""

from __future__ import annotations

import io
import math
import zipfile
from types import ModuleType
from typing import Any

import numpy as np

from ..exceptions import PersistenceError
from .codec import Codec, Node, Reader, Writer, refuse

__all__ = ["FOREIGN"]

_METRICS = ("Chebyshev", "Euclidean", "Hamming", "Haversine", "Manhattan", "Minkowski")
# Compiled types, and one made of a compiled array, that are looked at after loading or
# whose own code checks the types of what it gets.
_TRUSTED = [
    "sklearn.tree._tree.Tree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    *(f"sklearn.metrics._dist_metrics.{name}Distance64" for name in _METRICS),
]
_ADVICE = (
    "needs the package skops, which is not installed: "
    'pip install "mlmi-sklearn[persistence]"'
)


def _skops(what: str) -> ModuleType:
    try:
        import skops.io
    except ImportError:
        raise PersistenceError(f"{what} {_ADVICE}.") from None
    return skops.io


def _pack_foreign(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    io_ = _skops(f"saving {path}, a {type(value).__qualname__} of scikit-learn,")
    try:
        data = io_.dumps(value)
        unsafe = sorted(set(io_.get_untrusted_types(data=data)) - set(_TRUSTED))
    except Exception as error:
        raise PersistenceError(f"{path} cannot be saved: {error}") from error
    if unsafe:
        raise PersistenceError(
            f"{path} is made of types that are not known to be safe: "
            f"{', '.join(unsafe)}. A file cannot hold it."
        )
    array = np.frombuffer(data, np.uint8)
    return {"data": writer.pack(array, path)}


def _unpack_foreign(reader: Reader, node: dict[str, Node]) -> Any:
    array = reader.unpack(node["data"])
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise refuse(node, "is not made of bytes")
    data = array.tobytes()
    _check_archive(node, data)
    value = _skops("the file").loads(data, trusted=_TRUSTED)
    if not type(value).__module__.startswith("sklearn."):
        raise refuse(node, f"holds a {type(value).__name__}")
    if hasattr(value, "children_left"):
        _check_tree(node, value)
    elif type(value).__name__ == "TreePredictor":
        _check_predictor(node, value.nodes)
    return value


def _check_archive(node: dict[str, Node], data: bytes) -> None:
    """Raise unless an archive holds no more than it seems to."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        plain = all(
            m.compress_type == zipfile.ZIP_STORED and m.file_size == m.compress_size
            for m in members
        )
        if not plain or sum(m.file_size for m in members) > len(data):
            raise refuse(node, "is a compressed archive")
        for member in members:
            if member.filename.endswith(".npy"):
                with archive.open(member) as file:
                    _check_header(node, file, member.file_size)


def _check_header(node: dict[str, Node], file: Any, size: int) -> None:
    version = np.lib.format.read_magic(file)
    read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
    shape, _, dtype = read(file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
        raise refuse(node, f"declares an array of shape {shape}")


def _check_tree(node: dict[str, Node], tree: Any) -> None:
    """Raise unless a decision tree is one: its own code does not look."""
    left, right = tree.children_left, tree.children_right
    leaf = left == -1
    feature = tree.feature[~leaf]
    good = (right[leaf] == -1).all() and _lead_down(~leaf, left, right)
    good = good and ((feature >= 0) & (feature < tree.n_features)).all()
    if not good or len(tree.value) != len(left):
        raise refuse(node, "holds a decision tree with impossible branches")


def _check_predictor(node: dict[str, Node], nodes: Any) -> None:
    inner = nodes["is_leaf"] == 0
    if not len(nodes) or not _lead_down(inner, nodes["left"], nodes["right"]):
        raise refuse(node, "holds a decision tree with impossible branches")


def _lead_down(inner: Any, left: Any, right: Any) -> bool:
    """Whether the branches of inner nodes lead to later ones, so to an end."""
    numbers = np.arange(len(inner))[inner]
    return all(
        bool(((side[inner] > numbers) & (side[inner] < len(inner))).all())
        for side in (left.astype(np.int64), right.astype(np.int64))
    )


def _is_foreign(value: Any) -> bool:
    inside = type(value).__module__.startswith("sklearn.")
    return inside and not isinstance(value, type) and hasattr(value, "__reduce__")


#: Codecs of this module.
FOREIGN: tuple[Codec, ...] = (
    Codec("skops", _is_foreign, _pack_foreign, _unpack_foreign, shared=True),
)
