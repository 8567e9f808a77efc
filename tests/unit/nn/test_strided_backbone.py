"""The backbone of strided convolutions: any size, features of a row alone."""

import pytest
import torch
from torch import nn

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.nn.backbones import StridedConv
from mlmi_sklearn.nn.backbones.strided import leaky_layer, pyramid, spread
from mlmi_sklearn.testing import check_component

SIDES = [4, 5, 7, 8, 9, 12, 24, 31, 64]


@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("width", [4, 11, 32])
def test_every_size_of_image_ends_in_a_small_map(height, width):
    net = StridedConv((2, height, width), channels=(3, 5))
    x = torch.randn(2, 2, height, width)
    layers = list(net)[:-1]
    small = nn.Sequential(*layers)(x)
    assert min(small.shape[2:]) >= 2
    assert max(small.shape[2:]) <= 4
    assert net(x).shape == (2, net.out_features)
    assert net.out_features == small[0].numel()


@pytest.mark.parametrize("size", [(4, 4, 4), (1, 6, 9), (8, 5, 17)])
@pytest.mark.parametrize("pooling", ["flatten", "average"])
def test_volumes(size, pooling):
    net = StridedConv((1, *size), channels=(2, 3), pooling=pooling)
    assert net(torch.randn(2, 1, *size)).shape == (2, net.out_features)
    if pooling == "average":
        assert net.out_features == (3 if max(size) > 8 else 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (3, 2, 4), (1, 1, 1, 1)])
def test_images_too_small_to_halve_are_convolved_once(shape):
    net = StridedConv(shape, channels=6)
    convs = [m for m in net.modules() if hasattr(m, "stride")]
    assert len(convs) == 1
    assert set(convs[0].stride) == {1}
    assert net(torch.randn(3, *shape)).shape == (3, net.out_features)


def test_grey_images_without_an_axis_of_channels():
    torch.manual_seed(0)
    flat = StridedConv((12, 10))
    torch.manual_seed(0)
    with_axis = StridedConv((1, 12, 10))
    x = torch.randn(2, 12, 10)
    assert torch.equal(flat(x), with_axis(x.unsqueeze(1)))


def test_many_channels_are_not_mistaken_for_an_axis_of_the_image():
    """Conditions come as channels, and a thin image may be narrower than they are."""
    net = StridedConv((11, 8, 4))
    assert net(torch.zeros(1, 11, 8, 4)).shape == (1, net.out_features)


def test_rows_are_alone_in_training_too():
    net = StridedConv((1, 16, 16)).double().train()
    x = torch.randn(4, 1, 16, 16, dtype=torch.float64)
    single = torch.cat([net(row.unsqueeze(0)) for row in x])
    torch.testing.assert_close(net(x), single, rtol=1e-12, atol=1e-12)


def test_the_penalty_on_its_slope_has_a_gradient():
    net = StridedConv((2, 9, 9), channels=(4, 6)).double()
    x = torch.randn(3, 2, 9, 9, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    weights = [p for n, p in net.named_parameters() if n.endswith("weight")]
    assert all(float(p.grad.abs().max()) > 0 for p in weights)


def test_the_first_layer_has_no_normalisation():
    for norm, kind in (
        ("batch", nn.modules.batchnorm._BatchNorm),
        ("group", nn.GroupNorm),
    ):
        net = StridedConv((1, 32, 32), norm=norm)
        assert [isinstance(m, kind) for m in net].index(True) == 4
        assert sum(isinstance(m, kind) for m in net) == 2
        assert net(torch.randn(2, 1, 32, 32)).shape == (2, net.out_features)


def test_position_is_kept_by_flattening_and_lost_by_averaging():
    left = torch.zeros(1, 1, 64, 64)
    left[..., 30:34, 22:26] = 1
    right = left.roll(8, dims=3)
    flat, mean = (
        StridedConv((1, 64, 64), smallest=8, pooling=pooling).double()
        for pooling in ("flatten", "average")
    )
    with torch.no_grad():
        gap = (flat(left.double()) - flat(right.double())).abs().max()
        assert gap > 1e-3
        # A shift by the stride of all layers shifts the last map, but for the rim.
        gap = (mean(left.double()) - mean(right.double())).abs().max()
        assert gap < 1e-12


@pytest.mark.parametrize("activation", ["leaky-relu", "relu", "silu"])
def test_activation(activation):
    net = StridedConv((1, 8, 8), activation=activation)
    assert sum(isinstance(m, type(leaky_layer(activation))) for m in net) == 1
    assert leaky_layer("leaky-relu").negative_slope == 0.2


@pytest.mark.parametrize(
    ("size", "smallest", "expected"),
    [
        ((24, 24), 4, [(24, 24), (12, 12), (6, 6), (3, 3)]),
        ((28,), 4, [(28,), (14,), (7,), (4,)]),
        ((4, 1), 4, [(4, 1)]),
        ((5, 200), 50, [(5, 200), (5, 100), (5, 50)]),
        ((3, 2), 1, [(3, 2), (2, 1), (1, 1)]),
    ],
)
def test_pyramid(size, smallest, expected):
    assert pyramid(size, smallest) == expected


def test_spread_repeats_the_last():
    assert spread(7, 3) == (7, 7, 7)
    assert spread((1, 2, 3), 2) == (1, 2)
    assert spread((1, 2), 0) == ()


@pytest.mark.parametrize(
    ("shape", "params", "words"),
    [
        ((5,), {}, "'strided-conv' takes images .* got input of shape .5,."),
        ((1,) * 5, {}, "'strided-conv' takes images"),
        ((1, 8, 0), {}, "every entry of input_shape must be an integer of at least 1"),
        ((1, 8, 8), {"channels": ()}, "channels must hold at least one number"),
        ((1, 8, 8), {"channels": (4, 0)}, "channels must be an integer of at least 1"),
        ((1, 8, 8), {"norm": "layer"}, "norm='layer' is unknown.*batch, group, none"),
        ((1, 8, 8), {"activation": "reluu"}, "Did you mean 'relu'"),
        ((1, 8, 8), {"pooling": "mean"}, "pooling='mean' is unknown"),
        ((1, 8, 8), {"smallest": 0}, "smallest must be an integer of at least 1"),
    ],
)
def test_bad_parameters(shape, params, words):
    with pytest.raises(ValueError, match=words):
        StridedConv(shape, **params)


def test_it_is_found_for_images_and_volumes():
    for takes in ("image", "volume"):
        parts = list_components("backbone", builtin=True, input=takes)
        assert "strided-conv" in {part.name for part in parts}
    assert find_component("backbone", "strided-conv").load() is StridedConv
    check_component("backbone", "strided-conv")
