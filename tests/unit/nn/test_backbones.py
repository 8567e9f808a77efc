"""Backbones: the contract for each at several sizes, and what makes each special."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlmi_sklearn.nn.backbones import (
    MLP,
    Conv4,
    ConvNet,
    ConvNet3d,
    Linear,
    ResNet,
    SetTransformer,
    UNetEncoder,
)

# Class, input shape, parameters, width of the result.
CASES = [
    (MLP, (20,), {}, 100),
    (MLP, (1,), {"hidden": 7, "norm": "layer", "activation": "tanh"}, 7),
    (MLP, (5,), {"hidden": (6, 4), "norm": "batch", "dropout": 0.5}, 4),
    (MLP, (5,), {"hidden": ()}, 5),
    (Linear, (5,), {}, 5),
    (Linear, (5,), {"out_features": 3}, 3),
    (ConvNet, (8, 8), {}, 64),
    (ConvNet, (1, 16, 16), {}, 64),
    (ConvNet, (3, 9, 50), {"channels": 4, "norm": "none"}, 4),
    (ConvNet, (2, 12, 8), {"channels": (3, 5), "norm": "batch", "dropout": 0.5}, 5),
    (Conv4, (1, 28, 28), {"width": 8}, 8),
    (Conv4, (3, 84, 84), {"width": 2}, 2 * 25),
    (Conv4, (1, 1), {"width": 3, "norm": "none"}, 3),
    (Conv4, (1, 3, 40), {"width": 3, "norm": "group"}, 3 * 20),
    (ResNet, (8, 8), {"depth": 8, "width": 4}, 16),
    (ResNet, (3, 15, 9), {"depth": 14, "width": 4, "norm": "group"}, 16),
    (ResNet, (1, 16, 16), {}, 64),
    (ConvNet3d, (1, 8, 8, 8), {}, 32),
    (ConvNet3d, (3, 20, 20), {"channels": (4, 6)}, 6),
    (ConvNet3d, (2, 1, 1, 1), {"channels": 2}, 2),
    (UNetEncoder, (1, 16, 16), {}, 128),
    (UNetEncoder, (9, 30), {"channels": (2, 4, 6), "norm": "none"}, 6),
    (UNetEncoder, (3, 8, 8), {"channels": 4, "norm": "batch", "dropout": 0.2}, 4),
    (SetTransformer, (6, 10), {}, 64),
    (SetTransformer, (1, 1), {"width": 4, "heads": 1, "n_layers": 1}, 4),
    (SetTransformer, (7, 3), {"width": 9, "heads": 3, "positional": "sinusoidal"}, 9),
    (SetTransformer, (5, 3), {"width": 8, "dropout": 0.3, "feedforward": 5}, 8),
]
cases = pytest.mark.parametrize(
    ("Backbone", "shape", "params", "width"),
    CASES,
    ids=[f"{c[0].__name__}-{c[1]}-{i}" for i, c in enumerate(CASES)],
)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def make(case, dtype=torch.float32):
    """Build a net in evaluation mode and a batch for it."""
    Backbone, shape, params, _ = case
    torch.manual_seed(1)
    return Backbone(shape, **params).to(dtype).eval(), torch.randn(6, *shape).to(dtype)


def lively(net):
    """Give batch normalisations statistics that do something."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net


@cases
@dtypes
def test_shape_type_and_width(Backbone, shape, params, width, dtype):
    net, x = make((Backbone, shape, params, width), dtype)
    features = net(x)
    assert net.out_features == width
    assert features.shape == (6, width)
    assert features.dtype == dtype
    assert torch.isfinite(features).all()


@cases
@dtypes
def test_rows_do_not_see_each_other(Backbone, shape, params, width, dtype):
    net, x = make((Backbone, shape, params, width), dtype)
    lively(net)
    with torch.no_grad():
        whole = net(x)
        scale = max(1.0, float(whole.abs().max()))
        tolerance = {"rtol": 0, "atol": TOLERANCE[dtype] * scale}
        for row in range(6):
            torch.testing.assert_close(
                net(x[row : row + 1])[0], whole[row], **tolerance
            )
        torch.testing.assert_close(net(x.flip(0)).flip(0), whole, **tolerance)


@cases
def test_training_gives_every_parameter_a_finite_gradient(
    Backbone, shape, params, width
):
    net, x = make((Backbone, shape, params, width))
    x.requires_grad_()
    net.train()(x).square().sum().backward()
    for tensor in (x, *net.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


@cases
def test_the_input_is_left_alone(Backbone, shape, params, width):
    net, x = make((Backbone, shape, params, width))
    before = x.clone()
    net.train()(x)
    assert torch.equal(x, before)


@cases
def test_a_seed_fixes_everything(Backbone, shape, params, width):
    first, x = make((Backbone, shape, params, width))
    second, _ = make((Backbone, shape, params, width))
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert torch.equal(first(x), second(x))


@cases
def test_functional_call_with_other_weights(Backbone, shape, params, width):
    net, x = make((Backbone, shape, params, width), torch.float64)
    other = {k: v + 0.1 for k, v in net.named_parameters()}
    moved = copy.deepcopy(net)
    moved.load_state_dict({**net.state_dict(), **other})
    torch.testing.assert_close(functional_call(net, other, (x,)), moved(x))

    def energy(weights, x):
        return functional_call(net, weights, (x,)).square().sum()

    slopes, to_x = grad(energy, argnums=(0, 1))(other, x)
    moved(x.requires_grad_()).square().sum().backward()
    torch.testing.assert_close(to_x, x.grad)
    for name, parameter in moved.named_parameters():
        torch.testing.assert_close(slopes[name], parameter.grad)


@cases
def test_the_only_chance_is_in_dropout_modules(Backbone, shape, params, width):
    net, x = make((Backbone, shape, params, width))
    net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    before = torch.random.get_rng_state()
    net(x)
    assert torch.equal(torch.random.get_rng_state(), before)


BY_ROWS = [(MLP, (20,)), (SetTransformer, (6, 10)), (Linear, (20,))]
DEFAULTS = [
    (MLP, (20,)),
    (ConvNet, (1, 16, 16)),
    (ConvNet3d, (1, 8, 8, 8)),
    (SetTransformer, (6, 10)),
    (UNetEncoder, (1, 16, 16)),
    (Linear, (20,)),
]


@pytest.mark.parametrize(("Backbone", "shape"), BY_ROWS)
def test_by_default_training_too_looks_at_one_row_at_a_time(Backbone, shape):
    """So a row of weight two counts as two rows; batch normalisation would differ."""
    net = Backbone(shape).double().train()
    x = torch.randn(4, *shape, dtype=torch.float64)
    single = torch.cat([net(row.unsqueeze(0)) for row in x])
    torch.testing.assert_close(net(x), single, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("Backbone", "shape"), [*DEFAULTS, (Conv4, (1, 16, 16))])
def test_many_weights_at_once_agree_with_a_loop(Backbone, shape):
    """Meta-learning runs one net under the weights of many tasks."""
    net = Backbone(shape).double().eval()
    x = torch.randn(3, 2, *shape, dtype=torch.float64)
    stacked = {
        k: torch.stack([v, 1.1 * v, v - 0.1]).detach()
        for k, v in net.named_parameters()
    }

    def energy(weights, x):
        return functional_call(net, weights, (x,)).square().sum()

    slopes = grad(energy, argnums=(0, 1))
    # The fused attention of torch has no rule for batches of weights.
    with sdpa_kernel(SDPBackend.MATH):
        at_once = vmap(slopes)(stacked, x)
    for task in range(3):
        own = {k: v[task] for k, v in stacked.items()}
        weights, inputs = slopes(own, x[task])
        torch.testing.assert_close(at_once[1][task], inputs)
        for name, slope in weights.items():
            torch.testing.assert_close(at_once[0][name][task], slope)


# -- wrong input -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("Backbone", "shape", "message"),
    [
        (
            MLP,
            (3, 32, 32),
            r"backbone 'mlp' takes vectors, got input of shape \(3, 32, 32\); use "
            r"backbone='conv' or flatten the images\.",
        ),
        (MLP, (1, 8, 8, 8), "use backbone='conv3d' or flatten the volumes"),
        (Linear, (8, 8), "backbone 'linear' takes vectors, .* backbone='transformer'"),
        (ConvNet, (20,), r"backbone 'conv' takes images .* use backbone='mlp'"),
        (ConvNet, (1, 8, 8, 8), "use backbone='conv3d'"),
        (Conv4, (1, 1, 1, 1, 1), "use inputs of one to four dimensions"),
        (ResNet, (), r"got input of shape \(\)"),
        (UNetEncoder, (5,), "backbone 'unet' takes images"),
        (ConvNet3d, (8, 8), "backbone 'conv3d' takes volumes"),
        (SetTransformer, (5,), "backbone 'transformer' takes sets or sequences"),
        (ConvNet, (4, 9), "at least 8 x 8 pixels, got 4 x 9; enlarge the images"),
        (ResNet, (3, 7, 8), "'resnet' needs images of at least 8 x 8 pixels"),
        (UNetEncoder, (3, 7, 8), "'unet' needs images of at least 8 x 8 pixels"),
        (MLP, (0,), "every entry of input_shape must be an integer of at least 1"),
        (MLP, (2.5,), "every entry of input_shape"),
    ],
)
def test_inputs_of_another_kind_are_refused_with_a_way_out(Backbone, shape, message):
    with pytest.raises(ValueError, match=message):
        Backbone(shape)


# -- wrong parameters ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("Backbone", "shape", "params", "message"),
    [
        (MLP, (4,), {"hidden": (0,)}, "every entry of hidden must be .* got 0"),
        (MLP, (4,), {"hidden": (8, -1)}, "every entry of hidden"),
        (MLP, (4,), {"hidden": 2.5}, "every entry of hidden"),
        (MLP, (4,), {"hidden": "8"}, "hidden must be a tuple of integers, got '8'"),
        (MLP, (4,), {"activation": "rellu"}, "Did you mean 'relu'"),
        (MLP, (4,), {"activation": None}, "Choose from elu, gelu, hardswish"),
        (MLP, (4,), {"norm": "bach"}, "norm='bach' is unknown. Did you mean 'batch'"),
        (MLP, (4,), {"norm": "group"}, "Choose from batch, layer, none"),
        (MLP, (4,), {"dropout": 1.0}, r"dropout must be a number in \[0, 1\), got 1"),
        (MLP, (4,), {"dropout": -0.1}, "dropout must be"),
        (Linear, (4,), {"out_features": 0}, "out_features must be an integer"),
        (ConvNet, (8, 8), {"channels": ()}, "channels must hold at least one"),
        (ConvNet, (8, 8), {"channels": (0,)}, "every entry of channels"),
        (ConvNet, (8, 8), {"norm": "layer"}, "Choose from batch, group, none"),
        (UNetEncoder, (8, 8), {"channels": ()}, "channels must hold at least one"),
        (Conv4, (8, 8), {"width": 0}, "width must be an integer of at least 1"),
        (ResNet, (8, 8), {"depth": 18}, r"depth must be 6 n \+ 2 .* got 18"),
        (ResNet, (8, 8), {"depth": 2}, r"depth must be 6 n \+ 2"),
        (ResNet, (8, 8), {"width": 0}, "width must be"),
        (
            SetTransformer,
            (5, 3),
            {"width": 30, "heads": 4},
            "width=30 must be a multiple of heads=4; use width=32 or heads=2",
        ),
        (SetTransformer, (5, 3), {"heads": 0}, "heads must be"),
        (SetTransformer, (5, 3), {"n_layers": 0}, "n_layers must be"),
        (SetTransformer, (5, 3), {"feedforward": 0}, "feedforward must be"),
        (SetTransformer, (5, 3), {"positional": "sinus"}, "Did you mean 'sinusoidal'"),
    ],
)
def test_parameters_out_of_range_are_refused(Backbone, shape, params, message):
    with pytest.raises(ValueError, match=message):
        Backbone(shape, **params)


# -- what makes each special -----------------------------------------------------------


def n_parameters(net):
    """Count weights."""
    return sum(parameter.numel() for parameter in net.parameters())


def test_mlp_is_the_textbook_sequence():
    net = MLP((4,), hidden=(3,))
    assert [type(layer) for layer in net] == [nn.Linear, nn.ReLU]


def test_dropout_is_there_only_when_asked_for():
    assert not any(isinstance(m, nn.Dropout) for m in MLP((4,)).modules())
    rates = [m.p for m in MLP((4,), (3, 2), dropout=0.3) if isinstance(m, nn.Dropout)]
    assert rates == [0.3, 0.3]


def test_linear_without_projection_has_no_parameters():
    net, x = Linear((4,)), torch.randn(2, 4)
    assert n_parameters(net) == 0
    assert torch.equal(net(x), x)


@pytest.mark.parametrize("Backbone", [ConvNet, Conv4, UNetEncoder])
def test_a_missing_channel_axis_is_added(Backbone):
    torch.manual_seed(0)
    without = Backbone((9, 9)).eval()
    torch.manual_seed(0)
    with_axis = Backbone((1, 9, 9)).eval()
    x = torch.randn(2, 9, 9)
    assert torch.equal(without(x), with_axis(x.unsqueeze(1)))


def test_conv_ignores_where_things_are_but_not_what_they_are():
    """Averaging over the map makes the net nearly blind to shifts."""
    net = ConvNet((1, 32, 32))
    x = torch.zeros(3, 1, 32, 32)
    x[0, :, 8:12, 8:12] = x[1, :, 16:20, 16:20] = 1
    x[2, :, 8:16, 8:16] = 1
    shifted, other = net(x)[[0, 0]] - net(x)[[1, 2]]
    assert 5 * shifted.abs().max() < other.abs().max()


def test_a_map_is_never_pooled_below_two_pixels():
    """A further block would otherwise work on padding alone."""
    sizes = []
    net = ConvNet((8, 64), channels=(2,) * 6)
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(
                lambda _, __, out: sizes.append(tuple(out.shape[2:]))
            )
    net(torch.randn(1, 8, 64))
    assert sizes == [(8, 64), (4, 32), (2, 16), (2, 8), (2, 4), (2, 2)]


@pytest.mark.parametrize(
    ("side", "features"), [(84, 1600), (32, 256), (28, 64), (16, 64), (8, 64), (5, 64)]
)
def test_conv4_has_the_width_of_the_papers(side, features):
    assert Conv4((3, side, side)).out_features == features


def test_conv4_has_the_parameters_of_the_papers():
    blocks = (3 * 9 + 3 * 64 * 9) * 64
    assert n_parameters(Conv4((3, 84, 84))) == blocks + 4 * 2 * 64


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (56, 0.85)])
def test_resnet_has_the_parameters_of_the_paper(depth, millions):
    """Table 6 of He et al. (2016), with the head of ten classes."""
    net = ResNet((3, 32, 32), depth=depth)
    assert round((n_parameters(net) + 65 * 10) / 1e6, 2) == millions


@pytest.mark.parametrize("depth", [8, 20])
def test_resnet_has_its_depth(depth):
    net = ResNet((3, 8, 8), depth=depth)
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) + 1 == depth


def test_resnet_keeps_the_scale_of_maps_without_normalisation():
    features = ResNet((3, 16, 16), depth=8, norm="none")(torch.randn(8, 3, 16, 16))
    assert 1e-2 < features.std() < 1e2


def test_unet_features_end_in_the_bottleneck():
    net, x = (
        UNetEncoder((1, 32, 20), channels=(2, 4, 8)).eval(),
        torch.randn(2, 1, 32, 20),
    )
    maps = net.features(x)
    assert [tuple(m.shape[1:]) for m in maps] == [(2, 32, 20), (4, 16, 10), (8, 8, 5)]
    torch.testing.assert_close(net(x), maps[-1].mean((2, 3)))


def test_thin_volumes_keep_their_slices():
    features = ConvNet3d((1, 2, 16, 16)).eval()(torch.randn(3, 1, 2, 16, 16))
    assert features.shape == (3, 32)


@pytest.mark.parametrize(
    ("positional", "same"), [("none", True), ("sinusoidal", False)]
)
def test_order_matters_only_with_positions(positional, same):
    net = SetTransformer((6, 3), positional=positional).eval()
    x = torch.randn(2, 6, 3)
    difference = (net(x) - net(x.flip(1))).abs().max().item()
    assert (difference < 1e-5) is same


def test_sets_of_another_size_pass_without_positions():
    net = SetTransformer((6, 3)).eval()
    assert net(torch.randn(2, 11, 3)).shape == (2, 64)


def test_positions_are_those_of_the_paper():
    net = SetTransformer((5, 3), width=4, heads=1, positional="sinusoidal")
    angles = torch.tensor([3.0, 3.0 / 100])
    expected = torch.stack((angles.sin(), angles.cos()), 1).flatten()
    torch.testing.assert_close(net.positions[3], expected)


def test_the_fast_path_of_evaluation_agrees_with_training():
    """Torch fuses encoder layers when gradients are off."""
    net, x = SetTransformer((6, 10)).eval(), torch.randn(3, 6, 10)
    with torch.no_grad():
        fused = net(x)
    torch.testing.assert_close(fused, net.train()(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6, 8, 12, 16, 64])
def test_group_norm_divides_the_channels_and_leaves_something(channels):
    net = ConvNet((8, 8), channels=channels, norm="group")
    norm = next(m for m in net if isinstance(m, nn.GroupNorm))
    assert channels % norm.num_groups == 0
    assert channels // norm.num_groups > 1 or channels == 1
