"""Finding the file behind an array, so a pickle can name it instead of copying it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# joblib deletes these files; it knows itself how to send arrays over them.
_JOBLIB_FOLDER = "joblib_memmapping_folder"


@dataclass(frozen=True)
class MemmapReference:
    """Where a C-contiguous array lies in a file.

    Parameters
    ----------
    path : str
        File name.
    dtype : numpy.dtype
        Type of the elements.
    shape : tuple of int
        Shape of the array.
    offset : int
        Position of its first byte in the file.
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    def open(self) -> np.ndarray:
        """Map the file again, for reading."""
        if not Path(self.path).is_file():
            raise FileNotFoundError(
                f"These bags were pickled as a reference to {self.path}, which is "
                "gone. Restore the file, or pickle bags.compact() to store the values."
            )
        return np.memmap(
            self.path, self.dtype, mode="r", offset=self.offset, shape=self.shape
        )


def root(array: Any) -> np.memmap[Any, Any] | None:
    """Return the memory map that `array` is a view of, or None."""
    # Slices of a memory map are memory maps too, with the offset of their parent.
    while array is not None and not (
        isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)
    ):
        array = getattr(array, "base", None)
    return array


def reference(array: Any) -> MemmapReference | None:
    """Return where `array` lies on disk; None if it is no plain part of a file."""
    source = root(array) if isinstance(array, np.ndarray) else None
    if source is None or source.filename is None or not array.flags.c_contiguous:
        return None
    path = Path(source.filename).absolute()
    # What was written to a copy-on-write map is not in the file.
    if source.mode == "c" or any(_JOBLIB_FOLDER in part for part in path.parts):
        return None
    offset = source.offset + array.ctypes.data - source.ctypes.data
    return MemmapReference(str(path), array.dtype, array.shape, offset)
