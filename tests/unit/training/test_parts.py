"""Parts of the training loop against what they are defined by."""

import dis
import math
from itertools import accumulate, pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from mlmi_sklearn.training import batches as batches_module
from mlmi_sklearn.training import compiling, losslog
from mlmi_sklearn.training.backward import RowGradients
from mlmi_sklearn.training.batches import (
    TensorBatches,
    batch_bounds,
    joined,
    writes_to_input,
)
from mlmi_sklearn.training.compiling import compile_options
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.diverging import diverged_error
from mlmi_sklearn.training.foreign import is_foreign
from mlmi_sklearn.training.interrupts import (
    StopTraining,
    ctrl_c_apart,
    is_request_to_stop,
)
from mlmi_sklearn.training.losslog import LossLog, weighted_mean
from mlmi_sklearn.training.optim import SCHEDULES, optimizer_options
from mlmi_sklearn.training.ragged import RaggedTensor, SampledBags
from mlmi_sklearn.training.snapshot import Snapshot

WEIGHTS = st.lists(
    st.tuples(st.floats(-5, 5), st.floats(0.1, 4)), min_size=1, max_size=5
)


# -- losses ----------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["parts", "in one piece"])
def in_one_piece(request, monkeypatch):
    """Both ways to keep losses; one begins so small that it has to grow."""
    monkeypatch.setattr(losslog._Piece, "_FIRST", 2)
    return request.param


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(WEIGHTS, min_size=1, max_size=4), weighted=st.booleans())
def test_the_loss_of_an_epoch_is_a_weighted_mean_over_rows(
    in_one_piece, batches, weighted
):
    log = LossLog(in_one_piece)
    flat = [pair for batch in batches for pair in batch]
    for batch in batches:
        values, weight = (
            torch.tensor(x, dtype=torch.float64) for x in zip(*batch, strict=True)
        )
        log.add(values, weight if weighted else None, len(batch))
    values, weight = map(np.array, zip(*flat, strict=True))
    weight = weight if weighted else np.ones(len(flat))
    expected = np.average(values, weights=weight)
    assert log.mean() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert log.weight() == pytest.approx(weight.sum())
    assert log.first_bad_step() == len(batches)
    found = weighted_mean(torch.tensor(values), torch.tensor(weight))
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_means_of_batches_count_by_their_sizes(in_one_piece):
    log = LossLog(in_one_piece)
    for loss, weight, size in ((1.0, None, 3), (4.0, torch.ones(1), 1)):
        log.add(torch.tensor(loss), weight, size)
    assert log.mean() == (3 * 1 + 4) / 4
    assert log.weight() == 4.0
    assert LossLog().mean() == 0.0
    assert LossLog().weight() == 0.0


def test_what_was_noted_in_one_piece_may_be_written_over():
    log, memory = LossLog(in_one_piece=True), torch.empty(3)
    for value in (1.0, 2.0, 6.0):
        log.add(memory.fill_(value), None, 3)
    assert log.mean() == 3.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_first_bad_batch_is_counted_from_one(in_one_piece, bad, step):
    log = LossLog(in_one_piece)
    for i in range(1, 5):
        log.add(torch.tensor([1.0, bad if i in (step, 4) else 0.0]), None, 2)
    assert log.first_bad_step() == step


def test_losses_that_skorch_recorded():
    rows = [
        {"train_loss": 1.0, "train_batch_size": 3, "valid_loss": 9.0},
        {"valid_loss": 5.0, "valid_batch_size": 2},
        {"train_loss": 4.0, "train_batch_size": 1},
    ]
    assert LossLog.of_batches(rows, "train").mean() == 1.75
    assert LossLog.of_batches(rows[1:], "valid").mean() == 5.0
    assert LossLog.of_batches(rows, "other").mean() == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_of_the_mean(dtype):
    gradients = RowGradients()
    losses = torch.zeros(4, dtype=dtype, requires_grad=True)
    weight = torch.tensor([1.0, 0.0, 2.0, 5.0])
    for w in (weight, None):
        found = gradients(losses, w)
        (expected,) = torch.autograd.grad(weighted_mean(losses, w), losses)
        assert found.dtype == dtype
        torch.testing.assert_close(found, expected)
    assert gradients(losses, None) is gradients(losses[:4], None)
    assert gradients(losses[:2], None).tolist() == [0.5, 0.5]
    assert gradients(losses.sum(), weight) is None


def test_divergence_says_where():
    error = diverged_error(3, 17)
    assert (error.epoch, error.step) == (3, 17)
    assert str(error).startswith(
        "Training diverged: the loss became NaN or infinite in epoch 3, step 17. Try a "
        "smaller lr, scale the inputs (StandardScaler), check X and y for extreme "
    )


# -- batches ---------------------------------------------------------------------------


def test_bounds_at_the_edges():
    assert batch_bounds(0, 4) == []
    assert batch_bounds(1, 4) == [(0, 1)]
    assert batch_bounds(4, 4) == [(0, 4)]
    assert batch_bounds(5, 4) == [(0, 5)]
    assert batch_bounds(6, 4) == [(0, 4), (4, 6)]
    assert batch_bounds(9, 4) == [(0, 4), (4, 9)]
    assert batch_bounds(3, 2) == [(0, 3)]
    assert batch_bounds(3, 1) == [(0, 1), (1, 2), (2, 3)]


class Foreign(nn.Module):
    pass


def test_modules_that_may_write_to_their_input():
    assert not writes_to_input(nn.Sequential(nn.Linear(1, 1), nn.ReLU()))
    assert writes_to_input(nn.Sequential(nn.Linear(1, 1), nn.ReLU(inplace=True)))
    assert writes_to_input(nn.Sequential(nn.Linear(1, 1), Foreign()))
    assert is_foreign(Foreign())
    assert not is_foreign(nn.Sequential(Foreign()))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(-3, 3))
def test_parts_are_joined_whatever_was_expected(sizes, more):
    """Rows may be fewer or more than counted: bags have many instances."""
    n = sum(sizes)
    values = torch.arange(float(2 * n)).reshape(n, 2)
    ends = list(accumulate(sizes))
    parts = [values[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    data = TrainingData(TensorRows(torch.zeros(max(n + more, 1))), Targets(None))
    found = joined(iter(parts), data)
    assert torch.equal(found, values)
    # What is kept is no part of something larger.
    assert found.untyped_storage().nbytes() == values.nbytes or n + more < n


def training(n=20):
    x = torch.arange(float(n))
    return TrainingData(TensorRows(x), Targets(x.long(), x + 0.5))


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_keep_rows_together_and_in_the_given_order(copy, shuffle):
    data = training(11)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    batches = TensorBatches(data, 4, shuffle, order=lambda: order, copy=copy)
    found = list(batches)
    assert [len(x) for x, _ in found] == [4, 4, 3]
    assert len(batches) == 3
    rows = torch.cat([x for x, _ in found])
    assert torch.equal(rows, order.float() if shuffle else data.rows.values)
    for x, targets in found:
        assert torch.equal(targets.y, x.long())
        assert torch.equal(targets.weight, x + 0.5)
        if copy:
            x.zero_()
    assert data.rows.values.tolist() == list(range(11))


def test_batches_in_order_are_views_unless_they_may_be_written_to():
    data = training()
    where = data.rows.values.untyped_storage().data_ptr()
    for copy in (False, True):
        x, _ = next(iter(TensorBatches(data, 6, copy=copy)))
        assert (x.untyped_storage().data_ptr() == where) is not copy


@pytest.mark.parametrize(("limit", "sizes"), [(43, [4, 4, 3]), (44, [11])])
def test_large_sets_are_gathered_batch_by_batch(monkeypatch, limit, sizes):
    monkeypatch.setattr(batches_module, "GATHER_LIMIT", limit)
    taken = []

    class Noting(TensorRows):
        def take(self, index):
            taken.append(len(index))
            return super().take(index)

    data = TrainingData(Noting(torch.arange(11.0)), Targets(None))
    assert data.rows.nbytes == 44
    assert [len(x) for x, _ in TensorBatches(data, 4, shuffle=True)] == [4, 4, 3]
    assert taken == sizes


def test_batches_move_to_another_device_alone():
    data = training(6)
    cpu, meta = torch.device("cpu"), torch.device("meta")
    assert TensorBatches(data, 2, device=cpu).device is None
    assert TensorBatches(data, 2).device is None
    moved = TensorBatches(data, 4, device=meta)
    assert moved.device == meta
    for x, targets in moved:
        assert {x.device, targets.y.device, targets.weight.device} == {meta}
    assert TrainingData(TensorRows(torch.ones(1)), Targets(None)).device == cpu


def test_rows_and_targets_one_by_one():
    data = training(5)
    x, targets = data[3]
    assert (x.tolist(), targets.y.tolist(), targets.weight.tolist()) == (
        [3],
        [3],
        [3.5],
    )
    part = data.take(torch.tensor([4, 0]))
    assert part.rows.values.tolist() == [4.0, 0.0]
    assert part.targets.weight.tolist() == [4.5, 0.5]
    assert len(part) == 2
    meta = data.to(torch.device("meta"))
    assert meta.device.type == meta.rows.values.device.type == "meta"
    assert TensorRows(torch.zeros(3, 2, dtype=torch.float64)).nbytes == 48
    nothing = Targets(None)
    assert nothing.take(torch.tensor([0])) == (None, None)
    assert nothing.narrow(0, 1) == (None, None)
    assert nothing.to(torch.device("meta")) == (None, None)
    alone = Targets(None, torch.arange(3.0)).narrow(1, 3)
    assert alone.y is None
    assert alone.weight.tolist() == [1.0, 2.0]


# -- bags ------------------------------------------------------------------------------


LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def bags_with_fields(lengths):
    n = sum(lengths)
    values = torch.arange(float(2 * n)).reshape(n, 2)
    return RaggedTensor(values, torch.tensor(lengths), fields={"y": torch.arange(n)})


def listed(bags):
    """Return the first column and the field, bag by bag."""
    ends = [0, *accumulate(bags.lengths.tolist())]
    assert bags.offsets == ends
    assert len(bags) == len(ends) - 1
    index = torch.repeat_interleave(torch.arange(len(bags)), bags.lengths)
    assert torch.equal(bags.segments.index, index)
    rows = [
        (bags.values[a:b, 0].tolist(), bags.fields["y"][a:b].tolist())
        for a, b in pairwise(ends)
    ]
    assert all([v / 2 for v in values] == ys for values, ys in rows)
    return [ys for _, ys in rows]


@settings(max_examples=50, deadline=None)
@given(LENGTHS, st.data())
def test_bags_and_what_is_known_of_their_instances_go_together(lengths, data):
    bags = bags_with_fields(lengths)
    expected = listed(bags)
    m = len(lengths)
    index = data.draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=7))
    taken = bags.take(torch.tensor(index))
    assert listed(taken) == [expected[i] for i in index]
    start = data.draw(st.integers(0, m - 1))
    stop = data.draw(st.integers(start + 1, m))
    assert listed(bags.narrow(start, stop)) == expected[start:stop]
    kept = [
        data.draw(st.none() | st.sets(st.integers(0, n - 1), min_size=1).map(sorted))
        for n in lengths
    ]
    picked = bags.pick([None if k is None else torch.tensor(k) for k in kept])
    wanted = [
        bag if k is None else [bag[i] for i in k]
        for bag, k in zip(expected, kept, strict=True)
    ]
    assert listed(picked) == wanted


def test_a_batch_sees_a_part_of_each_bag():
    bags = bags_with_fields([1, 4, 2, 3])

    def first_two(n):
        return torch.arange(2) if n > 2 else None

    rows = SampledBags(bags, first_two)
    assert len(rows) == 4
    assert rows.nbytes == bags.nbytes == 10 * 2 * 4
    assert listed(rows.narrow(0, 4)) == [[0], [1, 2], [5, 6], [7, 8]]
    assert listed(rows.take(torch.tensor([3, 0])).narrow(0, 1)) == [[7, 8]]
    assert listed(rows.narrow(2, 3)) == [[5, 6]]
    everything = bags.sampled(1, 3, lambda n: None)
    assert everything.values.data_ptr() == bags.values[1:].data_ptr()
    assert rows.to(torch.device("meta")) is rows


def test_bags_move_and_their_lengths_stay():
    moved = bags_with_fields([1, 2]).to(torch.device("meta"))
    assert moved.values.device.type == moved.fields["y"].device.type == "meta"
    assert moved.lengths.tolist() == [1, 2]
    assert moved.offsets == [0, 1, 3]
    assert RaggedTensor(torch.zeros(1, 1), torch.tensor([1])).fields == {}


# -- rates and options -----------------------------------------------------------------


FORMULAS = {
    "constant": lambda p: 1.0,
    "linear": lambda p: 1 - p,
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "ganin": lambda p: 1 / (1 + 10 * p) ** 0.75,
    "exponential": lambda p: math.exp(p * math.log(0.01)),
    # A line from 1/11 to 1 over a twentieth, then half a wave to 0.
    "warmup-cosine": lambda p: (
        1 / 11 + (10 / 11) * (p / 0.05)
        if p < 0.05
        else (1 + math.cos(math.pi * (p - 0.05) / 0.95)) / 2
    ),
}


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_are_their_formulas(name):
    for p in np.linspace(0, 1, 101):
        assert SCHEDULES[name](p) == pytest.approx(FORMULAS[name](p), abs=1e-12)


def test_options_are_those_that_an_optimizer_takes():
    weight = [nn.Parameter(torch.ones(2))]
    options = optimizer_options(torch.optim.AdamW, 0.5, weight)
    assert options == {"weight_decay": 0.5, "fused": True}
    assert optimizer_options(torch.optim.AdamW, 0.5, weight, momentum=0.9) == options
    assert optimizer_options(torch.optim.SGD, 0.0, weight, momentum=0.9) == {
        "weight_decay": 0.0,
        "momentum": 0.9,
        "fused": True,
    }
    assert optimizer_options(lambda params, lr: None, 0.5, weight, 0.9) == {}
    others = [*weight, nn.Parameter(torch.ones(1, device="meta"))]
    assert "fused" not in optimizer_options(torch.optim.SGD, 0.0, others)
    counts = [torch.ones(1, dtype=torch.int64)]
    assert "fused" not in optimizer_options(torch.optim.SGD, 0.0, counts)


def test_small_nets_on_cuda_are_replayed(monkeypatch):
    net, cuda, cpu = nn.Linear(3, 5), torch.device("cuda"), torch.device("cpu")
    replayed = {"mode": "reduce-overhead"}
    for small, found in ((20, replayed), (19, {})):
        monkeypatch.setattr(compiling, "_SMALL", small)
        assert compile_options(net, cuda, keeps_outputs=False) == found
    monkeypatch.setattr(compiling, "_SMALL", 20)
    assert compile_options(net, cuda, keeps_outputs=True) == {}
    assert compile_options(net, cpu, keeps_outputs=False) == {}


# -- weights that are kept -------------------------------------------------------------


def test_a_snapshot_is_of_weights_and_buffers():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    kept = Snapshot(module)
    before = {k: v.clone() for k, v in module.state_dict().items()}

    def spoil(value):
        with torch.no_grad():
            for tensor in module.state_dict().values():
                tensor.fill_(value)

    spoil(5)
    assert kept.is_finite()
    kept.restore()
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    spoil(7)
    kept.take_if(torch.tensor(False))
    kept.restore()
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    spoil(7)
    kept.take_if(torch.tensor(True))
    spoil(8)
    state = kept.training_state()
    assert {float(t.float().mean()) for t in state} == {7.0}
    kept.restore()
    assert all((v == 7).all() for v in module.state_dict().values())
    kept.load_training_state([torch.full_like(t, 9) for t in state])
    kept.restore()
    assert all((v == 9).all() for v in module.state_dict().values())
    assert {float(t.float().mean()) for t in state} == {7.0}  # copies
    for wrong in (state[:-1], [*state, state[0]]):
        with pytest.raises(ValueError, match="zip"):
            kept.load_training_state(wrong)
    module[1].running_var[1] = torch.inf
    assert not kept.is_finite()


def test_a_module_without_weights_is_kept_too():
    kept = Snapshot(nn.ReLU())
    kept.take()
    kept.restore()
    assert kept.is_finite()


# -- Ctrl-C ----------------------------------------------------------------------------


def raised(function):
    try:
        function()
    except KeyboardInterrupt as signal:
        return signal
    raise AssertionError("nothing was raised")


def test_a_request_to_stop_is_a_raise_in_a_callback():
    def on_epoch_end():
        raise KeyboardInterrupt

    def deeper():
        on_epoch_end()

    def elsewhere():
        raise KeyboardInterrupt

    assert is_request_to_stop(raised(on_epoch_end))
    assert is_request_to_stop(raised(deeper))
    assert not is_request_to_stop(raised(elsewhere))
    assert not is_request_to_stop(KeyboardInterrupt())


def test_ctrl_c_within_a_callback_is_not_a_request():
    """The interpreter makes it, in the midst of what is no ``raise``."""

    def on_epoch_end():
        next(interrupted)

    def presses():
        raise KeyboardInterrupt
        yield

    # As a signal's handler does it: the frame of the callback is at a call.
    interrupted = iter(presses())
    signal = raised(on_epoch_end)
    signal.__traceback__.tb_next.tb_next = None
    where = signal.__traceback__.tb_next
    assert where.tb_frame.f_code.co_name == "on_epoch_end"
    assert where.tb_frame.f_code.co_code[where.tb_lasti] != dis.opmap["RAISE_VARARGS"]
    assert not is_request_to_stop(signal)


def test_only_a_request_becomes_an_end_of_training():
    signal = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught, ctrl_c_apart():
        raise signal
    assert caught.value is signal

    def on_epoch_end():
        raise KeyboardInterrupt

    with pytest.raises(StopTraining) as stopped, ctrl_c_apart():
        on_epoch_end()
    assert isinstance(stopped.value.__cause__, KeyboardInterrupt)
    with pytest.raises(KeyError), ctrl_c_apart():
        raise KeyError
