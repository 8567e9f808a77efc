"""Generator of images and volumes, with conditions at every scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._checks import check_choice
from ..backbones.strided import pyramid, spread
from ._parts import Resize, Up, convolution, finish_layers, with_something
from .contract import Generator, check_grid_shape

__all__ = ["ConvGenerator"]


class ConvGenerator(Generator):
    """Convolutions between enlargements: images or volumes of any size.

    A linear layer makes the coarsest map of `z` and the vector. Each scale convolves
    the map and enlarges it, by linear interpolation, to the very size it is to have.
    Maps of conditions, such as coordinates, are shrunk to the size of each scale and
    convolved there, too, so that they shape coarse and fine structure alike.

    Parameters
    ----------
    latent_dim : int
        Columns of `z` for the coarsest map.
    output_shape : tuple of int
        ``(C, H, W)`` or ``(C, D, H, W)``, any sides.
    vector_size : int, default=0
        Columns of the condition, which enter beside `z`.
    map_channels : int, default=0
        Channels of the maps of conditions.
    channels : tuple of int or int, default=(16, 32, 64)
        Channels of each scale, the finest first; the last count for coarser ones, too.
    norm : {"batch", "group", "none"}, default="batch"
        Normalisation at each scale. That by groups looks at one sample at a time, and
        takes away how strong its maps are.
    activation : str, default="relu"
        As in :class:`~mlmi_sklearn.nn.backbones.MLP`.
    map_scales : {"all", "input"}, default="all"
        Where maps of conditions enter: at every scale, or at the coarsest alone.
    noise : bool, default=False
        Whether each scale has a map of noise, too, for texture that neither the
        condition nor the coarsest map tells. Its numbers are further columns of `z`,
        one for each place at each scale: `noise_features`.

    Attributes
    ----------
    noise_features : int
        Columns of `z` after the first `latent_dim`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or `output_shape` is no image or volume.

    Notes
    -----
    A convolution of features and conditions side by side is the sum of one of each.
    That of the features comes before they are enlarged, at a quarter of the cost;
    conditions and noise are convolved at full detail, and so is what is made of all.

    References
    ----------
    Hu, Gibson, Lee, Xie, Barratt, Vercauteren and Noble, *Freehand ultrasound image
    simulation with spatially-conditioned generative adversarial networks*, MICCAI
    RAMBO 2017, for conditions at every scale and noise at each layer.

    Odena, Dumoulin and Olah, *Deconvolution and checkerboard artifacts*, Distill 2016,
    for interpolation in place of transposed convolutions.

    Examples
    --------
    >>> import torch
    >>> generator = ConvGenerator(32, (1, 24, 30), map_channels=3, noise=True)
    >>> generator.noise_features == 24 * 30 + 12 * 15 + 6 * 8 + 3 * 4
    True
    >>> z = torch.randn(2, 32 + generator.noise_features)
    >>> generator(z, maps=torch.zeros(2, 3, 24, 30)).shape
    torch.Size([2, 1, 24, 30])
    """

    def __init__(
        self,
        latent_dim: int,
        output_shape: Sequence[int],
        vector_size: int = 0,
        map_channels: int = 0,
        channels: Sequence[int] | int = (16, 32, 64),
        norm: str = "batch",
        activation: str = "relu",
        map_scales: str = "all",
        noise: bool = False,
    ) -> None:
        super().__init__(latent_dim, output_shape, vector_size, map_channels)
        out_channels, full = check_grid_shape(
            self.output_shape, "output_shape", "generator 'conv' makes"
        )
        everywhere = check_choice(map_scales, "map_scales", ("all", "input")) == "all"
        if not isinstance(noise, bool):
            raise ValueError(f"noise must be True or False, got {noise!r}.")
        sizes = pyramid(full)[::-1]
        widths = spread(channels, len(sizes))[::-1]
        cells = [math.prod(size) for size in sizes]
        self.noise_cells = cells if noise else [0] * len(sizes)
        self.noise_features = sum(self.noise_cells)
        self.start = nn.Sequential(
            nn.Linear(max(self.code_size, 1), widths[0] * cells[0]),
            nn.Unflatten(1, (widths[0], *sizes[0])),
            *finish_layers(widths[0], len(full), norm, activation),
        )
        self.scales = nn.ModuleList()
        before, size = widths[0], sizes[0]
        for after, new in zip(widths, sizes, strict=True):
            mapped = self.map_channels > 0 and (everywhere or not self.scales)
            extra = self.map_channels * mapped + noise
            up = Up((before, extra, after), Resize(size, new), norm, activation)
            self.scales.append(_Scale(up, Resize(full, new) if mapped else None))
            before, size = after, new
        self.last = convolution(before, out_channels, len(full))

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
        x = self.start(with_something(code))
        columns = noise.split(self.noise_cells, 1)
        for scale, values in zip(self.scales, columns, strict=True):
            x = scale(x, values, maps)
        out: Tensor = self.last(x)
        return out


class _Scale(nn.Module):
    """One scale: enlarge the features, with condition and noise beside them."""

    def __init__(self, up: Up, shrink: Resize | None) -> None:
        super().__init__()
        self.up = up
        self.shrink = shrink

    def forward(self, x: Tensor, noise: Tensor, maps: Tensor | None) -> Tensor:
        """Return the map of this scale."""
        beside = []
        if self.shrink is not None and maps is not None:
            beside.append(self.shrink(maps))
        if noise.shape[1]:
            beside.append(noise.unflatten(1, (1, *self.up.enlarge.after)))
        out: Tensor = self.up(x, torch.cat(beside, 1) if beside else None)
        return out
