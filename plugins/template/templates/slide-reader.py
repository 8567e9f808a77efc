"""The reader; it is imported when somebody uses it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np


class {{ cookiecutter.class_name }}:
    """Reads images that are stored as numpy arrays, piece by piece.

    Parameters
    ----------
    path : str or path-like
        File to read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        except (EOFError, OSError, ValueError) as error:
            raise ValueError(f"{path} is not an array in a file: {error}") from error
        self.path = path
        self.shape = self.pixels.shape

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        """Return a rectangle of pixels."""
        return np.array(self.pixels[row : row + height, col : col + width])

    def overview(self, step: int) -> np.ndarray:
        """Return every step-th pixel of the whole image."""
        return np.array(self.pixels[::step, ::step])

    def __reduce__(self) -> tuple[Any, ...]:
        # The file is opened again, in another process say.
        return type(self), (self.path,)
