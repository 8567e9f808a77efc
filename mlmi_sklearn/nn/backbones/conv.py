"""Plain convolutional backbones for images and volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from .._checks import check_choice, check_positive_int
from ._layers import GlobalAverage, conv_block, dropout_layers, halving
from ._shapes import Grid, check_channels, check_grid

__all__ = ["Conv4", "ConvNet", "ConvNet3d"]


class ConvNet(nn.Sequential):
    """Small convolutional net for images of any size from 8 x 8 pixels.

    Each block is a 3 x 3 convolution, a normalisation and an activation. Maximum
    pooling by two stands between blocks, for every axis that stays 2 pixels or more;
    the average over the last map is the result.

    Parameters
    ----------
    input_shape : tuple of int
        ``(H, W)`` or ``(C, H, W)``, at least 8 x 8.
    channels : tuple of int or int, default=(16, 32, 64)
        Channels of each block; the last is `out_features`.
    activation : str, default="relu"
        As in :class:`MLP`.
    norm : {"batch", "group", "none"}, default="batch"
        Normalisation. That by groups (of up to 8) looks at one image at a time, and so
        takes away its brightness and contrast, which often carry meaning in medicine.
    dropout : float, default=0.0
        Rate in [0, 1) at which features of the result are dropped.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are no images or too small.

    References
    ----------
    Wu and He, *Group normalization*, ECCV 2018.

    Examples
    --------
    >>> import torch
    >>> ConvNet((3, 32, 48))(torch.zeros(5, 3, 32, 48)).shape
    torch.Size([5, 64])
    >>> ConvNet((8, 8), channels=(4, 8))(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] | int = (16, 32, 64),
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        grid = check_grid(input_shape, "conv", smallest=8)
        widths = check_channels(channels)
        blocks = _blocks(grid, widths, norm, activation)
        super().__init__(*blocks, *dropout_layers(dropout))
        self.out_features = widths[-1]


class ConvNet3d(nn.Sequential):
    """Small convolutional net for volumes of any size, thin ones included.

    As :class:`ConvNet`, with 3 x 3 x 3 convolutions.

    Parameters
    ----------
    input_shape : tuple of int
        ``(D, H, W)`` or ``(C, D, H, W)``.
    channels : tuple of int or int, default=(8, 16, 32)
        Channels of each block; the last is `out_features`.
    activation : str, default="relu"
        As in :class:`MLP`.
    norm : {"batch", "group", "none"}, default="batch"
        Normalisation.
    dropout : float, default=0.0
        Rate in [0, 1) at which features of the result are dropped.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are not volumes.

    Examples
    --------
    >>> import torch
    >>> ConvNet3d((1, 8, 16, 16))(torch.zeros(2, 1, 8, 16, 16)).shape
    torch.Size([2, 32])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] | int = (8, 16, 32),
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        grid = check_grid(input_shape, "conv3d", axes=3)
        widths = check_channels(channels)
        blocks = _blocks(grid, widths, norm, activation)
        super().__init__(*blocks, *dropout_layers(dropout))
        self.out_features = widths[-1]


class Conv4(nn.Sequential):
    """The standard net of few-shot learning: four blocks of 64 filters.

    Each block is a 3 x 3 convolution, a normalisation, a ReLU and a maximum pooling by
    two; the last map is flattened. A map with a side of one pixel is not pooled.

    Parameters
    ----------
    input_shape : tuple of int
        ``(H, W)`` or ``(C, H, W)``.
    width : int, default=64
        Filters of each block.
    norm : {"batch", "group", "none"}, default="batch"
        Normalisation.
    downsample : {"pool", "stride"}, default="pool"
        Maximum pooling after each block, or a convolution of stride two instead, which
        is several times as fast and what Finn et al. (2017) used for Omniglot.
    n_blocks : int, default=4
        Blocks; fewer suit images below 28 x 28 pixels, whose last map would be one
        pixel, too little for statistics over a few images.

    Attributes
    ----------
    out_features : int
        Width of the result, `width` times the pixels of the last map: with pooling 64
        for 28 x 28 pixels, 1600 for 84 x 84.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are not images.

    References
    ----------
    Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra, *Matching networks for one
    shot learning*, NeurIPS 2016, section 4.1.

    Examples
    --------
    >>> import torch
    >>> Conv4((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        width: int = 64,
        norm: str = "batch",
        downsample: str = "pool",
        n_blocks: int = 4,
    ) -> None:
        grid = check_grid(input_shape, "conv4")
        width = check_positive_int(width, "width")
        check_choice(downsample, "downsample", ("pool", "stride"))
        layers, size, before = [grid.entry], grid.size, grid.channels
        for _ in range(check_positive_int(n_blocks, "n_blocks")):
            if downsample == "stride":
                layers += conv_block((before, width), norm, stride=2)
                size = tuple((side + 1) // 2 for side in size)
            else:
                layers += conv_block((before, width), norm)
                if min(size) >= 2:
                    pooling, size = halving(size, smallest=1)
                    layers += pooling
            before = width
        super().__init__(*layers, nn.Flatten())
        self.out_features = width * math.prod(size)


def _blocks(
    grid: Grid, widths: tuple[int, ...], norm: str, activation: str
) -> list[nn.Module]:
    """Return blocks with poolings between them and the average at the end."""
    layers, size, before = [grid.entry], grid.size, grid.channels
    for width in widths:
        if len(layers) > 1:
            pooling, size = halving(size, smallest=2)
            layers += pooling
        layers += conv_block((before, width), norm, activation, axes=len(size))
        before = width
    return [*layers, GlobalAverage()]
