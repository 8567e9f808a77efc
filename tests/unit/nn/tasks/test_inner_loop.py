"""The inner loop against what can be computed by hand, and the engines alike."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn.components import list_components
from mlmi_sklearn.nn.backbones import MLP, Conv4, ConvNet, Linear
from mlmi_sklearn.nn.losses import MSE, CrossEntropy
from mlmi_sklearn.nn.tasks import (
    Episode,
    MetaModel,
    StackedForward,
    Support,
    use_task_norms,
)
from mlmi_sklearn.nn.tasks.methods import ANIL, BOIL, FOMAML, MAML, MetaSGD, Reptile

DOUBLE = torch.float64
METHODS = {f.__name__.lower(): f for f in (MAML, FOMAML, ANIL, BOIL, Reptile, MetaSGD)}


def rows(shape, n_tasks=3, n=6, classes=None, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tasks, n, *shape, generator=g, dtype=DOUBLE)
    if classes is None:
        return Support(x, torch.randn(n_tasks, n, 1, generator=g, dtype=DOUBLE))
    return Support(x, torch.arange(n).remainder(classes).expand(n_tasks, n))


def model_of(backbone, n_outputs, method, **params):
    torch.manual_seed(0)
    made = backbone if isinstance(backbone, nn.Module) else backbone()
    return MetaModel(made, n_outputs, method, **params).to(DOUBLE)


def gradients(model, episode, criterion):
    model.zero_grad()
    model.episode(episode, criterion).objective.sum().backward()
    return {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


# -- closed form ---------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("second_order", [True, False])
def test_meta_gradient_of_a_linear_model_is_the_closed_form(steps, second_order):
    """theta' - t = (I - alpha H)^S (theta - t'), so the gradient has that factor."""
    rate, d = 0.05, 3
    method = MAML() if second_order else FOMAML()
    model = model_of(Linear((d,)), 1, method, rate=rate, steps=steps, max_norm=None)
    support, query = rows((d,), 4, 7, seed=1), rows((d,), 4, 5, seed=2)
    found = gradients(model, Episode(support, query, 1), MSE())
    theta = torch.cat([model.head.weight[0], model.head.bias]).detach().numpy()
    expected = np.zeros(d + 1)
    for t in range(4):
        A, B = (
            np.hstack([p.x[t].numpy(), np.ones((p.x.shape[1], 1))])
            for p in (support, query)
        )
        b, c = support.y[t, :, 0].numpy(), query.y[t, :, 0].numpy()
        H = 2 * A.T @ A / len(A)
        adapted = theta.copy()
        for _ in range(steps):
            adapted = adapted - rate * (H @ adapted - 2 * A.T @ b / len(A))
        outer = 2 * B.T @ (B @ adapted - c) / len(B)
        factor = np.linalg.matrix_power(np.eye(d + 1) - rate * H, steps)
        expected += factor.T @ outer if second_order else outer
    got = torch.cat([found["head.weight"][0], found["head.bias"]]).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def plain_maml(model, support, query, criterion, rate, steps):
    """Algorithm 1 as one writes it down, task by task."""
    total = 0.0
    names = [n for n, _ in model.named_parameters() if n.startswith(("back", "head"))]
    for t in range(len(support.x)):
        net = nn.ModuleDict({"backbone": model.backbone, "head": nn.Identity()})
        weights = dict(model.named_parameters())

        def loss(w, part, t=t, net=net):
            body = {
                k.removeprefix("backbone."): v
                for k, v in w.items()
                if k.startswith("backbone.")
            }
            z = torch.func.functional_call(net["backbone"], body, (part.x[t],))
            raw = nn.functional.linear(z, w["head.weight"], w["head.bias"])
            return criterion(raw, part.y[t]).mean()

        current = {n: weights[n] for n in names}
        for _ in range(steps):
            found = torch.autograd.grad(
                loss(current, support), list(current.values()), create_graph=True
            )
            pairs = zip(current.items(), found, strict=True)
            current = {n: w - rate * g for (n, w), g in pairs}
        total = total + loss(current, query)
    model.zero_grad()
    total.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize("steps", [1, 5])
def test_gradient_is_that_of_a_plain_loop(steps):
    model = model_of(
        MLP((2,), hidden=(8, 8)), 1, MAML(), rate=0.05, steps=steps, max_norm=None
    ).float()
    parts = [rows((2,), seed=s) for s in (0, 1)]
    support, query = (Support(p.x.float(), p.y.float()) for p in parts)
    found = gradients(model, Episode(support, query, 1), MSE())
    expected = plain_maml(model, support, query, MSE(), 0.05, steps)
    for name, value in found.items():
        scale = float(expected[name].abs().max()) + 1e-12
        assert float((value - expected[name]).abs().max()) < 1e-6 * max(scale, 1), name


# -- engines -------------------------------------------------------------------------

BACKBONES = {
    "mlp": (lambda: MLP((5,), hidden=(6, 4)), (5,)),
    "mlp, batch norm": (lambda: MLP((5,), hidden=(6, 4), norm="batch"), (5,)),
    "mlp, layer norm": (lambda: MLP((5,), hidden=(6, 4), norm="layer"), (5,)),
    "linear": (lambda: Linear((5,), 3), (5,)),
    "conv": (lambda: ConvNet((8, 8), channels=(3, 4)), (8, 8)),
    "conv, group norm": (lambda: ConvNet((8, 8), (4, 4), norm="group"), (8, 8)),
    "conv4": (lambda: Conv4((1, 8, 8), width=4), (1, 8, 8)),
}


def same(first, second, tolerance=1e-9):
    assert first.keys() == second.keys()
    for name in first:
        scale = max(1.0, float(second[name].abs().max()))
        gap = float((first[name] - second[name]).abs().max())
        assert gap <= tolerance * scale, (name, gap)


NORMED = ("mlp, batch norm", "conv", "conv4")
CASES = [(name, "transductive") for name in BACKBONES]
CASES += [(name, norm) for name in NORMED for norm in ("frozen", "per-step", "group")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "norm"), CASES)
def test_all_at_once_equals_task_by_task(name, norm, method):
    make, shape = BACKBONES[name]
    support, query = rows(shape, classes=3, seed=1), rows(shape, classes=3, seed=2)
    found = {}
    for engine in ("auto", "loop"):
        model = model_of(make, 3, METHODS[method](), norm=norm, steps=2, engine=engine)
        found[engine] = gradients(model, Episode(support, query, 3), CrossEntropy())
        used = model._stacked().engine
        assert (used == "loop") == (engine == "loop")
    same(found["auto"], found["loop"])


@pytest.mark.parametrize("head", ["learned", "zero", "proto", "shared"])
def test_every_head_equals_task_by_task(head):
    support, query = rows((5,), classes=3), rows((5,), classes=3, seed=2)
    found = [
        gradients(
            model_of(lambda: MLP((5,)), 3, MAML(), head=head, steps=2, engine=engine),
            Episode(support, query, 3),
            CrossEntropy(),
        )
        for engine in ("auto", "vmap", "loop")
    ]
    same(found[0], found[2])
    same(found[1], found[2])


@pytest.mark.parametrize(
    "part", list_components("backbone", builtin=True), ids=lambda c: c.name
)
def test_every_registered_backbone_has_exact_second_derivatives(part):
    shape = part.example["input_shape"]
    found = {}
    for engine in ("auto", "loop"):
        torch.manual_seed(0)
        model = model_of(part.build(shape), 2, MAML(), steps=2, engine=engine)
        data = rows(shape, 2, 4, classes=2), rows(shape, 2, 4, classes=2, seed=2)
        model.eval()
        found[engine] = gradients(model, Episode(*data, 2), CrossEntropy())
    same(found["auto"], found["loop"])


@pytest.mark.parametrize("functional", [False, True])
def test_steps_do_not_see_where_a_head_of_prototypes_comes_from(functional):
    """The inner gradient is that of independent weights; the outer one goes on."""
    for method in (MAML(), FOMAML()):
        model = model_of(lambda: MLP((5,)), 3, method, head="proto", max_norm=None)
        support = rows((5,), classes=3)
        loop = model.inner_loop(CrossEntropy(), functional=functional)
        start = {
            name: value.detach().requires_grad_()
            for name, value in loop.start(support, 3).items()
        }
        losses = loop.losses(start, support, 0)
        slopes = torch.autograd.grad(losses.sum(), list(start.values()))
        moved = loop.adapt(support, 3, 1)
        for (name, value), slope in zip(start.items(), slopes, strict=True):
            gap = (moved[name] - (value - 0.1 * slope)).abs().max()
            assert float(gap.detach()) < 1e-12, name
        safe, _ = loop.adapt_safely(support, 3, 1)
        for name, value in moved.items():
            assert torch.allclose(safe[name], value, atol=1e-12), name
        query = rows((5,), classes=3, seed=2)
        found = gradients(model, Episode(support, query, 3), CrossEntropy())
        assert all(bool(g.abs().any()) for g in found.values())


@pytest.mark.parametrize("head", ["learned", "shared"])
@pytest.mark.parametrize("n_way", [2, 3])
def test_step_sizes_of_every_weight_fit_tasks_of_fewer_ways(head, n_way):
    model = model_of(lambda: MLP((5,)), 3, MetaSGD(), head=head, steps=2)
    data = rows((5,), classes=n_way), rows((5,), classes=n_way, seed=2)
    found = gradients(model, Episode(*data, n_way), CrossEntropy())
    sizes = {k: v for k, v in found.items() if k.startswith("step_sizes")}
    assert len(sizes) == len(list(model.step_sizes.parameters()))
    if head == "learned":
        used = sizes["step_sizes.sizes.head|bias"] != 0
        assert used.tolist() == [True] * n_way + [False] * (3 - n_way)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.out_features = 4

    def forward(self, x):
        return self.rnn(x)[0][:, -1]


def test_what_vmap_cannot_batch_goes_task_by_task():
    torch.manual_seed(0)
    model = model_of(Recurrent(), 2, MAML())
    data = rows((5, 3), classes=2), rows((5, 3), classes=2, seed=1)
    found = gradients(model, Episode(*data, 2), CrossEntropy())
    assert model._stacked().engine == "loop"
    assert all(torch.isfinite(g).all() for g in found.values())


def test_attention_has_second_derivatives():
    layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
    net = nn.Sequential(layer, nn.Flatten(1))
    net.out_features = 24
    data = rows((3, 8), classes=2), rows((3, 8), classes=2, seed=1)
    found = {
        engine: gradients(
            model_of(copy.deepcopy(net), 2, MAML(), engine=engine),
            Episode(*data, 2),
            CrossEntropy(),
        )
        for engine in ("vmap", "loop")
    }
    same(found["vmap"], found["loop"])


# -- ragged tasks --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mlp", "mlp, batch norm", "mlp, layer norm", "conv4"])
def test_filled_up_tasks_are_exact(name):
    make, shape = BACKBONES[name]
    model = model_of(make, 3, MAML(), steps=2)
    support, query = rows(shape, 2, 6, classes=3), rows(shape, 2, 6, classes=3, seed=3)
    counts = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], dtype=DOUBLE)
    padded = [Support(p.x.clone(), p.y, counts) for p in (support, query)]
    for part in padded:
        part.x[1, 4:] = 77.0  # must not be seen
    together = gradients(model, Episode(*padded, 3), CrossEntropy())
    whole = gradients(
        model, Episode(support.narrow(0, 1), query.narrow(0, 1), 3), CrossEntropy()
    )
    short = [Support(p.x[1:, :4], p.y[1:, :4]) for p in (support, query)]
    part = gradients(model, Episode(*short, 3), CrossEntropy())
    same(together, {n: whole[n] + part[n] for n in whole})


# -- guards --------------------------------------------------------------------------


def test_a_harmful_step_is_taken_back():
    model = model_of(Linear((1,)), 1, MAML(), rate=1e6, max_norm=None)
    support = rows((1,), 2, 5)
    loop = model.inner_loop(MSE())
    first = loop.losses(loop.start(support, 1), support, 0).detach()
    weights, losses = loop.adapt_safely(support, 1, 50)
    assert bool((losses <= first).all())
    assert all(torch.isfinite(w).all() for w in weights.values())
    plain = loop.adapt(support, 1, 50)
    assert not all(torch.isfinite(w).all() for w in plain.values())


def test_no_step_keeps_the_start():
    model = model_of(MLP((2,)), 1, MAML())
    support = rows((2,))
    weights, _ = model.inner_loop(MSE()).adapt_safely(support, 1, 0)
    assert torch.equal(weights["head.weight"][1], model.head.weight.detach())


def test_long_gradients_are_shortened_for_each_task_by_itself():
    model = model_of(Linear((1,)), 1, MAML(), rate=1.0, max_norm=0.5)
    support = rows((1,), 2, 5)
    support.y[1] *= 1e5
    loop = model.inner_loop(MSE())
    start, end = loop.start(support, 1), loop.adapt(support, 1, 1)
    moved = sum((end[n] - start[n]).square().flatten(1).sum(1) for n in start).sqrt()
    assert float(moved[1]) == pytest.approx(0.5)
    alone = loop.adapt(support.narrow(0, 1), 1, 1)
    assert torch.equal(alone["head.weight"][0], end["head.weight"][0])


@pytest.mark.parametrize("method", ["anil", "boil"])
def test_what_a_method_leaves_alone_stays(method):
    model = model_of(MLP((2,)), 1, METHODS[method]())
    support = rows((2,))
    loop = model.inner_loop(MSE())
    start, end = loop.start(support, 1), loop.adapt(support, 1, 2)
    for name in start:
        changed = not torch.equal(start[name], end[name])
        assert changed == name.startswith("head." if method == "anil" else "backbone.")


def test_per_step_scales_are_chosen_by_the_step_and_not_adapted():
    net = use_task_norms(MLP((2,), hidden=4, norm="batch"), "per-step", 2)
    assert net[1].weight.shape == (3, 4)
    with torch.no_grad():
        net[1].bias[1] += 5
    forward = StackedForward(net, "loop")
    weights = {k: v.expand(1, *v.shape) for k, v in net.named_parameters()}
    x = torch.randn(1, 6, 2)
    found = [forward(weights, x, None, step) for step in (0, 1, 2, 9)]
    assert float((found[1] - found[0]).detach().min()) > 1
    assert torch.equal(found[2], found[3])
    model = MetaModel(MLP((2,), hidden=4, norm="batch"), 1, MAML(), norm="per-step")
    part = Support(torch.randn(1, 6, 2), torch.randn(1, 6, 1))
    loop = model.inner_loop(MSE())
    end = loop.adapt(part, 1, 1)
    assert torch.equal(end["backbone.1.weight"][0], model.backbone[1].weight)


def test_steps_beyond_those_of_training_never_raise_the_loss():
    """Rates that were learned for one step may overshoot in the second."""
    model = model_of(Linear((1,)), 1, MAML(), rate=0.9, steps=1, max_norm=None)
    support = rows((1,), 8, 5)
    support.x.mul_(1.2)
    loop = model.inner_loop(MSE())
    found = [loop.adapt_safely(support, 1, steps)[1] for steps in range(1, 9)]
    for before, after in pairwise(found):
        assert bool((after <= before).all())
    free = model.inner_loop(MSE(), trained_steps=8)
    other = [free.adapt_safely(support, 1, steps)[1] for steps in range(1, 9)]
    assert any(bool((after > before).any()) for before, after in pairwise(other))
