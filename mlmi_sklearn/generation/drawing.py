"""Samples from a trained generator, each row from random numbers of its own.

Row ``i`` must not depend on how many rows are asked for, nor on what is asked for in
other rows. So its latent vector is the ``i``-th row of one long table of random
numbers, the generator runs in evaluation mode, and always on batches of one size: a
matrix product of another size may round differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..nn.generation import GANModel

__all__ = ["draw_samples", "filled", "seeds_of"]

Array = NDArray[Any]

# Rows and elements of a batch: enough to keep the processor busy.
_ROWS = 512
_ELEMENTS = 2**16


def seeds_of(entropy: Any, n: int) -> list[np.random.Generator]:
    """Return independent sources of random numbers.

    Parameters
    ----------
    entropy : int or sequence of int
        The seed.
    n : int
        How many sources.

    Returns
    -------
    list of numpy.random.Generator
        The same for the same seed.
    """
    children = np.random.SeedSequence(entropy).spawn(n)
    return [np.random.Generator(np.random.PCG64(child)) for child in children]


@torch.inference_mode()
def draw_samples(
    model: GANModel,
    n: int,
    source: np.random.Generator,
    vector: Tensor | None,
    maps: Tensor | None,
    *,
    live: bool = False,
) -> Array:
    """Draw samples in model space.

    Parameters
    ----------
    model : GANModel
        In evaluation mode.
    n : int
        Number of samples.
    source : numpy.random.Generator
        Gives the latent vectors, row after row.
    vector : Tensor of shape (n, k) or None
        Conditions.
    maps : Tensor of shape (n, channels, ...) or None
        Conditions pixel by pixel.
    live : bool, default=False
        Whether the generator of the last step draws, in place of its average.

    Returns
    -------
    ndarray of shape (n, ...)
        The samples.
    """
    shape = model.sample_shape
    size = int(min(_ROWS, max(_ELEMENTS // (int(np.prod(shape)) or 1), 8)))
    draw = model.sampler if live else model
    parts = [
        draw(*batch)[:real].cpu().numpy()
        for batch, real in _batches(model, n, size, source, vector, maps)
    ]
    return np.concatenate(parts)


def _batches(
    model: GANModel,
    n: int,
    size: int,
    source: np.random.Generator,
    vector: Tensor | None,
    maps: Tensor | None,
) -> Iterator[tuple[tuple[Tensor | None, ...], int]]:
    like = next(model.parameters(), torch.zeros(1))
    width = model.average.noise_dim
    for start in range(0, n, size):
        real = min(size, n - start)
        z = np.zeros((size, width), np.float32)
        z[:real] = source.standard_normal((real, width), dtype=np.float32)
        given = [
            None if t is None else filled(t[start : start + real], size).to(like)
            for t in (vector, maps)
        ]
        yield (torch.from_numpy(z).to(like), *given), real


def filled(rows: Tensor, size: int) -> Tensor:
    """Repeat the last row until there are ``size``."""
    missing = size - len(rows)
    if not missing:
        return rows
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])
