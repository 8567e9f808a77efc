"""Generators: shapes, conditions, chance, and discriminators of patches."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.base import resolve_part
from mlmi_sklearn.nn.generators import (
    ConvGenerator,
    Generator,
    MLPGenerator,
    PatchDiscriminator,
    UNetGenerator,
)
from mlmi_sklearn.nn.generators._parts import Resize, Up
from mlmi_sklearn.specs import make_spec

SMALL = {"channels": (3, 5)}
# Class, latent_dim, output_shape, vector_size, map_channels, parameters.
CASES = [
    (MLPGenerator, 4, (6,), 0, 0, {}),
    (MLPGenerator, 4, (6,), 3, 0, {"hidden": 7, "norm": "layer"}),
    (MLPGenerator, 0, (1,), 2, 0, {"hidden": (5, 4), "norm": "none"}),
    (MLPGenerator, 2, (3,), 0, 0, {"hidden": ()}),
    (MLPGenerator, 2, (1, 4, 3), 1, 0, {"hidden": 5, "dropout": 0.5}),
    (ConvGenerator, 4, (1, 24, 24), 0, 0, {}),
    (ConvGenerator, 4, (2, 7, 13), 3, 2, SMALL),
    (ConvGenerator, 4, (1, 4, 40), 0, 3, {**SMALL, "map_scales": "input"}),
    (ConvGenerator, 4, (1, 9, 6), 2, 3, {**SMALL, "noise": True, "norm": "group"}),
    (ConvGenerator, 0, (1, 8, 8), 0, 1, {**SMALL, "noise": True, "norm": "none"}),
    (ConvGenerator, 0, (1, 8, 8), 0, 1, SMALL),
    (ConvGenerator, 3, (1, 1, 1), 1, 0, {"channels": 4}),
    (ConvGenerator, 3, (1, 5, 9, 6), 1, 2, {**SMALL, "noise": True}),
    (ConvGenerator, 3, (2, 1, 9, 6), 0, 0, SMALL),
    (UNetGenerator, 0, (1, 24, 24), 0, 1, {}),
    (UNetGenerator, 4, (3, 7, 13), 2, 2, SMALL),
    (UNetGenerator, 4, (1, 6, 5, 9), 0, 1, SMALL),
    (UNetGenerator, 0, (1, 3, 2), 1, 1, {**SMALL, "norm": "none"}),
    (UNetGenerator, 2, (1, 16, 9), 0, 4, {**SMALL, "norm": "batch"}),
]
cases = pytest.mark.parametrize(
    ("Net", "latent", "shape", "vector", "maps", "params"),
    CASES,
    ids=[f"{c[0].__name__}-{c[2]}-{i}" for i, c in enumerate(CASES)],
)


def make(Net, latent, shape, vector, maps, params, rows=4, dtype=torch.float64):
    """Build a net in evaluation mode and what it is called with."""
    torch.manual_seed(1)
    net = Net(latent, shape, vector, maps, **params).to(dtype).eval()
    inputs = (
        torch.randn(rows, latent + net.noise_features).to(dtype),
        torch.randn(rows, vector).to(dtype) if vector else None,
        torch.randn(rows, maps, *shape[1:]).to(dtype) if maps else None,
    )
    return net, inputs


def trained(net, inputs):
    """Give batch normalisations statistics that do something."""
    with torch.no_grad():
        for _ in range(5):
            net.train()(*inputs)
    return net.eval()


@cases
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 3])
def test_shape_and_type(Net, latent, shape, vector, maps, params, dtype, rows):
    net, inputs = make(Net, latent, shape, vector, maps, params, rows, dtype)
    out = net(*inputs)
    assert out.shape == (rows, *shape)
    assert out.dtype == dtype
    assert torch.isfinite(out).all()


@cases
def test_a_row_does_not_depend_on_its_companions(
    Net, latent, shape, vector, maps, params
):
    net, inputs = make(Net, latent, shape, vector, maps, params)
    trained(net, inputs)
    with torch.no_grad():
        whole = net(*inputs)
        for i in range(4):
            row = net(*(None if t is None else t[i : i + 1] for t in inputs))
            torch.testing.assert_close(row[0], whole[i], rtol=1e-9, atol=1e-9)


@cases
def test_every_parameter_and_input_gets_a_gradient(
    Net, latent, shape, vector, maps, params
):
    net, inputs = make(Net, latent, shape, vector, maps, params)
    for tensor in inputs:
        if tensor is not None:
            tensor.requires_grad_()
    out = net.train()(*inputs)
    (out * torch.randn_like(out)).sum().backward()
    given = [t for t in inputs if t is not None and t.numel()]
    for tensor in (*given, *net.parameters()):
        assert torch.isfinite(tensor.grad).all()
    for tensor in given:
        assert (tensor.grad.abs().sum(0) > 0).double().mean() > 0.5


@cases
def test_a_seed_fixes_weights_and_training(Net, latent, shape, vector, maps, params):
    (first, inputs), (second, _) = (
        make(Net, latent, shape, vector, maps, params) for _ in range(2)
    )
    results = []
    for net in (first, second):
        torch.manual_seed(2)
        results.append(net.train()(*inputs))
    assert torch.equal(*results)
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@cases
def test_copies(Net, latent, shape, vector, maps, params):
    net, inputs = make(Net, latent, shape, vector, maps, params)
    expected = trained(net, inputs)(*inputs)
    other = Net(latent, shape, vector, maps, **params).double().eval()
    other.load_state_dict(net.state_dict())
    for twin in (other, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(*inputs), expected)


# -- conditions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("Net", "shape"), [(MLPGenerator, (6,)), (ConvGenerator, (1, 8, 8))]
)
def test_a_constant_condition_is_not_normalised_away(Net, shape):
    """CTGAN samples with the statistics of the batch, and so loses its condition."""
    net, _ = make(Net, 4, shape, 3, 0, {})
    y = torch.arange(12) % 3
    z, vector = torch.randn(12, 4).double(), F.one_hot(y, 3).double()
    trained(net, (z, vector))
    mixed = net(z, vector)
    for k in range(3):
        same = torch.zeros_like(vector)
        same[:, k] = 1
        torch.testing.assert_close(net(z, same)[y == k], mixed[y == k])


def test_maps_reach_every_scale_or_the_coarsest_alone():
    """With the coarse one alone, what is finer than its cells cannot matter."""
    fine = torch.ones(1, 1, 16, 16).double()
    fine[..., ::2] = -1  # of mean zero at every coarser scale
    for scales, moves in (("all", True), ("input", False)):
        params = {**SMALL, "map_scales": scales}
        net, (z, _, _) = make(ConvGenerator, 4, (1, 16, 16), 0, 1, params, rows=1)
        gap = (net(z, None, fine) - net(z, None, 0 * fine)).abs().max()
        assert bool(gap > 1e-3) is moves
        gap = (net(z, None, 0 * fine + 1) - net(z, None, 0 * fine)).abs().max()
        assert gap > 1e-3


def test_the_strength_of_an_image_passes_through_the_unet():
    """Normalisation at the finest scale would take brightness and contrast away."""
    net, (z, _, maps) = make(UNetGenerator, 0, (1, 16, 16), 0, 1, {})
    weak, strong = net(z, None, maps), net(z, None, 1000 * maps)
    assert strong.abs().mean() > 100 * weak.abs().mean()


@pytest.mark.parametrize("norm", ["group", "none"])
def test_the_unet_trains_on_a_batch_of_one_as_in_evaluation(norm):
    net, (z, _, maps) = make(UNetGenerator, 2, (1, 9, 9), 0, 1, {"norm": norm})
    expected = net(z, None, maps)
    rows = [net.train()(z[i : i + 1], None, maps[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(torch.cat(rows), expected)


def test_z_moves_the_translation_and_no_z_is_a_function():
    net, (z, _, maps) = make(UNetGenerator, 8, (1, 16, 16), 0, 1, {})
    assert (net(z, None, maps) - net(z + 1, None, maps)).abs().max() > 1e-3
    assert net(z[:, :0].new_zeros(4, 8), None, maps).shape == (4, 1, 16, 16)


# -- noise -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(9, 6), (24, 24), (5, 9, 6)])
def test_noise_has_a_column_for_each_place_of_each_scale(size):
    net = ConvGenerator(3, (1, *size), noise=True, **SMALL)
    cells = [scale.up.enlarge.after for scale in net.scales]
    assert cells[-1] == size
    assert net.noise_features == sum(math.prod(c) for c in cells)
    assert ConvGenerator(3, (1, *size), **SMALL).noise_features == 0


def test_noise_at_the_finest_scale_is_local():
    net, (z, _, _) = make(ConvGenerator, 3, (1, 16, 16), 0, 0, {"noise": True}, rows=1)
    moved = z.clone()
    moved[0, -1] += 1  # the last pixel of the finest map
    gap = (net(moved) - net(z)).detach().abs()[0, 0]
    assert gap[-1, -1] > 1e-6
    assert gap[:-3].max() == gap[:, :-3].max() == 0


def test_chance_is_in_z_alone():
    net, inputs = make(ConvGenerator, 3, (1, 8, 8), 0, 1, {"noise": True, **SMALL})
    before = torch.random.get_rng_state()
    assert torch.equal(net.train()(*inputs), net(*inputs))
    assert torch.equal(torch.random.get_rng_state(), before)


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.zeros(2, 5), torch.zeros(2, 3), torch.zeros(2, 2, 8, 9)), "z must"),
        ((torch.zeros(4), torch.zeros(2, 3), torch.zeros(2, 2, 8, 9)), "z must"),
        (
            (torch.tensor(1.0), None, None),
            r"z must have shape \(B, 4\), got shape \(\)",
        ),
        ((torch.zeros(2, 4), None, torch.zeros(2, 2, 8, 9)), "vector .* got None"),
        (
            (torch.zeros(2, 4), torch.zeros(2, 2), torch.zeros(2, 2, 8, 9)),
            r"vector must have shape \(B, 3\), got shape \(2, 2\); B = 2 as for z",
        ),
        (
            (torch.zeros(2, 4), torch.zeros(1, 3), torch.zeros(2, 2, 8, 9)),
            r"vector must have shape \(B, 3\), got shape \(1, 3\)",
        ),
        (
            (torch.zeros(2, 4), torch.zeros(2, 3), None),
            r"maps .*\(B, 2, 8, 9\), got No",
        ),
        (
            (torch.zeros(2, 4), torch.zeros(2, 3), torch.zeros(2, 2, 9, 8)),
            r"maps .* got shape \(2, 2, 9, 8\).*map_channels=2",
        ),
    ],
)
@pytest.mark.parametrize("Net", [ConvGenerator, UNetGenerator])
def test_wrong_shapes_in_a_call(Net, arguments, words):
    with pytest.raises(ValueError, match=words):
        Net(4, (1, 8, 9), 3, 2, **SMALL)(*arguments)


def test_a_condition_that_was_not_announced():
    with pytest.raises(ValueError, match=r"vector must have shape \(B, 0\)"):
        MLPGenerator(4, (2,))(torch.zeros(3, 4), torch.zeros(3, 1))
    with pytest.raises(ValueError, match=r"maps must have shape \(B, 0\)"):
        MLPGenerator(4, (2,))(torch.zeros(3, 4), None, torch.zeros(3, 1, 8, 8))


@pytest.mark.parametrize(
    ("Net", "sizes", "params", "words"),
    [
        (MLPGenerator, (-1, (3,)), {}, "latent_dim must be an integer of at least 0"),
        (MLPGenerator, (2, (0,)), {}, "every entry of output_shape"),
        (MLPGenerator, (2, (3,), 1.5), {}, "vector_size must be an integer"),
        (MLPGenerator, (2, (3,), 0, 2), {}, "'mlp' .* no maps.*generator='conv'"),
        (MLPGenerator, (2, (3,)), {"norm": "group"}, "norm='group' is unknown"),
        (MLPGenerator, (2, (3,)), {"hidden": (4, 0)}, "every entry of hidden"),
        (ConvGenerator, (2, (3,)), {}, r"'conv' makes images .*=\(3,\); 'mlp' is for"),
        (
            ConvGenerator,
            (2, (8, 8)),
            {},
            r"output_shape=\(8, 8\); add an axis of channels",
        ),
        (ConvGenerator, (2, (1, 8, 8)), {"map_scales": "any"}, "map_scales='any'"),
        (ConvGenerator, (2, (1, 8, 8)), {"noise": 2}, "noise must be True or False"),
        (ConvGenerator, (2, (1, 8, 8)), {"norm": "layer"}, "norm='layer' is unknown"),
        (ConvGenerator, (2, (1, 8, 8)), {"channels": ()}, "channels must hold"),
        (UNetGenerator, (2, (1, 8, 8), 0, 0), {}, "'unet' translates an image"),
        (UNetGenerator, (2, (8,), 0, 1), {}, "'unet' makes images"),
        (UNetGenerator, (2, (1, 2, 2), 0, 1), {"norm": "x"}, "norm='x' is unknown"),
        (UNetGenerator, (2, (1, 2, 2), 0, 1), {"activation": "x"}, "activation='x'"),
    ],
)
def test_bad_parameters(Net, sizes, params, words):
    with pytest.raises(ValueError, match=words):
        Net(*sizes, **params)


# -- the parts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "mode"),
    [
        ((3, 4), (7, 9), "bilinear"),
        ((5, 6), (5, 6), "bilinear"),
        ((9, 10), (4, 5), "area"),
        ((2, 3, 4), (5, 3, 7), "trilinear"),
        ((6, 4, 7), (3, 2, 4), "area"),
    ],
)
def test_resize_is_torch_s_interpolation(before, after, mode):
    x = torch.randn(2, 3, *before).double().requires_grad_()
    found = Resize(before, after).double()(x)
    options = {} if mode == "area" else {"align_corners": False}
    expected = F.interpolate(x, size=after, mode=mode, **options)
    # The weights are those of single precision.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    weight = torch.randn_like(expected)
    slopes = [
        torch.autograd.grad((out * weight).sum(), x)[0] for out in (found, expected)
    ]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-5)


def test_resize_along_several_axes_each_in_its_way():
    x = torch.randn(1, 2, 3, 8).double()
    found = Resize((3, 8), (6, 4)).double()(x)
    shrunk = F.interpolate(x, size=(3, 4), mode="area")
    expected = F.interpolate(shrunk, size=(6, 4), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert Resize((3, 8), (6, 4)).state_dict() == {}


def test_up_is_a_convolution_of_both_where_nothing_is_enlarged():
    up = Up((2, 3, 4), Resize((5, 6), (5, 6)), "none", "identity").double()
    x, beside = (torch.randn(2, n, 5, 6).double() for n in (2, 3))
    weight = torch.cat([up.features.weight, up.beside.weight], 1)
    both = torch.cat([x, beside], 1)
    expected = F.conv2d(both, weight, up.features.bias, padding=1)
    torch.testing.assert_close(up(x, beside), expected)


def test_a_generator_of_one_s_own():
    class Sum(Generator):
        noise_features = 2

        def generate(self, code, noise, maps):
            return code.sum(1, keepdim=True) + noise.sum(1, keepdim=True)

    out = Sum(1, (1,), vector_size=2)(torch.ones(3, 3), torch.ones(3, 2))
    assert torch.equal(out, torch.full((3, 1), 5.0))


# -- discriminator of patches ----------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 64, 48), (8, 6)),
        ((2, 24, 24), (6, 6)),
        ((1, 17, 9), (5, 5)),
        ((1, 8, 5), (8, 5)),
        ((1, 1, 1), (1, 1)),
        ((1, 200, 20), (25, 5)),
        ((1, 16, 9, 20), (8, 5, 5)),
    ],
)
def test_map_of_logits_adapts_to_the_size(shape, size):
    judge = PatchDiscriminator(shape, 2, channels=(3, 4))
    x, maps = torch.randn(2, *shape), torch.randn(2, 2, *shape[1:])
    assert judge.map_size == size
    assert judge(x, maps).shape == (2, 1, *size)


@pytest.mark.parametrize(("n_layers", "sees"), [(1, 7), (2, 15), (3, 31)])
def test_a_logit_sees_a_patch_of_the_stated_size(n_layers, sees):
    judge = PatchDiscriminator((1, 128, 128), n_layers=n_layers, activation="silu")
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    logits = judge(x)
    side = logits.shape[-1]
    logits[0, 0, side // 2, side // 2].backward()
    rows = (x.grad[0, 0].abs().sum(1) > 0).nonzero()
    assert int(rows[-1] - rows[0]) + 1 == sees


def test_the_condition_of_patches_counts():
    judge = PatchDiscriminator((1, 16, 16), 1)
    x, maps = torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16)
    assert (judge(x, maps) - judge(x, -maps)).abs().max() > 1e-4


@pytest.mark.parametrize("norm", ["none", "group", "batch"])
def test_patches_under_each_normalisation(norm):
    judge = PatchDiscriminator((1, 64, 64), norm=norm, channels=8)
    norms = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)
    found = sum(isinstance(m, norms) for m in judge.modules())
    assert found == (0 if norm == "none" else 2)
    assert torch.isfinite(judge(torch.zeros(1, 1, 64, 64))).all()


@pytest.mark.parametrize(
    ("build", "call", "words"),
    [
        (((4,),), None, "PatchDiscriminator judges images .* got input_shape="),
        (((1, 8, 8), -1), None, "map_channels must be an integer of at least 0"),
        (((1, 8, 8), 0, (4,), 0), None, "n_layers must be an integer of at least 1"),
        (((1, 8, 8),), (torch.zeros(2, 8, 8),), r"x must have shape \(B, 1, 8, 8\)"),
        (((1, 8, 8), 1), (torch.zeros(2, 1, 8, 8),), "maps .* got None"),
        (
            ((1, 8, 8), 1),
            (torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 9)),
            r"maps must have shape \(2, 1, 8, 8\), got shape \(2, 1, 8, 9\)",
        ),
        (
            ((1, 8, 8),),
            (torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)),
            r"maps must have shape \(2, 0, 8, 8\)",
        ),
    ],
)
def test_patches_refuse_what_does_not_fit(build, call, words):
    with pytest.raises(ValueError, match=words):
        PatchDiscriminator(*build)(*call)


# -- by name ---------------------------------------------------------------------------


def test_they_are_registered_with_what_they_make():
    def names(**tags):
        parts = list_components("generator", builtin=True, **tags)
        return {part.name for part in parts}

    assert names() == {"mlp", "conv", "unet"}
    assert names(output="vector") == {"mlp"}
    assert names(output="image") == names(output="volume") == {"conv", "unet"}
    assert names(maps="required") == {"unet"}
    assert find_component("generator", "conv").load() is ConvGenerator


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mlp", {"hidden", "norm", "activation", "dropout"}),
        ("conv", {"channels", "norm", "activation", "map_scales", "noise"}),
        ("unet", {"channels", "norm", "activation"}),
    ],
)
def test_specs_leave_out_what_the_estimator_knows(name, params):
    assert set(make_spec("generator", name).get_params()) == params
    with pytest.raises(ValueError, match="Invalid parameter 'latent_dim'"):
        make_spec("generator", name, latent_dim=3)


def test_a_spec_builds_the_net():
    spec = make_spec("generator", "mlp", hidden=(5,))
    assert repr(spec) == "MLPGenerator(hidden=(5,))"
    assert pickle.loads(pickle.dumps(spec)).hidden == (5,)
    net = resolve_part("generator", spec).build(4, (2,), 1, 0)
    assert isinstance(net, MLPGenerator)
    assert net.layers[0].out_features == 5
    assert net(torch.zeros(3, 4), torch.zeros(3, 1)).shape == (3, 2)
