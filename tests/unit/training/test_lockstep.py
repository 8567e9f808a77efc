"""Nets side by side: their rows, orders, weights, and when each of them stops."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch import nn

from mlmi_sklearn import MLPBackbone, NetClassifier
from mlmi_sklearn.base.many import fit_together
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.lockstep.batches import Generators, StackedBatches
from mlmi_sklearn.training.lockstep.member import EarlyStopping, Member
from mlmi_sklearn.training.lockstep.optimizer import StackedOptimizer
from mlmi_sklearn.training.lockstep.rows import StackedRows
from mlmi_sklearn.training.lockstep.trainer import _keep_what_works
from mlmi_sklearn.training.lockstep.validation import Validation
from mlmi_sklearn.training.lockstep.weights import Memory, StackedWeights


def same_state(one, other):
    """Whether two states of optimisers hold equal numbers."""
    for theirs, ours in zip(one.values(), other.values(), strict=True):
        assert theirs.keys() == ours.keys()
        for key, value in theirs.items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(ours[key], value, rtol=1e-9, atol=1e-12)
            else:
                assert ours[key] == value


@pytest.mark.parametrize("stopping", [False, True])
def test_nets_trained_together_keep_all_that_they_would_have_kept_alone(stopping):
    """History with its marks, optimiser and generator: a next fit goes on with them."""
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(40, 4)), np.arange(40) % 2) for _ in range(3)]
    options = {"early_stopping": stopping, "n_iter_no_change": 2, "batch_size": 16}
    models = [
        NetClassifier(
            MLPBackbone(hidden=(4,)), lr=lr, max_epochs=6, random_state=k, **options
        )
        for k, lr in enumerate((1e-3, 0.5, 0.5))
    ]
    together = fit_together([clone(m) for m in models], data)
    for model, given_, found in zip(models, data, together, strict=True):
        alone = clone(model).fit(*given_)
        ours, theirs = found.net_, alone.net_
        assert len(ours.history) == len(theirs.history)
        for row, expected in zip(ours.history, theirs.history, strict=True):
            assert {k for k in row if k != "dur"} == {k for k in expected if k != "dur"}
            for key in expected.keys() - {"dur", "batches"}:
                assert type(row[key]) is type(expected[key])
                assert row[key] == pytest.approx(expected[key], rel=1e-9), key
            assert row["dur"] > 0
        assert torch.equal(ours.generator.get_state(), theirs.generator.get_state())
        [mine], [wanted] = (n.optimizer_.param_groups for n in (ours, theirs))
        assert mine["lr"] == wanted["lr"]
        same_state(theirs.optimizer_.state, ours.optimizer_.state)
        assert ours.interrupted_ is theirs.interrupted_ is False


# -- rows and their orders -------------------------------------------------------------


def a_set(n, seed=0, weighted=False):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=rng, dtype=torch.float64)
    weight = torch.rand(n, generator=rng, dtype=torch.float64) if weighted else None
    return TrainingData(TensorRows(x), Targets(torch.arange(n) + 100 * seed, weight))


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    which=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    weighted=st.booleans(),
    reuse=st.booleans(),
)
def test_rows_are_gathered_set_by_set(sizes, which, weighted, reuse):
    distinct = [a_set(n, i + 1, weighted) for i, n in enumerate(sizes)]
    sets = [distinct[i % len(distinct)] for i in which]
    rows = StackedRows(sets)
    longest = max(len(data) for data in sets)
    assert rows.longest == longest
    assert rows.weighted is weighted
    used = {id(data): len(data) for data in sets}
    assert len(rows.x) == sum(used.values())  # each is kept once
    order = torch.zeros(len(sets), longest, dtype=torch.int64)
    for k, data in enumerate(sets):
        order[k, : len(data)] = torch.randperm(len(data))
    room = rows.room()
    n = len(sets) * longest
    assert [part.shape for part in room] == [(n, 2), (n,)]
    assert [part.dtype for part in room] == [rows.x.dtype, rows.y.dtype]
    x, y, weight = rows.gather(order, room if reuse else None)
    if reuse:
        assert x.data_ptr() == room[0].data_ptr()
        assert y.data_ptr() == room[1].data_ptr()
    for k, data in enumerate(sets):
        n = len(data)
        assert rows.there[k].tolist() == [1.0] * n + [0.0] * (longest - n)
        assert rows.in_order[k].tolist() == [*range(n), *[0] * (longest - n)]
        assert torch.equal(x[k, :n], data.rows.values[order[k, :n]])
        assert torch.equal(y[k, :n], data.targets.y[order[k, :n]])
        assert torch.equal(x[k, n:], data.rows.values[:1].expand(longest - n, 2))
        own = data.targets.weight
        own = torch.ones(n, dtype=x.dtype) if own is None else own
        assert torch.equal(weight[k, :n], own[order[k, :n]])
        assert not weight[k, n:].any()
    assert rows.there.dtype == x.dtype


def member(data, seed=0, batch_size=4, **more):
    return Member(SimpleNamespace(batch_size=batch_size), {}, seed, data, **more)


def test_orders_are_those_that_each_would_draw_alone():
    members = [
        member(a_set(n), seed) for n, seed in ((5, 1), (7, 2), (5, 1), (5, 3), (3, 1))
    ]
    generators = Generators(members)
    alone = [torch.Generator().manual_seed(m.order_seed) for m in members]
    for _ in range(3):
        drawn = generators.draw(members)
        assert drawn.shape == (5, 7)
        for row, m, own in zip(drawn, members, alone, strict=True):
            n = len(m.data)
            assert torch.equal(row[:n], torch.randperm(n, generator=own))
            assert not row[n:].any()
    # Of those that are left, as if the others were still there.
    drawn = generators.draw(members[3:])
    assert drawn.shape == (2, 5)
    assert torch.equal(drawn[0], torch.randperm(5, generator=alone[3]))
    for m, own in zip(members[3:], alone[3:], strict=True):
        own_state = own.get_state() if m is members[3] else None
        if own_state is not None:
            assert torch.equal(generators.state_of(m), own_state)


@pytest.mark.parametrize("weighted", [False, True])
def test_batches_have_the_rows_and_shares_of_each_alone(weighted):
    members = [member(a_set(n, seed, weighted), seed) for n, seed in ((10, 1), (11, 2))]
    batches = StackedBatches(members, Generators(members))
    assert batches.bounds == [(0, 4), (4, 8), (8, 11)]
    assert len(batches) == 3
    alone = [torch.Generator().manual_seed(m.order_seed) for m in members]
    for _ in range(2):
        orders = [
            torch.randperm(len(m.data), generator=own)
            for m, own in zip(members, alone, strict=True)
        ]
        for (start, stop), batch in zip(batches.bounds, batches, strict=True):
            for k, m in enumerate(members):
                part = orders[k][start:stop]
                n = len(part)
                assert torch.equal(batch.x[k, :n], m.data.rows.values[part])
                assert torch.equal(batch.y[k, :n], m.data.targets.y[part])
                own = m.data.targets.weight
                own = torch.ones(n, dtype=batch.x.dtype) if own is None else own[part]
                assert torch.equal(batch.weight[k, :n], own)
                torch.testing.assert_close(batch.share[k, :n], own / own.sum())
                assert not batch.weight[k, n:].any()
                assert not batch.share[k, n:].any()


# -- weights ---------------------------------------------------------------------------


def stacked(n=3):
    torch.manual_seed(0)
    modules = [nn.Linear(2, 3).double() for _ in range(n)]
    return modules, StackedWeights.of([dict(m.named_parameters()) for m in modules])


def test_stacked_weights_are_those_of_the_modules():
    modules, weights = stacked()
    assert weights.leaves["weight"].shape == (3, 2, 3)  # in before out
    assert all(leaf.requires_grad for leaf in weights.leaves.values())
    for which in (None, torch.tensor([2, 0])):
        values = weights.values() if which is None else weights.values(which)
        chosen = range(3) if which is None else which.tolist()
        for place, k in enumerate(chosen):
            for name, own in modules[k].named_parameters():
                assert torch.equal(values[name][place], own)
    other = nn.Linear(2, 3).double()
    weights.write(1, other)
    for ours, theirs in zip(other.parameters(), modules[1].parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert weights.are_finite().tolist() == [True] * 3
    with torch.no_grad():
        weights.leaves["bias"][1, 0] = torch.nan
        weights.leaves["weight"][2, 1, 2] = torch.inf
    assert weights.are_finite().tolist() == [True, False, False]


def test_a_part_is_a_copy_with_what_was_remembered():
    modules, weights = stacked()
    weights.remember_best()
    with torch.no_grad():
        for leaf in weights.leaves.values():
            leaf.add_(1)
    part = weights.part(torch.tensor([0, 2]))
    with torch.no_grad():
        for leaf in part.leaves.values():
            leaf.add_(5)
    assert torch.equal(weights.values()["bias"][2], modules[2].bias + 1)
    for memory in (part.best, part.working):
        memory.restore(1)
        assert torch.equal(part.values()["bias"][1], modules[2].bias)
        assert torch.equal(part.values()["bias"][0], modules[0].bias + 6)
        part.leaves["bias"].data[1] += 6
    assert stacked()[1].part(torch.tensor([0])).best is None


@pytest.mark.parametrize("which", [[True, True], [True, False], [False, False]])
def test_a_memory_keeps_those_that_are_named(which):
    live = [torch.zeros(2, 3), torch.zeros(2), torch.zeros(2, 2, 2)]
    memory = Memory(live)
    for v in live:
        v.fill_(1)
    memory.keep(torch.tensor(which))
    for v in live:
        v.fill_(2)
    memory.restore(0)
    for v in live:
        assert (v[0] == float(which[0])).all()
        assert (v[1] == 2).all()
    memory.restore(1)
    assert all((v[1] == float(which[1])).all() for v in live)


def test_only_rows_that_count_tell_whether_weights_work():
    bad = math.nan
    losses = torch.tensor([[1.0, bad], [1.0, bad], [math.inf, 1.0], [1.0, 2.0]])
    weight = torch.tensor([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0], [1.0, 1.0]])
    asked = []
    working = SimpleNamespace(keep=lambda which: asked.append(which.tolist()))
    stack = SimpleNamespace(weights=SimpleNamespace(working=working))
    _keep_what_works(stack, losses, weight)
    assert asked == [[True, False, True, True]]


def net_with(lr, module, schedule=None, **options):
    optimizer = torch.optim.AdamW(module.parameters(), lr=lr, **options)
    return SimpleNamespace(optimizer_=optimizer, schedule=schedule)


def half(share):
    return 1 - share / 2


def test_neighbours_with_equal_options_share_a_call():
    modules, weights = stacked(5)
    settings_ = [(0.1, None), (0.1, None), (0.2, None), (0.2, half), (0.2, half)]
    nets = [
        net_with(lr, m, schedule)
        for m, (lr, schedule) in zip(modules, settings_, strict=True)
    ]
    made = StackedOptimizer(nets, weights)
    assert [(a, b) for a, b, _ in made.runs] == [(0, 2), (2, 3), (3, 5)]
    assert made.follows_progress
    made.set_progress(0.5)
    assert [made.rate_of(k) for k in range(5)] == [
        0.1,
        0.1,
        0.2,
        0.2 * 0.75,
        0.2 * 0.75,
    ]
    assert not StackedOptimizer(nets[:2], stacked(2)[1]).follows_progress


def test_steps_and_their_state_are_those_of_each_alone():
    modules, weights = stacked(4)
    rates = [0.1, 0.1, 0.3, 0.1]
    nets = [
        net_with(lr, m, half, weight_decay=0.5)
        for m, lr in zip(modules, rates, strict=True)
    ]
    # Patterns say how each is trained, and are not trained themselves.
    patterns = [net_with(lr, nn.Linear(2, 3), half, weight_decay=0.5) for lr in rates]
    made = StackedOptimizer(patterns, weights)
    numbers, left = list(range(4)), weights

    def step(share):
        made.set_progress(share)
        for k in range(4):
            net, module = nets[k], modules[k]
            if k not in numbers:
                continue
            net.optimizer_.param_groups[0]["lr"] = rates[k] * half(share)
            for p in module.parameters():
                p.grad = torch.full_like(p, k + share)
            net.optimizer_.step()
        for leaf in left.leaves.values():
            shape = [-1, *[1] * (leaf.ndim - 1)]
            of_each = torch.tensor(numbers, dtype=leaf.dtype) + share
            leaf.grad = of_each.reshape(shape).expand_as(leaf).clone()
        made.step()

    step(0.0)
    step(0.2)
    rows = torch.tensor([1, 2, 3])
    left = weights.part(rows)
    made = made.part(rows, patterns[1:], left)
    numbers = [1, 2, 3]
    assert [made.rate_of(k) for k in range(3)] == [0.1 * 0.9, 0.3 * 0.9, 0.1 * 0.9]
    step(0.6)
    for place, k in enumerate(numbers):
        fresh = nn.Linear(2, 3).double()
        left.write(place, fresh)
        for ours, own in zip(fresh.parameters(), modules[k].parameters(), strict=True):
            torch.testing.assert_close(ours, own, rtol=1e-12, atol=0)
        other = net_with(9.0, fresh)
        made.write_state(place, other)
        assert other.optimizer_.param_groups[0]["lr"] == pytest.approx(rates[k] * 0.7)
        same_state(nets[k].optimizer_.state, other.optimizer_.state)
        for p, state in other.optimizer_.state.items():
            assert state["exp_avg"].stride() == p.stride()
        # Copies: what goes on here changes nothing there.
        next(iter(other.optimizer_.state.values()))["exp_avg"].fill_(7)
    assert all(
        not (state["exp_avg"] == 7).any() for state in made.optimizer.state.values()
    )


# -- stopping --------------------------------------------------------------------------


CURVES = [
    # losses, patience, tol; best epoch, epochs
    ([3, 2, 1, 0.5], 2, 0.0, 4, 4),
    ([3, 1, 2, 2], 2, 0.0, 2, 4),
    ([3, 1, 1, 1], 2, 0.0, 2, 4),
    ([3, 2.9, 2.8, 9], 2, 0.5, 3, 3),
    ([3, 2.5, 2.0, 1.5], 1, 0.5, 2, 2),
    ([math.nan, math.nan, 1, 1], 2, 0.0, 0, 2),
]


def judged(curves):
    """Follow several nets at once; return best epoch and epochs of each."""
    n = len(curves)
    data = a_set(4)
    rules = [EarlyStopping(data, patience, tol) for _, patience, tol, *_ in curves]
    validation = Validation(rules, SimpleNamespace(batch_size=4))
    _, weights = stacked(n)
    weights.remember_best()
    numbers, best, ended = list(range(n)), [0] * n, [4] * n
    for epoch in range(1, 5):
        losses = [curves[k][0][epoch - 1] for k in numbers]
        improved, stopped = validation.judge(losses, weights)
        for row in improved:
            best[numbers[row]] = epoch
        for row in stopped:
            ended[numbers[row]] = epoch
        rest = [row for row in range(len(numbers)) if row not in stopped]
        numbers = [numbers[row] for row in rest]
        if not rest:
            break
        validation = validation.part(rest)
        weights = weights.part(torch.tensor(rest))
    return list(zip(best, ended, strict=True))


def test_each_net_stops_by_its_own_losses():
    expected = [(best, epochs) for *_, best, epochs in CURVES]
    assert judged(CURVES) == expected
    assert [judged([curve])[0] for curve in CURVES] == expected


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_rows_that_were_set_aside(weighted):
    modules, weights = stacked(2)
    sets = [a_set(n, seed, weighted) for n, seed in ((300, 1), (257, 2))]
    for data in sets:
        data.targets.y.remainder_(3)
    criterion = nn.CrossEntropyLoss(reduction="none")
    pattern = SimpleNamespace(batch_size=7, criterion_=criterion)
    validation = Validation([EarlyStopping(d, 1, 0.0) for d in sets], pattern)
    seen = []

    def forward(values, x):
        seen.append(x.shape[1])
        return x @ values["weight"].transpose(1, 2) + values["bias"][:, None]

    losses, outputs = validation.losses(forward, weights)
    assert seen == [256, 44]
    for k, (module, data) in enumerate(zip(modules, sets, strict=True)):
        raw = module(data.rows.values)
        own = data.targets.weight
        expected = np.average(
            criterion(raw, data.targets.y).detach().numpy(),
            weights=None if own is None else own.numpy(),
        )
        assert losses[k] == pytest.approx(expected, rel=1e-12)
        torch.testing.assert_close(outputs[k, : len(data)], raw.detach())
    assert not outputs.requires_grad
    pattern.batch_size = 290
    seen.clear()
    validation.losses(forward, weights)
    assert seen == [290, 10]
