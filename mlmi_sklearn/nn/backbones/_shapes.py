"""Checks of input shapes, in words that name the backbone and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from .._checks import check_sizes

__all__ = ["Grid", "check_channels", "check_grid", "check_sequence", "check_vector"]

# What suits inputs of so many dimensions.
_SUITED = {
    1: "backbone='mlp'",
    2: "backbone='conv' for images, backbone='transformer' for sequences",
    3: "backbone='conv'",
    4: "backbone='conv3d'",
}
_FLATTENED = {3: " or flatten the images", 4: " or flatten the volumes"}
_GRIDS = {
    2: ("images (H, W) or (C, H, W)", "images", "pixels"),
    3: ("volumes (D, H, W) or (C, D, H, W)", "volumes", "voxels"),
}


class Grid(NamedTuple):
    """Images or volumes: their channels, their size, and how to see the channels."""

    channels: int
    size: tuple[int, ...]
    entry: nn.Module


def check_vector(input_shape: Sequence[int], backbone: str) -> int:
    """Return the length of the vectors a backbone is made for."""
    shape = check_sizes(input_shape, "input_shape")
    if len(shape) != 1:
        raise _unsuited(backbone, "vectors", shape, _FLATTENED.get(len(shape), ""))
    return shape[0]


def check_sequence(input_shape: Sequence[int], backbone: str) -> tuple[int, int]:
    """Return the length and the width of the sequences a backbone is made for."""
    shape = check_sizes(input_shape, "input_shape")
    if len(shape) != 2:
        raise _unsuited(backbone, "sets or sequences (L, D)", shape)
    return shape[0], shape[1]


def check_grid(
    input_shape: Sequence[int], backbone: str, axes: int = 2, smallest: int = 1
) -> Grid:
    """Return channels and size of the images (or volumes) a backbone is made for."""
    shape = check_sizes(input_shape, "input_shape")
    what, plural, points = _GRIDS[axes]
    if len(shape) not in (axes, axes + 1):
        raise _unsuited(backbone, what, shape)
    size = shape[-axes:]
    if len(shape) == axes + 1 and shape[-1] <= 4 < min(shape[:-1]):
        order = (0, axes + 1, *range(1, axes + 1))
        raise ValueError(
            f"backbone {backbone!r} takes {plural} with the channels first, got input "
            f"of shape {shape}, which has them last; pass X.transpose{order}."
        )
    if min(size) < smallest:
        least, given = " x ".join([str(smallest)] * axes), " x ".join(map(str, size))
        raise ValueError(
            f"backbone {backbone!r} needs {plural} of at least {least} {points}, got "
            f"{given}; enlarge the {plural}, or flatten them and use backbone='mlp'."
        )
    if len(shape) == axes:
        return Grid(1, size, nn.Unflatten(1, (1, size[0])))
    return Grid(shape[0], size, nn.Identity())


def check_channels(channels: Sequence[int] | int) -> tuple[int, ...]:
    """Return the channels of blocks or levels, at least one of them."""
    widths = check_sizes(channels, "channels")
    if not widths:
        raise ValueError("channels must hold at least one number, got none.")
    return widths


def _unsuited(
    backbone: str, what: str, shape: tuple[int, ...], otherwise: str = ""
) -> ValueError:
    """Make the error about an input of the wrong rank."""
    suited = _SUITED.get(len(shape), "inputs of one to four dimensions")
    return ValueError(
        f"backbone {backbone!r} takes {what}, got input of shape {shape}; use "
        f"{suited}{otherwise}."
    )
