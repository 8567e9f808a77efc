"""Discriminator that judges every patch of an image for itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import check_at_least, check_positive_int
from ..backbones.strided import pyramid, spread, strided_layers
from ._parts import convolution
from .contract import check_grid_shape

__all__ = ["PatchDiscriminator"]

# Logits for fewer patches than this along a side would judge the image as a whole.
_SMALLEST = 8


class PatchDiscriminator(nn.Module):
    """Convolutions that end in a map of logits, one for each overlapping patch.

    It sees texture, at a few weights, and leaves it to a further loss (L1 to the truth,
    a cycle) to get the whole right. Sides are halved at most `n_layers` times, and only
    while they are longer than 8, so small images get fewer layers and smaller patches.

    Parameters
    ----------
    input_shape : tuple of int
        ``(C, H, W)`` or ``(C, D, H, W)``.
    map_channels : int, default=0
        Channels of a condition of the same size, such as the image that was translated.
    channels : tuple of int or int, default=(32, 64, 128)
        Channels of each layer; the last count for further ones, too.
    n_layers : int, default=3
        Layers of stride two, at most: with 3, a logit sees 31 pixels a side, with 2
        it sees 15, with 1 it sees 7.
    norm : {"none", "group", "batch"}, default="none"
        Normalisation of all layers but the first.
    activation : str, default="leaky-relu"
        As in :class:`~mlmi_sklearn.nn.backbones.StridedConv`.

    Attributes
    ----------
    map_size : tuple of int
        Sides of the map of logits.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are no images or volumes.

    References
    ----------
    Isola, Zhu, Zhou and Efros, *Image-to-image translation with conditional adversarial
    networks*, CVPR 2017, section 3.2.2.

    Examples
    --------
    >>> judge = PatchDiscriminator((1, 64, 48), map_channels=1)
    >>> judge(torch.zeros(2, 1, 64, 48), torch.zeros(2, 1, 64, 48)).shape
    torch.Size([2, 1, 8, 6])
    >>> PatchDiscriminator((1, 17, 17)).map_size
    (5, 5)
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        map_channels: int = 0,
        channels: Sequence[int] | int = (32, 64, 128),
        n_layers: int = 3,
        norm: str = "none",
        activation: str = "leaky-relu",
    ) -> None:
        super().__init__()
        n_channels, full = check_grid_shape(
            input_shape, "input_shape", "PatchDiscriminator judges"
        )
        self.input_shape = (n_channels, *full)
        self.map_channels = check_at_least(map_channels, "map_channels", 0)
        n_layers = check_positive_int(n_layers, "n_layers")
        sizes = pyramid(full, _SMALLEST)[: n_layers + 1]
        self.layers = nn.Sequential(
            *strided_layers(
                n_channels + self.map_channels, sizes, channels, norm, activation
            )
        )
        self.map_size = sizes[-1]
        width = spread(channels, max(len(sizes) - 1, 1))[-1]
        self.last = convolution(width, 1, len(full))

    def forward(self, x: Tensor, maps: Tensor | None = None) -> Tensor:
        """Judge patches.

        Parameters
        ----------
        x : Tensor of shape (B, *input_shape)
            Images or volumes, real or made.
        maps : Tensor of shape (B, map_channels, *input_shape[1:]), default=None
            Conditions; None only if `map_channels` is 0.

        Returns
        -------
        Tensor of shape (B, 1, *map_size)
            Logits of being real.

        Raises
        ------
        ValueError
            If a tensor is missing or has another shape.
        """
        if x.shape[1:] != self.input_shape:
            raise ValueError(
                f"x must have shape (B, {', '.join(map(str, self.input_shape))}), got "
                f"{tuple(x.shape)}."
            )
        if self.map_channels or maps is not None:
            x = torch.cat([x, self._checked(maps, len(x))], 1)
        out: Tensor = self.last(self.layers(x))
        return out

    def _checked(self, maps: Tensor | None, rows: int) -> Tensor:
        """Return the maps if they have the shape this discriminator was made for."""
        shape = (rows, self.map_channels, *self.input_shape[1:])
        if maps is not None and maps.shape == shape:
            return maps
        found = "None" if maps is None else f"shape {tuple(maps.shape)}"
        raise ValueError(f"maps must have shape {shape}, got {found}.")
