"""Instances that stay on disk, one file per bag, until somebody asks for them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mlmi_sklearn.exceptions import BagError

_HDF5 = {".h5", ".hdf5"}
_SUFFIXES = {".npy", *_HDF5}


class FileStore:
    """Rows of several files, read when sliced.

    Only headers are read at construction, and no file stays open, so thousands of
    bags cost neither memory nor file handles. Pickles as a list of paths.

    Parameters
    ----------
    paths : list of Path
        One file per bag, ``.npy`` (memory-mapped) or ``.h5``/``.hdf5`` (needs h5py).
    key : str or None
        Data set inside the HDF5 files; None picks the only one with two axes or more.
    """

    def __init__(self, paths: list[Path], key: str | None = None) -> None:
        self.paths = paths
        self.key = key
        shapes, dtypes = zip(*(_header(path, key) for path in paths), strict=True)
        self._check_shapes(shapes)
        self.lengths = np.array([shape[0] for shape in shapes], dtype=np.int64)
        self.stops = self.lengths.cumsum()
        self.dtype: np.dtype[Any] = np.result_type(*set(dtypes))
        self.shape: tuple[int, ...] = (int(self.stops[-1]), *shapes[0][1:])
        self.ndim = len(self.shape)

    def _check_shapes(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        """Refuse files that are no bags, or whose instances differ in shape."""
        for path, shape in zip(self.paths, shapes, strict=True):
            if len(shape) < 2 or shape[0] == 0:
                raise BagError(
                    f"paths: {path} holds an array of shape {shape}, but a bag needs "
                    "shape (n_instances, n_features) with at least one instance."
                )
            if shape[1:] != shapes[0][1:]:
                raise BagError(
                    f"paths: instances in {path} have shape {shape[1:]}, those in "
                    f"{self.paths[0]} have {shapes[0][1:]}. All files must come from "
                    "one feature extractor."
                )

    def __getitem__(self, key: Any) -> np.ndarray:
        """Read rows: a slice of step 1, or an array of row numbers."""
        if not isinstance(key, slice):
            return self._rows(np.asarray(key))
        start, stop, _ = key.indices(self.shape[0])
        first = int(np.searchsorted(self.stops, start, side="right"))
        parts = []
        while start < stop:
            begin = int(self.stops[first] - self.lengths[first])
            end = min(stop, int(self.stops[first]))
            parts.append(self._read(first)[start - begin : end - begin])
            start, first = end, first + 1
        if len(parts) == 1:
            return parts[0]
        empty = np.empty((0, *self.shape[1:]), dtype=self.dtype)
        return np.concatenate([empty, *parts])

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        """Read scattered rows, opening each file once."""
        out = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        owner = np.searchsorted(self.stops, rows, side="right")
        for number in np.unique(owner).tolist():
            mine = owner == number
            begin = self.stops[number] - self.lengths[number]
            out[mine] = self._read(number)[rows[mine] - begin]
        return out

    def _read(self, number: int) -> np.ndarray:
        """Return the array of one file, memory-mapped where the format allows."""
        path = self.paths[number]
        if path.suffix in _HDF5:
            return _read_hdf5(path, self.key).astype(self.dtype, copy=False)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        return array.astype(self.dtype, copy=False)


def find_files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Expand a folder into its feature files, sorted by name; check that all exist."""
    if isinstance(paths, str | Path):
        folder = Path(paths)
        if not folder.is_dir():
            raise BagError(
                f"paths={str(folder)!r} is no folder. Pass a folder of .npy or .h5 "
                "files, or a list with one file per bag."
            )
        found = sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES)
    else:
        found = [Path(path) for path in paths]
    if not found:
        raise BagError("paths names no .npy or .h5 file, so there is no bag.")
    for path in found:
        if path.suffix not in _SUFFIXES:
            raise BagError(
                f"paths: {path} is neither .npy nor .h5. Save features with np.save."
            )
        if not path.is_file():
            raise BagError(f"paths: {path} does not exist.")
    return found


def _header(path: Path, key: str | None) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of the array in a file without reading the data."""
    if path.suffix in _HDF5:
        with _open_hdf5(path) as file:
            data = _dataset(file, path, key)
            shape, dtype = tuple(data.shape), data.dtype
    else:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise BagError(f"paths: {path} is no array of numbers: {error}") from error
        shape, dtype = array.shape, array.dtype
    if dtype.kind not in "biuf":
        raise BagError(
            f"paths: {path} has dtype {dtype}, but instances must be numbers."
        )
    return shape, dtype


def _open_hdf5(path: Path) -> Any:
    """Open an HDF5 file, or explain that h5py is missing."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise ImportError(
            f"Reading {path} needs h5py: pip install h5py, or save the features as "
            ".npy files."
        ) from error
    return h5py.File(path, "r")


def _read_hdf5(path: Path, key: str | None) -> np.ndarray:
    """Read one HDF5 data set into memory."""
    with _open_hdf5(path) as file:
        return _dataset(file, path, key)[:]


def _dataset(file: Any, path: Path, key: str | None) -> Any:
    """Return the data set named `key`, or the only one that can be a bag."""
    names = [name for name, item in file.items() if hasattr(item, "shape")]
    if key is None and len(names) == 1:
        key = names[0]
    if key not in names:
        raise BagError(
            f"{path} has the data sets {names}: say which one holds the features with "
            f"key=..., got key={key!r}."
        )
    return file[key]
