r"""Displacement fields: images moved by them, and how sane they are.

A displacement field :math:`u` has shape (B, d, \*sides); d is 2 for images (H, W), 3
for volumes (D, H, W). Its channel i is the displacement along axis i, in pixels. It
says where to look: a moved image is :math:`I(x + u(x))`, so that every pixel gets a
value.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import torch
import torch.nn.functional as F
from torch import Tensor

from ._checks import check_choice

__all__ = ["bending_energy", "dice", "folding", "jacobian_determinant", "warp"]

_MODES = {"linear": "bilinear", "nearest": "nearest"}


def warp(
    image: Tensor, displacement: Tensor, mode: str = "linear", fill: str = "border"
) -> Tensor:
    """Move images by displacement fields.

    Parameters
    ----------
    image : Tensor of shape (B, C, *sides)
        Images or volumes; of labels, too, one channel a label.
    displacement : Tensor of shape (B, d, *sides)
        Where to look from each pixel, in pixels.
    mode : {"linear", "nearest"}, default="linear"
        Interpolation. Only linear has a gradient with respect to the displacement.
    fill : {"border", "zeros"}, default="border"
        What lies outside the image: its outermost pixels again, or zeros.

    Returns
    -------
    Tensor of shape (B, C, *sides)
        ``image`` at ``x + displacement(x)``.

    Raises
    ------
    ValueError
        If shapes do not go together, or a choice is unknown.

    Examples
    --------
    >>> image = torch.arange(4.0).reshape(1, 1, 1, 4)
    >>> right = torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1).expand(1, 2, 1, 4)
    >>> warp(image, right).flatten()
    tensor([1., 2., 3., 3.])
    """
    mode = _MODES[check_choice(mode, "mode", _MODES)]
    check_choice(fill, "fill", ("border", "zeros"))
    sides = _sides(displacement)
    if image.shape[2:] != sides or len(image) != len(displacement):
        raise ValueError(
            f"images of shape {tuple(image.shape)} cannot be moved by displacements of "
            f"shape {tuple(displacement.shape)}: both need the same number of samples "
            "and the same sides."
        )
    axes = [torch.arange(side).to(displacement) for side in sides]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")) + displacement
    # grid_sample counts from -1 to 1, border to border, and names the last axis first.
    size = places.new_tensor(sides).reshape(-1, *[1] * len(sides))
    grid = ((2 * places + 1) / size - 1).flip(1).movedim(1, -1)
    return F.grid_sample(
        image, grid.to(image.dtype), mode=mode, padding_mode=fill, align_corners=False
    )


def jacobian_determinant(displacement: Tensor) -> Tensor:
    r"""Return by how much a deformation enlarges each pixel.

    It is the determinant of the derivative of :math:`x + u(x)`: 1 where nothing is
    stretched, and negative where the grid is folded, which no tissue does. Derivatives
    are central differences, one-sided at the border.

    Parameters
    ----------
    displacement : Tensor of shape (B, d, *sides)
        In pixels; all sides at least 2.

    Returns
    -------
    Tensor of shape (B, *sides)
        Determinants.

    Raises
    ------
    ValueError
        If it is no displacement field, or has a side of one pixel.

    Examples
    --------
    >>> x = torch.arange(4.0).expand(4, 4)
    >>> twice_as_wide = torch.stack([torch.zeros(4, 4), x]).unsqueeze(0)
    >>> jacobian_determinant(twice_as_wide).unique()
    tensor([2.])
    """
    sides = _sides(displacement, smallest=2)
    axes = list(range(2, displacement.ndim))
    slopes = torch.gradient(displacement, dim=axes)
    one = torch.eye(len(sides), dtype=displacement.dtype, device=displacement.device)
    columns = [
        slope + step.reshape(1, -1, *[1] * len(sides))
        for slope, step in zip(slopes, one, strict=True)
    ]
    if len(columns) == 2:
        a, b = columns
        return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    a, b, c = columns
    return (torch.linalg.cross(a, b, dim=1) * c).sum(1)


def folding(displacement: Tensor) -> Tensor:
    """Return the share of pixels at which a deformation folds.

    Parameters
    ----------
    displacement : Tensor of shape (B, d, *sides)
        In pixels.

    Returns
    -------
    Tensor of shape (B,)
        Share of negative :func:`jacobian_determinant`.

    Examples
    --------
    >>> folding(torch.zeros(2, 2, 8, 8))
    tensor([0., 0.])
    """
    negative = jacobian_determinant(displacement) < 0
    return negative.flatten(1).to(displacement.dtype).mean(1)


def bending_energy(displacement: Tensor) -> Tensor:
    r"""Return the mean squared second derivative of each field.

    .. math:: \frac1{|\Omega|} \sum_{x \in \Omega} \sum_{ij}
        \Bigl\lVert \frac{\partial^2 u}{\partial x_i \partial x_j} \Bigr\rVert^2

    Affine displacements have none. Differences are central and taken over the inner
    pixels, those that have all neighbours.

    Parameters
    ----------
    displacement : Tensor of shape (B, d, *sides)
        In pixels; all sides at least 3.

    Returns
    -------
    Tensor of shape (B,)
        Not negative.

    Raises
    ------
    ValueError
        If it is no displacement field, or has a side below 3.

    References
    ----------
    Rueckert et al., *Nonrigid registration using free-form deformations*, IEEE TMI
    18(8), 1999, equation 6.

    Examples
    --------
    >>> x = torch.arange(5.0).expand(5, 5)
    >>> field = torch.stack([x, 0.5 * x.square()]).unsqueeze(0)
    >>> bending_energy(field)
    tensor([1.])
    """
    n_axes = len(_sides(displacement, smallest=3))
    total = displacement.new_zeros(len(displacement))
    for a, b in combinations_with_replacement(range(n_axes), 2):
        second = _second(displacement, a, b).square().sum(1)
        total = total + (1 if a == b else 2) * second.flatten(1).mean(1)
    return total


def dice(a: Tensor, b: Tensor) -> Tensor:
    r"""Return the overlap of two labels.

    .. math:: \frac{2 \sum_x a(x) b(x)}{\sum_x a(x) + \sum_x b(x)}

    Parameters
    ----------
    a, b : Tensor of shape (B, C, *sides)
        Masks, or probabilities between 0 and 1; a channel for each label.

    Returns
    -------
    Tensor of shape (B, C)
        Between 0 and 1; 1 where both labels are empty.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    Milletari, Navab and Ahmadi, *V-Net: fully convolutional neural networks for
    volumetric medical image segmentation*, 3DV 2016, section 3.

    Examples
    --------
    >>> a = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    >>> dice(a, a.roll(1, 2))
    tensor([[0.5000]])
    """
    if a.shape != b.shape:
        raise ValueError(
            f"labels must have one shape (B, C, ...), got {tuple(a.shape)} and "
            f"{tuple(b.shape)}."
        )
    a, b = (mask.to(torch.promote_types(mask.dtype, torch.float32)) for mask in (a, b))
    both = (a * b).flatten(2).sum(2)
    each = (a + b).flatten(2).sum(2)
    # Without 0 / 0, whose gradient would be NaN even where it is not used.
    return torch.where(each > 0, 2 * both / each.where(each > 0, 1), 1)


def _second(field: Tensor, a: int, b: int) -> Tensor:
    """Return the derivative along axes `a` and `b` at inner pixels."""
    if a == b:
        return _at(field, {a: 1}) - 2 * _at(field, {}) + _at(field, {a: -1})
    corners = [(1, 1), (-1, -1), (1, -1), (-1, 1)]
    p, q, r, s = (_at(field, {a: i, b: j}) for i, j in corners)
    return (p + q - r - s) / 4


def _at(field: Tensor, step: dict[int, int]) -> Tensor:
    """Return the neighbours, a step away, of inner pixels."""
    for axis, side in enumerate(field.shape[2:]):
        field = field.narrow(axis + 2, 1 + step.get(axis, 0), side - 2)
    return field


def _sides(displacement: Tensor, smallest: int = 1) -> torch.Size:
    """Return the sides of the grid; raise if it is no displacement field of it."""
    n_axes = displacement.ndim - 2
    if n_axes not in (2, 3) or displacement.shape[1] != n_axes:
        raise ValueError(
            "a displacement field has shape (B, 2, H, W) or (B, 3, D, H, W), got "
            f"{tuple(displacement.shape)}."
        )
    sides = displacement.shape[2:]
    if min(sides) < smallest:
        raise ValueError(
            f"its derivatives need sides of at least {smallest} pixels, got "
            f"{' x '.join(map(str, sides))}."
        )
    return sides
