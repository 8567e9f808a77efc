"""Nets that are plain chains of layers, which can be written out for many tasks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["POINTWISE", "linear", "pixel_by_pixel", "plain_chain"]

POINTWISE = (
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh),
    *(nn.Hardswish, nn.Softplus, nn.Sigmoid, nn.Identity, nn.Dropout),
)
"""Modules without weights that map every number by itself."""


def linear(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Apply a linear layer of each task.

    Parameters
    ----------
    weights : mapping of str to Tensor of shape (T, ...)
        Of the net.
    name : str
        Prefix of those of the layer.
    x : Tensor of shape (T, N, D)
        Rows.

    Returns
    -------
    Tensor of shape (T, N, K)
        Results.
    """
    weight = weights[f"{name}weight"].transpose(1, 2)
    bias = weights.get(f"{name}bias")
    if bias is None:
        return torch.bmm(x, weight)
    return torch.baddbmm(bias.unsqueeze(1), x, weight)


def pixel_by_pixel(x: Tensor) -> Tensor:
    """Lay out images with all channels of a pixel side by side.

    Pooling and normalisation on a processor take a fraction of the time then.

    Parameters
    ----------
    x : Tensor of any shape
        Images (N, C, H, W), or anything else, which is returned as it is.

    Returns
    -------
    Tensor of the same shape
        With the same values.
    """
    if x.ndim != 4:
        return x
    if x.shape[1] == 1:  # such are both, but kernels take them for the usual layout
        return x.clone(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last)


def plain_chain(
    module: nn.Module, prefix: str = ""
) -> list[tuple[str, nn.Module]] | None:
    """Return the layers of nested sequences, and the prefixes of their weights.

    Parameters
    ----------
    module : nn.Module
        The net.
    prefix : str, default=""
        Of its own weights.

    Returns
    -------
    list of (str, nn.Module) or None
        None where a sequence does more than pass on what its layers return.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh()))
    >>> [name for name, _ in plain_chain(net)]
    ['0.', '1.0.']
    """
    if not isinstance(module, nn.Sequential):
        return [(prefix, module)]
    if type(module).forward is not nn.Sequential.forward:
        return None
    found: list[tuple[str, nn.Module]] = []
    for name, child in module.named_children():
        inner = plain_chain(child, f"{prefix}{name}.")
        if inner is None:
            return None
        found += inner
    return found
