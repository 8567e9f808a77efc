"""Convolutional nets written out for all tasks: as exact as the loop over tasks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from mlmi_sklearn.nn.backbones import Conv4, ConvNet, ConvNet3d
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.tasks import Episode, MetaModel, StackedForward, Support
from mlmi_sklearn.nn.tasks.map_norm import normalise_maps
from mlmi_sklearn.nn.tasks.methods import MAML
from mlmi_sklearn.nn.tasks.norms import use_task_norms

DOUBLE = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def episode_of(shape, seed=0, low=None):
    """Two tasks of three classes; pixels are whole numbers where `low` is given."""
    g = seeded(seed)
    x = torch.randn(2, 2, 6, *shape, generator=g, dtype=DOUBLE)
    x = x if low is None else x.round().clamp(min=low)
    y = torch.arange(6).remainder(3).expand(2, 6)
    return Episode(Support(x[0], y), Support(x[1], y), 3)


def meta_gradients(backbone, episode, engine, **params):
    torch.manual_seed(0)
    model = MetaModel(
        backbone(), 3, MAML(), rate=0.1, max_norm=None, engine=engine, **params
    ).to(DOUBLE)
    for p in model.parameters():  # a scale of 1 would hide that it is left out
        p.data += 0.2 * torch.randn(p.shape, generator=seeded(1), dtype=DOUBLE)
    model.episode(episode, CrossEntropy()).objective.sum().backward()
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return found, model._stacked().engine


def assert_as_loop(backbone, episode, **params):
    found, engine = meta_gradients(backbone, episode, "auto", **params)
    expected, _ = meta_gradients(backbone, episode, "loop", **params)
    assert engine == "maps"
    assert found.keys() == expected.keys()
    largest = max(float(g.abs().max()) for g in expected.values())
    for name, g in expected.items():
        torch.testing.assert_close(found[name], g, rtol=0, atol=1e-10 * largest)


def net(*layers, width):
    made = nn.Sequential(*layers)
    made.out_features = width
    return made


NETS = {
    "conv4": (lambda: Conv4((1, 12, 12), 4, n_blocks=2), (1, 12, 12)),
    "stride": (lambda: Conv4((2, 9, 9), 4, downsample="stride"), (2, 9, 9)),
    "no channel axis": (lambda: Conv4((8, 8), 4, n_blocks=2), (8, 8)),
    "group norm": (lambda: Conv4((1, 8, 8), 4, norm="group", n_blocks=2), (1, 8, 8)),
    "no norm": (lambda: Conv4((1, 8, 8), 4, norm="none", n_blocks=2), (1, 8, 8)),
    "average": (lambda: ConvNet((8, 8), (4, 6), activation="gelu"), (8, 8)),
    "volumes": (lambda: ConvNet3d((1, 4, 4, 4), (2, 4)), (1, 4, 4, 4)),
    "signals": (
        lambda: net(
            nn.Conv1d(2, 4, 3, dilation=2, groups=2),
            nn.BatchNorm1d(4),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.AvgPool1d(2),
            nn.Flatten(),
            nn.Linear(8, 5),
            nn.Tanh(),
            width=5,
        ),
        (2, 12),
    ),
    "in place": (
        lambda: net(
            nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True)),
            nn.BatchNorm2d(3, affine=False),
            nn.Flatten(),
            width=48,
        ),
        (1, 6, 6),
    ),
}


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", NETS)
def test_second_order_gradient_is_that_of_the_loop(name, steps):
    backbone, shape = NETS[name]
    assert_as_loop(backbone, episode_of(shape), steps=steps)


@pytest.mark.parametrize("norm", ["transductive", "frozen", "per-step", "group"])
def test_every_policy_of_norms_is_that_of_the_loop(norm):
    assert_as_loop(
        lambda: Conv4((1, 8, 8), 4, n_blocks=2), episode_of((1, 8, 8)), norm=norm
    )


def test_ties_within_a_pooling_go_where_the_loop_sends_them():
    """Whole numbers tie all the time, and what is below zero ties after the ReLU."""

    def shifted():
        made = Conv4((1, 8, 8), 4, norm="none", n_blocks=2)
        for p in made.parameters():
            p.data = p.data.mul(4).round()
        return made

    episode = episode_of((1, 8, 8), low=-1)

    def gradients(engine):
        torch.manual_seed(0)
        model = MetaModel(shifted(), 3, MAML(), rate=0.5, engine=engine).to(DOUBLE)
        model.episode(episode, CrossEntropy()).objective.sum().backward()
        return torch.cat([p.grad.flatten() for p in model.backbone.parameters()])

    expected = gradients("loop")
    assert expected.abs().max() > 0
    torch.testing.assert_close(gradients("maps"), expected, rtol=1e-9, atol=1e-12)


def test_gaps_do_not_enter_the_statistics():
    """Fused kernels know no gaps: such tasks take another way."""
    torch.manual_seed(0)
    module = use_task_norms(Conv4((1, 8, 8), 4, n_blocks=2), "transductive").double()
    forward = StackedForward(module, "maps")
    weights = {k: v.expand(2, *v.shape) for k, v in module.named_parameters()}
    x = torch.randn(2, 5, 1, 8, 8, dtype=DOUBLE, generator=seeded())
    x[1, 3:] = 1e3
    rows = torch.ones(2, 5, dtype=DOUBLE)
    rows[1, 3:] = 0
    found = forward(weights, x, rows)[1, :3]
    alone = forward({k: v[1:] for k, v in weights.items()}, x[1:, :3])[0]
    torch.testing.assert_close(found, alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Flatten()],
        [nn.Conv2d(1, 2, 3), nn.Softmax2d(), nn.Flatten()],
        [nn.Conv2d(1, 2, 3), nn.Flatten(2)],
        [nn.Conv2d(1, 2, 3)],
        [nn.Flatten(), nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3)],
        [nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LayerNorm(32)],
    ],
    ids=["reflect", "softmax", "flatten", "no end", "end first", "layer norm"],
)
def test_what_does_not_fit_is_left_to_the_other_ways(layers):
    module = nn.Sequential(*layers)
    assert StackedForward(module)._plan is None
    forward = StackedForward(module)
    weights = {k: v.expand(2, *v.shape) for k, v in module.named_parameters()}
    x = torch.randn(2, 3, 1, 6, 6, generator=seeded())
    found = forward(weights, x)
    assert forward.engine == "vmap"
    torch.testing.assert_close(found, torch.stack([module(task) for task in x]))


# -- normalisation -------------------------------------------------------------------


def inputs(layout, shape=(4, 3, 5, 5)):
    x = torch.randn(shape, dtype=DOUBLE, generator=seeded())
    x = x.contiguous(memory_format=layout)
    weight = torch.tensor([0.0, -1.5, 2.0], dtype=DOUBLE)  # 0 must not be divided by
    bias = torch.tensor([0.5, 0.0, -3.0], dtype=DOUBLE)
    return [t.requires_grad_() for t in (x, weight, bias)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_normalisation_and_its_derivatives_are_those_of_pytorch(layout):
    def derivatives(normalise):
        values = inputs(layout)
        out = normalise(*values)
        g = seeded(1)
        outer = torch.randn(out.shape, generator=g, dtype=DOUBLE).requires_grad_()
        first = torch.autograd.grad(out, values, outer, create_graph=True)
        mixed = sum(
            (s * torch.randn(s.shape, generator=g, dtype=DOUBLE)).sum() for s in first
        )
        return [out, *first, *torch.autograd.grad(mixed, [*values[:2], outer])]

    found = derivatives(lambda x, w, b: normalise_maps(x, w, b, 1e-5))
    expected = derivatives(
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, True, 0.0, 1e-5)
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (3, 3, 2, 2, 2), (1, 3, 1, 1)])
def test_second_derivatives_pass_finite_differences(shape):
    values = inputs(torch.contiguous_format, shape)
    assert torch.autograd.gradgradcheck(lambda *v: normalise_maps(*v, 0.1), values)


def test_a_third_derivative_is_refused_and_not_wrong():
    x, weight, bias = inputs(torch.contiguous_format)
    out = normalise_maps(x, weight, bias, 1e-5).pow(3).sum()
    (first,) = torch.autograd.grad(out, x, create_graph=True)
    (second,) = torch.autograd.grad(first.pow(2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        second.sum().backward()


@pytest.mark.parametrize("policy", ["frozen", "transductive", "per-step"])
@pytest.mark.parametrize("affine", [True, False])
def test_measuring_takes_over_mean_and_unbiased_variance(policy, affine):
    norm = use_task_norms(nn.BatchNorm2d(3, affine=affine), policy).double()
    for p in norm.parameters():
        p.data += torch.randn(p.shape, generator=seeded(2), dtype=DOUBLE)
    x = 3 + 2 * torch.randn(5, 3, 4, 4, generator=seeded(), dtype=DOUBLE)
    norm.measure = True
    with torch.no_grad():
        out = norm(x)
    norm.measure = False
    variance, mean = torch.var_mean(x, (0, 2, 3))
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    torch.testing.assert_close(out, norm(x).detach(), rtol=1e-12, atol=1e-12)
