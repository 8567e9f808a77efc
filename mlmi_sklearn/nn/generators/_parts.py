"""What generators of images and volumes are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..backbones._layers import activation_layer, norm_layers

__all__ = [
    "Resize",
    "Up",
    "convolution",
    "finish_layers",
    "grid_block",
    "with_something",
]

_CONVS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}


class Resize(nn.Module):
    """Interpolate maps to another size: linearly, by areas where a side shrinks.

    The same numbers as :func:`torch.nn.functional.interpolate`, as one product of
    matrices for each axis, which takes half the time of its kernels on a CPU.

    Parameters
    ----------
    before, after : sequence of int
        Sides of the maps, in and out.

    Examples
    --------
    >>> Resize((1, 4), (2, 2))(torch.tensor([[[[0.0, 2.0, 4.0, 6.0]]]]))
    tensor([[[[1., 5.],
              [1., 5.]]]])
    """

    def __init__(self, before: Sequence[int], after: Sequence[int]) -> None:
        super().__init__()
        self.after = tuple(after)
        self.axes = []
        for axis, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.axes.append(axis)
                # Not part of the weights: it follows from the sizes.
                matrix = _interpolation(old, new)
                self.register_buffer(f"matrix_{axis}", matrix, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C, *after) of maps (B, C, *before)."""
        for axis in reversed(self.axes):
            matrix: Tensor = self.get_buffer(f"matrix_{axis}")
            if axis + 3 == x.ndim:
                x = x @ matrix.T
                continue
            shape = x.shape
            rows = x.reshape(*shape[: axis + 3], -1)
            x = (matrix @ rows).reshape(*shape[: axis + 2], -1, *shape[axis + 3 :])
        return x


def _interpolation(old: int, new: int) -> Tensor:
    """Return the matrix (new, old) that changes the length of an axis."""
    steps = torch.eye(old).unsqueeze(0)
    mode = "linear" if new > old else "area"
    return F.interpolate(steps, size=new, mode=mode)[0].T.contiguous()


def convolution(
    before: int,
    after: int,
    axes: int,
    stride: Sequence[int] | int = 1,
    bias: bool = True,
) -> nn.Module:
    """Return a convolution of 3 x 3 (x 3) that keeps the size but for its stride."""
    return _CONVS[axes](before, after, 3, stride=stride, padding=1, bias=bias)


class Up(nn.Module):
    """One scale on the way up: features enlarged, and what stands beside them.

    The same as a convolution of both, one after the other along the channels, but that
    features are convolved before they are enlarged, at a quarter of the cost.

    Parameters
    ----------
    channels : tuple of int
        Of the features, of what stands beside them (0 for nothing), and of the result.
    enlarge : Resize
        From the size of the features to that of the result.
    norm, activation : str
        What follows, as in a backbone.

    Examples
    --------
    >>> up = Up((8, 3, 4), Resize((5, 5), (9, 10)), "batch", "relu")
    >>> up(torch.zeros(2, 8, 5, 5), torch.zeros(2, 3, 9, 10)).shape
    torch.Size([2, 4, 9, 10])
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        enlarge: Resize,
        norm: str,
        activation: str,
    ) -> None:
        super().__init__()
        before, beside, after = channels
        axes = len(enlarge.after)
        self.features = convolution(before, after, axes)
        self.enlarge = enlarge
        self.beside = convolution(beside, after, axes, bias=False) if beside else None
        self.finish = nn.Sequential(*finish_layers(after, axes, norm, activation))

    def forward(self, x: Tensor, beside: Tensor | None) -> Tensor:
        """Return the map of this scale."""
        x = self.enlarge(self.features(x))
        if self.beside is not None and beside is not None:
            x = x + self.beside(beside)
        out: Tensor = self.finish(x)
        return out


def finish_layers(
    channels: int, axes: int, norm: str, activation: str
) -> list[nn.Module]:
    """Return a normalisation unless "none", and an activation."""
    return [*norm_layers(norm, channels, axes), activation_layer(activation)]


def grid_block(
    before: int,
    after: int,
    axes: int,
    norm: str,
    activation: str,
    stride: Sequence[int] | int = 1,
) -> nn.Sequential:
    """Return a convolution, a normalisation unless "none", and an activation."""
    finish = finish_layers(after, axes, norm, activation)
    return nn.Sequential(convolution(before, after, axes, stride), *finish)


def with_something(code: Tensor) -> Tensor:
    """Return a column of ones in place of no columns at all."""
    return code if code.shape[1] else code.new_ones(code.shape[0], 1)
