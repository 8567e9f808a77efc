"""The contracting half of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._layers import GlobalAverage, conv_block, dropout_layers, halving
from ._shapes import check_channels, check_grid

__all__ = ["UNetEncoder"]


class UNetEncoder(nn.Module):
    """The contracting path of a U-Net, with its skip features.

    Each level is two 3 x 3 convolutions with normalisations and activations. Maximum
    pooling by two leads to the next level, for every axis that stays 2 pixels or more.
    The average over the map of the last level is the result.

    Parameters
    ----------
    input_shape : tuple of int
        ``(H, W)`` or ``(C, H, W)``, at least 8 x 8.
    channels : tuple of int or int, default=(16, 32, 64, 128)
        Channels of each level; the last is `out_features`.
    activation : str, default="relu"
        As in :class:`MLP`.
    norm : {"batch", "group", "none"}, default="batch"
        Normalisation; the paper has none.
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

    Notes
    -----
    Convolutions are padded, where those of the paper shrink the map, so that skip
    features align with the input.

    References
    ----------
    Ronneberger, Fischer and Brox, *U-Net: convolutional networks for biomedical image
    segmentation*, MICCAI 2015, section 2.

    Examples
    --------
    >>> import torch
    >>> encoder = UNetEncoder((1, 32, 32), channels=(4, 8, 16))
    >>> encoder(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 16])
    >>> [tuple(skip.shape) for skip in encoder.features(torch.zeros(2, 1, 32, 32))]
    [(2, 4, 32, 32), (2, 8, 16, 16), (2, 16, 8, 8)]
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] | int = (16, 32, 64, 128),
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        grid = check_grid(input_shape, "unet", smallest=8)
        widths = check_channels(channels)
        size, before = grid.size, grid.channels
        levels: list[nn.Module] = []
        for width in widths:
            pooling: list[nn.Module] = [grid.entry]
            if levels:
                pooling, size = halving(size, smallest=2)
            first = conv_block((before, width), norm, activation)
            second = conv_block((width, width), norm, activation)
            levels.append(nn.Sequential(*pooling, *first, *second))
            before = width
        self.levels = nn.ModuleList(levels)
        self.summary = nn.Sequential(GlobalAverage(), *dropout_layers(dropout))
        self.out_features = before

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the map of each level.

        Parameters
        ----------
        x : Tensor of shape (B, H, W) or (B, C, H, W)
            Images.

        Returns
        -------
        list of Tensor of shape (B, channels[i], H_i, W_i)
            Skip features from the finest level on, and the bottleneck last.
        """
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Return the average of the bottleneck.

        Parameters
        ----------
        x : Tensor of shape (B, H, W) or (B, C, H, W)
            Images.

        Returns
        -------
        Tensor of shape (B, out_features)
            Features.
        """
        for level in self.levels:
            x = level(x)
        return self.summary(x)
