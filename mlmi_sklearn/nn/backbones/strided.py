"""Strided convolutions: quick, without normalisation, for images and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from .._checks import check_choice, check_positive_int, check_sizes
from ._layers import GlobalAverage, activation_layer, norm_layers
from ._shapes import Grid, check_channels, check_grid

__all__ = ["StridedConv", "leaky_layer", "pyramid", "spread", "strided_layers"]

_CONVS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
_SLOPE = 0.2


class StridedConv(nn.Sequential):
    """Convolutions of stride two, until the map is about 4 x 4: a discriminator.

    Each layer is a 3 x 3 (x 3) convolution, a normalisation if there is to be one, and
    an activation. It halves every side that is longer than `smallest`, so images of any
    size and shape will do, and volumes. The last map is flattened, which keeps where
    things are. Without normalisation, the default, features of a row depend on that row
    alone in training, too, as penalties on the gradient of a critic need.

    Parameters
    ----------
    input_shape : tuple of int
        ``(H, W)``, ``(C, H, W)`` or ``(C, D, H, W)``.
    channels : tuple of int or int, default=(32, 64, 128)
        Channels of each layer; the last count for further layers, too.
    norm : {"none", "batch", "group"}, default="none"
        Normalisation of all layers but the first.
    activation : str, default="leaky-relu"
        As in :class:`MLP`; here "leaky-relu" has slope 0.2 below zero.
    pooling : {"flatten", "average"}, default="flatten"
        What becomes of the last map: all of it, or the mean of each channel.
    smallest : int, default=4
        Sides of this length and below are not halved.

    Attributes
    ----------
    out_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are not images or volumes.

    References
    ----------
    Radford, Metz and Chintala, *Unsupervised representation learning with deep
    convolutional generative adversarial networks*, ICLR 2016, section 3.

    Examples
    --------
    >>> import torch
    >>> StridedConv((1, 24, 24))(torch.zeros(2, 1, 24, 24)).shape
    torch.Size([2, 1152])
    >>> StridedConv((1, 9, 16, 30), pooling="average")(
    ...     torch.zeros(2, 1, 9, 16, 30)
    ... ).shape
    torch.Size([2, 128])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] | int = (32, 64, 128),
        norm: str = "none",
        activation: str = "leaky-relu",
        pooling: str = "flatten",
        smallest: int = 4,
    ) -> None:
        grid = _grid(input_shape)
        sizes = pyramid(grid.size, check_positive_int(smallest, "smallest"))
        check_choice(pooling, "pooling", ("flatten", "average"))
        layers = strided_layers(grid.channels, sizes, channels, norm, activation)
        last = nn.Flatten() if pooling == "flatten" else GlobalAverage()
        super().__init__(grid.entry, *layers, last)
        width = spread(channels, max(len(sizes) - 1, 1))[-1]
        cells = math.prod(sizes[-1]) if pooling == "flatten" else 1
        self.out_features = width * cells


def pyramid(size: Sequence[int], smallest: int = 4) -> list[tuple[int, ...]]:
    """Return the sizes of a map that is halved again and again.

    Parameters
    ----------
    size : sequence of int
        Sides of the full map.
    smallest : int, default=4
        Sides of this length and below stay as they are.

    Returns
    -------
    list of tuple of int
        The full size first. Halves are rounded up, as by convolutions of 3 with stride
        two.

    Examples
    --------
    >>> pyramid((24, 9))
    [(24, 9), (12, 5), (6, 3), (3, 3)]
    """
    sizes = [tuple(size)]
    while max(sizes[-1]) > smallest:
        sizes.append(
            tuple((side + 1) // 2 if side > smallest else side for side in sizes[-1])
        )
    return sizes


def spread(channels: Sequence[int] | int, n: int) -> tuple[int, ...]:
    """Return channels for `n` layers, the last repeated as often as need be.

    Examples
    --------
    >>> spread((16, 32), 4)
    (16, 32, 32, 32)
    """
    widths = check_channels(channels)
    return tuple(widths[min(layer, len(widths) - 1)] for layer in range(n))


def leaky_layer(name: str) -> nn.Module:
    """Return the activation of that name, with the slope of discriminators.

    Examples
    --------
    >>> leaky_layer("leaky-relu")
    LeakyReLU(negative_slope=0.2)
    """
    layer = activation_layer(name)
    return nn.LeakyReLU(_SLOPE) if isinstance(layer, nn.LeakyReLU) else layer


def strided_layers(
    before: int,
    sizes: Sequence[tuple[int, ...]],
    channels: Sequence[int] | int,
    norm: str,
    activation: str,
) -> list[nn.Module]:
    """Return convolutions that lead down a pyramid; one at least.

    Parameters
    ----------
    before : int
        Channels of the input.
    sizes : sequence of tuple of int
        From :func:`pyramid`.
    channels : sequence of int or int
        Channels of each layer, see :func:`spread`.
    norm, activation : str
        As in :class:`StridedConv`.

    Returns
    -------
    list of nn.Module
        Layers.

    Examples
    --------
    >>> layers = strided_layers(1, pyramid((8, 8)), 4, "none", "relu")
    >>> [type(layer).__name__ for layer in layers]
    ['Conv2d', 'ReLU']
    """
    # An image too small to be halved is looked at once all the same.
    steps = list(pairwise(sizes)) or [(sizes[0], sizes[0])]
    layers: list[nn.Module] = []
    for (large, small), width in zip(steps, spread(channels, len(steps)), strict=True):
        stride = tuple(
            1 if old == new else 2 for old, new in zip(large, small, strict=True)
        )
        # Statistics of the first maps would take away the level of the input.
        norms = norm_layers(norm if layers else _known(norm), width, len(large))
        conv = _CONVS[len(large)](
            before, width, 3, stride=stride, padding=1, bias=not norms
        )
        layers += [conv, *norms, leaky_layer(activation)]
        before = width
    return layers


def _known(norm: str) -> str:
    """Return "none" if the name is one of a normalisation."""
    check_choice(norm, "norm", ("batch", "group", "none"))
    return "none"


def _grid(input_shape: Sequence[int]) -> Grid:
    """Return channels and size of images or volumes."""
    shape = check_sizes(input_shape, "input_shape")
    if len(shape) in (3, 4):
        # No guess that channels stand last: conditions may add many to a thin image.
        return Grid(shape[0], shape[1:], nn.Identity())
    return check_grid(shape, "strided-conv")
