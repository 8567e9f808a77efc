r"""Batch normalisation of maps whose second derivatives cost little.

PyTorch takes second derivatives of its batch normalisation by a dozen passes over the
maps, which is a quarter of the time of second-order meta-learning of a convolutional
net. With :math:`\hat x = (x - \mu) / \sigma`, M numbers a channel and the projection
:math:`P u = u - \bar u - \hat x \, \overline{u \hat x}`, the gradient by the input is

.. math:: B(g) = \frac{\gamma}{\sigma} P g,

which is symmetric in g: its own derivatives are made of :math:`B(g)` and :math:`B(v)`,
where v is the gradient by it, and fused kernels compute those.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["normalise_maps"]


def normalise_maps(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Normalise every channel by its mean and variance in the batch.

    Parameters
    ----------
    x : Tensor of shape (N, C, ...)
        Maps.
    weight, bias : Tensor of shape (C,) or None
        Scale and shift.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor of shape (N, C, ...)
        As by :func:`torch.nn.functional.batch_norm` in training, to rounding; it can
        be differentiated twice.

    Examples
    --------
    >>> normalise_maps(torch.tensor([[1.0], [3.0]]), None, None, 0.0)
    tensor([[-1.],
            [ 1.]])
    """
    plain = weight is None or bias is None or weight.dtype != x.dtype
    if plain:  # mixed precision among them, which the kernels know about
        return torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)[0]
    out: Tensor = _Normalise.apply(x, weight, bias, eps)
    return out


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        out, mean, scale = torch.native_batch_norm(
            x, weight, bias, None, None, True, 0.0, eps
        )
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, weight, mean, scale = ctx.saved_tensors
        return *_Slopes.apply(g, x, weight, mean, scale, ctx.eps), None


class _Slopes(torch.autograd.Function):
    """The gradients of a normalisation by its input, its scale and its shift."""

    @staticmethod
    def forward(
        ctx: Any,
        g: Tensor,
        x: Tensor,
        weight: Tensor,
        mean: Tensor,
        scale: Tensor,
        eps: float,
    ) -> Any:
        g = _like(g, x)
        by_x, by_weight, by_bias = _back(g, x, weight, mean, scale, eps)
        ctx.save_for_backward(g, x, weight, mean, scale, by_weight, by_bias)
        ctx.eps = eps
        return by_x, by_weight, by_bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor, of_weight: Tensor, of_bias: Tensor) -> Any:
        g, x, weight, mean, scale, sum_gx, sum_g = ctx.saved_tensors
        v = _like(v, x)
        count = x.numel() // x.shape[1]
        # B(v), and the sums of v times the normalised input, and of v.
        by_g, sum_vx, sum_v = _back(v, x, weight, mean, scale, ctx.eps)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        inner = (v * g).sum(axes) - (sum_v * sum_g + sum_vx * sum_gx) / count
        # Of v B(g) by the input: B is one over the spread times a projection.
        mixed = of_weight - weight * scale * sum_vx / count
        by_x, _, _ = _back(g, x, mixed, mean, scale, ctx.eps)
        by_x.addcmul_(by_g, _wide(-scale * sum_gx / count, x))
        slope = -weight * scale.square() * inner / count * scale
        by_x.addcmul_(x, _wide(slope, x)).sub_(_wide(slope * mean, x))
        by_weight = scale * inner
        # Of the sums of g times the normalised input, and of g.
        by_g.addcmul_(x, _wide(of_weight * scale, x))
        by_g.add_(_wide(of_bias - of_weight * scale * mean, x))
        return by_g, by_x, by_weight, None, None, None


def _back(
    g: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    every = [True, True, True]
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        g, x, weight, None, None, mean, scale, True, eps, every
    )
    return found


def _like(g: Tensor, x: Tensor) -> Tensor:
    """Lay out a gradient as the input, without which the kernels are slow."""
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return g.contiguous(memory_format=torch.channels_last)
    return g.contiguous()


def _wide(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(1, -1, *[1] * (x.ndim - 2))
