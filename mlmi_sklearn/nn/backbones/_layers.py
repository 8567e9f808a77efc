"""Layers that several backbones are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .._checks import check_choice, check_interval
from ..norms import BatchNorm1d, BatchNorm2d, BatchNorm3d

__all__ = [
    "FeatureDropout",
    "GlobalAverage",
    "activation_layer",
    "conv_block",
    "dropout_layers",
    "halving",
    "input_dropout_layers",
    "norm_layers",
]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "identity": nn.Identity,
    "leaky-relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}
# By the number of axes of the grid.
_CONVS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORMS: dict[int, type[nn.Module]] = {
    0: BatchNorm1d,
    2: BatchNorm2d,
    3: BatchNorm3d,
}
_POOLS: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {
    2: nn.MaxPool2d,
    3: nn.MaxPool3d,
}
_MAX_GROUPS = 8


class GlobalAverage(nn.Module):
    """Average over the grid: (B, C, ...) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of each channel."""
        return x.flatten(2).mean(2)


def activation_layer(name: str) -> nn.Module:
    """Return the activation of that name."""
    return _ACTIVATIONS[check_choice(name, "activation", _ACTIVATIONS)]()


class FeatureDropout(nn.modules.dropout._DropoutNd):
    """Drop features in training, the same ones for the whole batch.

    Every step then trains on a random part of the features, as each member of a
    random-subspace ensemble does, and an input of weight 2 still equals the input
    twice, which masks of single inputs would break.

    Parameters
    ----------
    p : float
        Rate at which features are dropped; the rest is scaled by ``1 / (1 - p)``.

    References
    ----------
    Ho, *The random subspace method for constructing decision forests*, IEEE TPAMI
    20(8), 1998.

    Examples
    --------
    >>> FeatureDropout(0.5).eval()(torch.ones(1, 3))
    tensor([[1., 1., 1.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (B, D) that are left, scaled."""
        if not self.training or self.p == 0:
            return x
        return x * self.factors(x)

    def factors(self, x: Tensor) -> Tensor:
        """Draw one factor (D,) for each feature of ``x``: 0, or ``1 / (1 - p)``."""
        keep = torch.rand(x.shape[1:], device=x.device) >= self.p
        return keep.to(x.dtype) / (1 - self.p)


def dropout_layers(rate: float) -> list[nn.Module]:
    """Return a dropout layer, or none at rate 0."""
    rate = check_interval(rate, "dropout", 0, 1, closed="left")
    return [nn.Dropout(rate)] if rate else []


def input_dropout_layers(rate: float) -> list[nn.Module]:
    """Return a layer that drops features of the input, or none at rate 0."""
    rate = check_interval(rate, "input_dropout", 0, 1, closed="left")
    return [FeatureDropout(rate)] if rate else []


def norm_layers(name: str, channels: int, axes: int = 0) -> list[nn.Module]:
    """Return the normalisation of that name, or none.

    `axes` counts the axes of the grid, 0 for vectors.
    """
    vectors = axes == 0
    name = check_choice(
        name, "norm", ("batch", "layer" if vectors else "group", "none")
    )
    if name == "none":
        return []
    if name == "batch":
        return [_BATCH_NORMS[axes](channels)]
    if name == "layer":
        return [nn.LayerNorm(channels)]
    groups = math.gcd(_MAX_GROUPS, channels)
    # A group of one channel would forget its level, and on a map of one pixel all.
    groups = groups // 2 if groups == channels > 1 else groups
    return [nn.GroupNorm(groups, channels)]


def conv_block(
    channels: tuple[int, int],
    norm: str,
    activation: str = "relu",
    axes: int = 2,
    stride: int = 1,
) -> list[nn.Module]:
    """Return a 3 x 3 (x 3) convolution, its normalisation and its activation.

    `channels` are those of the input and of the output.
    """
    norms = norm_layers(norm, channels[1], axes)
    # A normalisation takes away the mean, and any intercept with it.
    conv = _CONVS[axes](*channels, 3, stride=stride, padding=1, bias=not norms)
    return [conv, *norms, activation_layer(activation)]


def halving(
    size: tuple[int, ...], smallest: int
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Return a maximum pooling of the axes that keep `smallest`, and the new size."""
    window = tuple(2 if side >= 2 * smallest else 1 for side in size)
    if max(window) == 1:
        return [], size
    new = tuple(side // step for side, step in zip(size, window, strict=True))
    return [_POOLS[len(size)](window)], new
