"""Functions of tensors that PyTorch has, too, but slower."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

__all__ = ["tanh"]

# Below this size the call of a function written in Python costs more than it saves.
_LARGE = 1 << 15


def tanh(x: Tensor) -> Tensor:
    """Compute the hyperbolic tangent, on CPUs in single precision by the sigmoid.

    PyTorch's float32 ``tanh`` takes several times as long as its ``sigmoid`` on a CPU,
    and ``tanh(x) = 2 sigmoid(2 x) - 1``. The difference is rounding: at most 2e-7.

    Parameters
    ----------
    x : Tensor
        Any shape.

    Returns
    -------
    Tensor
        Same shape and type.

    Examples
    --------
    >>> x = torch.linspace(-3, 3, 7)
    >>> torch.allclose(tanh(x), torch.tanh(x), rtol=0, atol=2e-7)
    True
    """
    large = x.numel() >= _LARGE
    if large and x.device.type == "cpu" and x.dtype == torch.float32:
        return _Tanh.apply(x)
    return torch.tanh(x)


class _Tanh(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.add(x, x).sigmoid_().mul_(2).sub_(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(grad, y)
