"""Sparse rows that become dense batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["SparseRows"]


class SparseRows:
    """Rows of a CSR matrix; a batch is a dense tensor.

    Nets for counts of words are narrow behind their first layer, so that a dense batch
    costs little, while the whole set as a dense tensor may not fit in memory.

    Parameters
    ----------
    matrix : scipy.sparse CSR matrix of shape (n, n_features)
        The rows.
    dtype : torch.dtype
        Type of the batches.
    device : torch.device, default=None
        Where batches go, None for the CPU; the matrix stays in the memory of the host.

    Raises
    ------
    ValueError
        If a number is too large for ``dtype``.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> rows = SparseRows(csr_matrix([[0, 1], [2, 0]]), torch.float32)
    >>> rows.take(torch.tensor([1, 0])).narrow(0, 1)
    tensor([[2., 0.]])
    """

    __slots__ = ("device", "dtype", "matrix")

    def __init__(
        self,
        matrix: Any,
        dtype: torch.dtype,
        device: torch.device | None = None,
    ) -> None:
        kind = np.float64 if dtype == torch.float64 else np.float32
        self.matrix = matrix.astype(kind, copy=False)
        if self.matrix is not matrix and not np.isfinite(self.matrix.data).all():
            raise ValueError(
                "X contains a value too large for float32. Scale it, or pass "
                "dtype='float64' to the estimator."
            )
        self.dtype = dtype
        self.device = device or torch.device("cpu")

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def take(self, index: Tensor) -> SparseRows:
        """Gather the rows of ``index``, in that order."""
        rows = index.cpu().numpy()
        return SparseRows(self.matrix[rows], self.dtype, self.device)

    def narrow(self, start: int, stop: int) -> Tensor:
        """Return rows ``start`` to ``stop`` as a dense tensor."""
        dense = torch.from_numpy(self.matrix[start:stop].toarray())
        return dense.to(self.device, self.dtype)

    def to(self, device: torch.device) -> SparseRows:
        """Send batches to ``device``."""
        return SparseRows(self.matrix, self.dtype, device)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        parts = (self.matrix.data, self.matrix.indices, self.matrix.indptr)
        return sum(int(part.nbytes) for part in parts)
