"""Generator that turns one image into another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import check_choice
from ..backbones.strided import pyramid, spread
from ._parts import Resize, Up, convolution, grid_block
from .contract import Generator, check_grid_shape

__all__ = ["UNetGenerator"]

# Channels, size and normalisation of one scale.
_Level = tuple[int, tuple[int, ...], str]


class UNetGenerator(Generator):
    """Encoder and decoder with skip connections: from maps to an image or volume.

    Convolutions of stride two lead down to a map of about 4 x 4. There `z` and the
    vector of conditions join, the same at every place. On the way up, the map of each
    scale is enlarged to the very size of the encoder's and convolved together with it,
    so images of any size will do. The finest scale has no normalisation, so that the
    level and contrast of the input reach the output.

    Parameters
    ----------
    latent_dim : int
        Columns of `z`; 0 for an output that is a function of the maps.
    output_shape : tuple of int
        ``(C, H, W)`` or ``(C, D, H, W)``, any sides.
    vector_size : int, default=0
        Columns of a vector of further conditions.
    map_channels : int, default=1
        Channels of the image to translate, at least 1.
    channels : tuple of int or int, default=(16, 32, 64)
        Channels of each scale, the finest first; the last count for coarser ones, too.
    norm : {"group", "batch", "none"}, default="group"
        Normalisation of all scales but the finest. That by groups looks at one image at
        a time, as a batch of one needs.
    activation : str, default="relu"
        As in :class:`~mlmi_sklearn.nn.backbones.MLP`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, there is no map, or `output_shape` is no
        image or volume.

    References
    ----------
    Isola, Zhu, Zhou and Efros, *Image-to-image translation with conditional adversarial
    networks*, CVPR 2017, section 3.2.

    Wu and He, *Group normalization*, ECCV 2018.

    Examples
    --------
    >>> generator = UNetGenerator(0, (1, 30, 17), map_channels=2)
    >>> generator(torch.zeros(1, 0), maps=torch.zeros(1, 2, 30, 17)).shape
    torch.Size([1, 1, 30, 17])
    """

    def __init__(
        self,
        latent_dim: int,
        output_shape: Sequence[int],
        vector_size: int = 0,
        map_channels: int = 1,
        channels: Sequence[int] | int = (16, 32, 64),
        norm: str = "group",
        activation: str = "relu",
    ) -> None:
        super().__init__(latent_dim, output_shape, vector_size, map_channels)
        out_channels, full = check_grid_shape(
            self.output_shape, "output_shape", "generator 'unet' makes"
        )
        check_choice(norm, "norm", ("group", "batch", "none"))
        if not self.map_channels:
            raise ValueError(
                "generator 'unet' translates an image, so map_channels must be at "
                "least 1, got 0; use generator='conv' to make images of no image."
            )
        sizes = pyramid(full)
        widths = spread(channels, len(sizes))
        # No normalisation at the finest scale, see above.
        norms = ["none", *[norm] * (len(sizes) - 1)]
        levels = list(zip(widths, sizes, norms, strict=True))
        self.down = _encoder(self.map_channels, levels, activation)
        self.middle = grid_block(
            widths[-1] + self.code_size, widths[-1], len(full), norms[-1], activation
        )
        self.up = _decoder(levels, activation)
        self.last = convolution(widths[0], out_channels, len(full))

    def generate(self, code: Tensor, noise: Tensor, maps: Tensor | None) -> Tensor:
        """Make samples of checked inputs.

        Parameters
        ----------
        code, noise : Tensor of shape (B, n_numbers)
            As in :meth:`Generator.generate`.
        maps : Tensor of shape (B, map_channels, *output_shape[1:]) or None
            Conditions for every place.

        Returns
        -------
        Tensor of shape (B, *output_shape)
            Samples.
        """
        x, skips = maps, []
        for level in self.down:
            x = level(x)
            skips.append(x)
        deepest = skips.pop()
        if self.code_size:
            everywhere = code.reshape(*code.shape, *[1] * (deepest.ndim - 2))
            everywhere = everywhere.expand(-1, -1, *deepest.shape[2:])
            deepest = torch.cat([deepest, everywhere], 1)
        x = self.middle(deepest)
        for level in self.up:
            x = level(x, skips.pop())
        out: Tensor = self.last(x)
        return out


def _encoder(before: int, levels: list[_Level], activation: str) -> nn.ModuleList:
    """Return the blocks that lead down, the finest first."""
    blocks = nn.ModuleList()
    last = levels[0][1]
    for width, size, norm in levels:
        pairs = zip(last, size, strict=True)
        stride = tuple(1 if old == new else 2 for old, new in pairs)
        blocks.append(grid_block(before, width, len(size), norm, activation, stride))
        before, last = width, size
    return blocks


def _decoder(levels: list[_Level], activation: str) -> nn.ModuleList:
    """Return the blocks that lead up, the coarsest first."""
    scales = nn.ModuleList()
    before, last, _ = levels[-1]
    for width, size, norm in levels[-2::-1]:
        channels = before, width, width
        scales.append(Up(channels, Resize(last, size), norm, activation))
        before, last = width, size
    return scales
