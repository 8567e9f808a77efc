"""Displacement fields beside scipy and beside fields known on paper."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from mlmi_sklearn.nn.registration import (
    bending_energy,
    dice,
    folding,
    jacobian_determinant,
    warp,
)

F64 = torch.float64
SHAPES = [(7, 7), (6, 11), (5, 6, 8)]
shapes = pytest.mark.parametrize("shape", SHAPES)


def axes_of(shape):
    return torch.stack(
        torch.meshgrid(*[torch.arange(s, dtype=F64) for s in shape], indexing="ij")
    )


def linear_field(shape, matrix):
    """Displacements of the affine map with this linear part."""
    x = axes_of(shape).flatten(1)
    moved = (matrix - torch.eye(len(shape), dtype=F64)) @ x
    return moved.reshape(1, len(shape), *shape)


@shapes
@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize(
    ("fill", "of_scipy"), [("border", "nearest"), ("zeros", "grid-constant")]
)
def test_warp_is_that_of_scipy(shape, mode, fill, of_scipy):
    image = torch.randn(2, 3, *shape, dtype=F64)
    field = 1.5 * torch.randn(2, len(shape), *shape, dtype=F64)
    found = warp(image, field, mode, fill)
    places = axes_of(shape) + field
    order = 1 if mode == "linear" else 0
    for i in range(2):
        for c in range(3):
            expected = ndimage.map_coordinates(
                image[i, c].numpy(), places[i].numpy(), order=order, mode=of_scipy
            )
            np.testing.assert_allclose(found[i, c].numpy(), expected, atol=1e-9)


@shapes
def test_no_displacement_moves_nothing(shape):
    image = torch.randn(2, 1, *shape)
    still = torch.zeros(2, len(shape), *shape)
    torch.testing.assert_close(warp(image, still), image, atol=1e-5, rtol=0)
    assert torch.equal(warp(image, still, "nearest"), image)
    assert (jacobian_determinant(still) == 1).all()
    assert (bending_energy(still) == 0).all()


@shapes
def test_channel_i_moves_along_axis_i(shape):
    for axis in range(len(shape)):
        image = axes_of(shape)[axis][None, None]
        field = torch.zeros(1, len(shape), *shape, dtype=F64)
        field[:, axis] = 1
        inner = (slice(None), slice(None), *[slice(1, -1)] * len(shape))
        torch.testing.assert_close(warp(image, field)[inner], image[inner] + 1)


def test_warp_has_gradients_for_both():
    image = torch.randn(1, 1, 4, 5, dtype=F64, requires_grad=True)
    field = (0.3 * torch.rand(1, 2, 4, 5, dtype=F64) + 0.1).requires_grad_()

    def inner(image, field):
        return warp(image, field)[..., :3, :4]

    assert torch.autograd.gradcheck(inner, (image, field))


@shapes
def test_determinant_and_bending_of_affine_maps(shape):
    d = len(shape)
    matrix = torch.eye(d, dtype=F64) + 0.3 * torch.randn(d, d, dtype=F64)
    field = linear_field(shape, matrix)
    determinant = jacobian_determinant(field)
    torch.testing.assert_close(
        determinant, torch.linalg.det(matrix).expand(1, *shape), atol=1e-9, rtol=0
    )
    assert bending_energy(field).item() < 1e-18


@shapes
def test_mirror_image_is_folded_everywhere(shape):
    matrix = torch.eye(len(shape), dtype=F64)
    matrix[-1, -1] = -1
    field = torch.cat([linear_field(shape, matrix), torch.zeros(1, len(shape), *shape)])
    assert folding(field).tolist() == [1.0, 0.0]


def test_a_local_fold_is_found_where_it_is():
    field = torch.zeros(1, 2, 9, 9)
    field[:, 1, :, 5] = -3.0  # the sixth column comes from before the fifth
    negative = jacobian_determinant(field) < 0
    assert negative[0].any(0).tolist() == [c == 4 for c in range(9)]
    assert folding(field).item() == pytest.approx(1 / 9)


@shapes
def test_bending_of_quadratic_fields(shape):
    x = axes_of(shape)
    d = len(shape)
    field = torch.zeros(2, d, *shape, dtype=F64)
    field[0, 0] = 1.5 * x[1].square()  # second derivative 3
    field[1, 1] = 2 * x[0] * x[1]  # mixed derivative 2, which counts twice
    torch.testing.assert_close(
        bending_energy(field), torch.tensor([9.0, 8.0], dtype=F64)
    )


def test_bending_of_a_wave_is_near_that_of_the_integral():
    n, k = 200, 2 * math.pi / 50
    x = axes_of((n, n))
    field = torch.stack([torch.sin(k * x[1]), torch.zeros(n, n)]).unsqueeze(0)
    expected = k**4 / 2
    assert bending_energy(field).item() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("function", [bending_energy, jacobian_determinant])
def test_regularisers_have_gradients(function):
    field = torch.randn(2, 2, 4, 5, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (field,))


def test_each_field_has_its_own_energy():
    field = torch.randn(3, 2, 6, 6, dtype=F64)
    one_by_one = torch.cat([bending_energy(part) for part in field.split(1)])
    torch.testing.assert_close(bending_energy(field), one_by_one)


# -- overlap -----------------------------------------------------------------------


def test_dice_of_masks():
    a = torch.zeros(1, 3, 4, 4)
    b = a.clone()
    a[:, 0, :2], b[:, 0, 1:3] = 1, 1  # half of each
    a[:, 1] = 1  # against nothing
    assert dice(a, b).tolist() == [[0.5, 0.0, 1.0]]
    assert torch.equal(dice(a, b), dice(b, a))
    assert torch.equal(dice(a.bool(), b.bool()), dice(a, b))
    assert torch.equal(dice(a, a), torch.ones(1, 3))


def test_dice_of_empty_labels_has_a_finite_gradient():
    a = torch.zeros(1, 2, 3, 3, requires_grad=True)
    dice(a, torch.zeros(1, 2, 3, 3)).sum().backward()
    assert a.grad.isfinite().all()


def test_dice_learns_where_to_go():
    a = torch.full((1, 1, 4), 0.5, requires_grad=True)
    b = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    dice(a, b).sum().backward()
    assert (a.grad.flatten().sign() == torch.tensor([1.0, 1.0, -1.0, -1.0])).all()


# -- mistakes ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 2, 5), (2, 3, 5, 5), (2, 2, 5, 5, 5), (2, 5, 5)])
@pytest.mark.parametrize("function", [bending_energy, jacobian_determinant, folding])
def test_no_displacement_field(function, shape):
    with pytest.raises(ValueError, match=r"has shape \(B, 2, H, W\) or \(B, 3, D, H"):
        function(torch.zeros(shape))


def test_fields_too_small_for_derivatives():
    with pytest.raises(ValueError, match="sides of at least 3 pixels, got 2 x 5"):
        bending_energy(torch.zeros(1, 2, 2, 5))
    with pytest.raises(ValueError, match="sides of at least 2 pixels, got 1 x 5"):
        jacobian_determinant(torch.zeros(1, 2, 1, 5))


@pytest.mark.parametrize("image", [(2, 1, 5, 6), (1, 1, 5, 5)])
def test_images_and_fields_that_do_not_go_together(image):
    with pytest.raises(ValueError, match="cannot be moved by displacements of shape"):
        warp(torch.zeros(image), torch.zeros(2, 2, 5, 5))


def test_unknown_choices():
    image, field = torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4)
    with pytest.raises(ValueError, match="mode='cubic' is unknown"):
        warp(image, field, mode="cubic")
    with pytest.raises(ValueError, match="fill='wrap' is unknown"):
        warp(image, field, fill="wrap")


def test_labels_of_different_shapes():
    with pytest.raises(ValueError, match="labels must have one shape"):
        dice(torch.zeros(1, 1, 4), torch.zeros(1, 2, 4))
