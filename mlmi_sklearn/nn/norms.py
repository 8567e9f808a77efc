"""Batch normalisation that knows the weights of the rows.

The statistics of an ordinary BatchNorm count every row once, so a row of weight 2 is
not the row given twice, however the loss is weighted. These layers take the weights of
the batch in :attr:`row_weight` and count by them; without weights they are PyTorch's
own, and so are their parameters and buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "WeightedNorm",
    "row_weights",
]


class WeightedNorm(nn.modules.batchnorm._BatchNorm):
    """Base of the layers: weighted statistics in training, where there are weights.

    Parameters
    ----------
    num_features : int
        Channels.

    Attributes
    ----------
    row_weight : Tensor of shape (B,) or None
        Weights of the rows of the batch in training, set by whoever trains.
    total : callable or None
        Sums a tensor over processes that share each batch, so that the statistics are
        those of the whole batch; set by whoever trains.

    References
    ----------
    Ioffe and Szegedy, *Batch normalization*, ICML 2015, algorithm 1, with sums over
    rows replaced by weighted sums.

    Examples
    --------
    >>> norm = BatchNorm1d(1)
    >>> norm.row_weight = torch.tensor([2.0, 1.0])
    >>> weighted = norm(torch.tensor([[0.0], [3.0]]))
    >>> plain = BatchNorm1d(1)(torch.tensor([[0.0], [0.0], [3.0]]))
    >>> torch.allclose(weighted, plain[1:])
    True
    """

    row_weight: Tensor | None = None
    total: Callable[[Tensor], Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:  # torch's name for it
        """Normalise a batch.

        Parameters
        ----------
        input : Tensor of shape (B, C, ...)
            The batch.

        Returns
        -------
        Tensor of shape (B, C, ...)
            Each channel with mean 0 and variance 1 under the weights, then scaled and
            shifted.
        """
        plain = self.row_weight is None and self.total is None
        if plain or not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        weight = self.row_weight
        if weight is None:
            weight = input.new_ones(len(input))
        return self._normalised(input, weight.to(input.dtype))

    def _normalised(self, x: Tensor, weight: Tensor) -> Tensor:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        weight = weight.reshape(-1, *[1] * (x.ndim - 1))
        cells = x.numel() // (x.shape[0] * x.shape[1])
        total = self._everywhere(weight.sum() * cells)
        mean = self._everywhere((weight * x).sum(axes, keepdim=True)) / total
        centred = x - mean
        squares = (weight * centred.square()).sum(axes, keepdim=True)
        variance = self._everywhere(squares) / total
        self._remember(mean.flatten(), variance.flatten(), total)
        out = centred * (variance + self.eps).rsqrt()
        if not self.affine:
            return out
        shape = mean.shape
        return out * self.weight.reshape(shape) + self.bias.reshape(shape)

    def _everywhere(self, part: Tensor) -> Tensor:
        """Add the same of other processes, if there are any."""
        return part if self.total is None else self.total(part)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, total: Tensor) -> None:
        """Update the running statistics, with the unbiased variance as PyTorch does."""
        average, spread = self.running_mean, self.running_var
        if average is None or spread is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        rate = self.momentum
        if rate is None:  # a cumulative average
            rate = 1.0 / float(self.num_batches_tracked)
        unbiased = variance * total / (total - 1) if total > 1 else variance
        average.lerp_(mean, rate)
        spread.lerp_(unbiased, rate)


class BatchNorm1d(WeightedNorm, nn.BatchNorm1d):
    """:class:`torch.nn.BatchNorm1d` with weighted statistics."""


class BatchNorm2d(WeightedNorm, nn.BatchNorm2d):
    """:class:`torch.nn.BatchNorm2d` with weighted statistics."""


class BatchNorm3d(WeightedNorm, nn.BatchNorm3d):
    """:class:`torch.nn.BatchNorm3d` with weighted statistics."""


@contextmanager
def row_weights(norms: Sequence[WeightedNorm], weight: Tensor) -> Iterator[None]:
    """Give the weights of a batch to normalisations, for the length of a block.

    Parameters
    ----------
    norms : sequence of WeightedNorm
        Layers of the module that is about to see the batch.
    weight : Tensor of shape (B,)
        Non-negative weights of its rows, as counts of repetitions.
    """
    for norm in norms:
        norm.row_weight = weight
    try:
        yield
    finally:
        for norm in norms:
            norm.row_weight = None
