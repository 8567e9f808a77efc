"""Residual net for small images."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_positive_int
from ._layers import GlobalAverage, conv_block
from ._shapes import check_grid

__all__ = ["ResNet"]


class ResNet(nn.Sequential):
    r"""Residual net for small images, as its authors ran it on CIFAR-10.

    A first convolution, then three stages of :math:`n` blocks of two convolutions each,
    with 16, 32 and 64 channels; the second and third stage halve the map. The average
    over the last map is the result.

    Parameters
    ----------
    input_shape : tuple of int
        ``(H, W)`` or ``(C, H, W)``, at least 8 x 8.
    depth : int, default=20
        Layers with weights, counting a linear head: :math:`6 n + 2`, so 8, 14, 20, 26,
        32, ...
    width : int, default=16
        Channels of the first stage; the others have twice and four times as many.
    norm : {"batch", "group", "none"}, default="batch"
        Normalisation. Without any, keep `depth` small.

    Attributes
    ----------
    out_features : int
        Width of the result, four times `width`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or inputs are no images or too small.

    Notes
    -----
    Shortcuts across stages skip every other pixel and fill new channels with zeros
    (option A of the paper), so they have no parameters.

    References
    ----------
    He, Zhang, Ren and Sun, *Deep residual learning for image recognition*, CVPR 2016,
    section 4.2.

    Examples
    --------
    >>> import torch
    >>> ResNet((3, 32, 32), depth=8)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        depth: int = 20,
        width: int = 16,
        norm: str = "batch",
    ) -> None:
        grid = check_grid(input_shape, "resnet", smallest=8)
        depth = check_positive_int(depth, "depth")
        if depth < 8 or depth % 6 != 2:
            raise ValueError(
                f"depth must be 6 n + 2 with n of at least 1, such as 8, 14 or 20, got "
                f"{depth}."
            )
        width = check_positive_int(width, "width")
        layers = [grid.entry, *conv_block((grid.channels, width), norm)]
        before = width
        for after in (width, 2 * width, 4 * width):
            for _ in range((depth - 2) // 6):
                layers.append(_Residual(before, after, norm))
                before = after
        super().__init__(*layers, GlobalAverage())
        self.out_features = before
        self.apply(_initialise)


class _Residual(nn.Module):
    """Two convolutions around which the input is led and added."""

    def __init__(self, before: int, after: int, norm: str) -> None:
        super().__init__()
        self.step = 1 if before == after else 2
        self.new_channels = after - before
        first = conv_block((before, after), norm, stride=self.step)
        self.body = nn.Sequential(
            *first, *conv_block((after, after), norm, activation="identity")
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of body and shortcut together."""
        if self.step == 1:
            return F.relu(self.body(x) + x)
        shortcut = x[:, :, :: self.step, :: self.step]
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        return F.relu(self.body(x) + shortcut)


def _initialise(layer: nn.Module) -> None:
    """Draw the weights of a convolution so that the variance of maps is kept."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
