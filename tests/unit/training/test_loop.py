"""What a training records and leaves behind, epoch by epoch and batch by batch."""

import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from torch import nn

from mlmi_sklearn.exceptions import TrainingDivergedError
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.norms import BatchNorm1d
from mlmi_sklearn.training import seeding
from mlmi_sklearn.training.batches import TensorBatches
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.interrupts import StopTraining
from mlmi_sklearn.training.net import LeanNet
from mlmi_sklearn.training.ragged import RaggedTensor

N, D, K = 30, 4, 3


def data(weighted=False, n=N, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, D, generator=g, dtype=torch.float64)
    y = torch.randint(0, K, (n,), generator=g)
    w = torch.rand(n, generator=g, dtype=torch.float64) if weighted else None
    return TrainingData(TensorRows(x), Targets(y, w))


def build(module=None, *, epochs=3, lr=0.1, criterion=None, **options):
    torch.manual_seed(1)
    module = nn.Linear(D, K).double() if module is None else module
    options = {"optimizer": torch.optim.SGD, "callbacks": [], **options}
    return LeanNet(
        module,
        criterion or CrossEntropy(),
        max_epochs=epochs,
        batch_size=8,
        lr=lr,
        generator=torch.Generator().manual_seed(2),
        **{"train_split": None, "verbose": 0, **options},
    ).initialize()


class Listener(Callback):
    """Listening to batches switches the net to skorch's own loop."""

    def on_batch_end(self, net, **kwargs):
        pass


LISTEN = pytest.mark.parametrize("listen", [False, True], ids=["lean", "notifying"])


def listeners(listen):
    return [Listener()] if listen else []


@LISTEN
@pytest.mark.parametrize("weighted", [False, True])
def test_each_epoch_records_its_losses_and_whether_they_are_the_best(listen, weighted):
    valid = predefined_split(data(n=11, seed=5))
    net = build(lr=3.0, epochs=6, train_split=valid, callbacks=listeners(listen))
    net.partial_fit(data(weighted))
    best = {"train_loss": math.inf, "valid_loss": math.inf}
    assert len(net.history) == 6
    for epoch, row in enumerate(net.history, start=1):
        assert row["epoch"] == epoch
        assert row["lr"] == 3.0
        assert row["dur"] > 0
        for name in best:
            assert type(row[name]) is float
            assert row[f"{name}_best"] is (row[name] < best[name])
            best[name] = min(best[name], row[name])
    assert net.best_losses_ == best
    marks = [row["train_loss_best"] for row in net.history]
    assert True in marks
    assert False in marks
    # skorch's checkpoints look for a loss of each batch.
    for row in net.history:
        losses = [b["train_loss"] for b in row["batches"] if "train_loss" in b]
        assert len(losses) == (4 if listen else 1)
        if not listen:
            assert losses == [row["train_loss"]]


def test_a_rate_that_follows_progress_is_recorded_at_the_end_of_its_epoch():
    net = build(epochs=2, schedule=lambda share: 1 - share)
    net.partial_fit(data())
    steps = [i / 8 for i in range(8)]
    assert [row["lr"] for row in net.history] == pytest.approx(
        [0.1 * (1 - steps[3]), 0.1 * (1 - steps[7])]
    )
    # Rates of groups keep their ratio.
    net = build(
        epochs=1,
        schedule=lambda share: 0.5,
        optimizer__param_groups=[("bias", {"lr": 2})],
    )
    net.partial_fit(data())
    assert [group["lr"] for group in net.optimizer_.param_groups] == [1.0, 0.05]


def test_steps_return_the_weighted_loss_and_the_raw_output():
    training = data(weighted=True)
    net = build()
    net.partial_fit(training)
    batch = next(iter(TensorBatches(training, 8)))
    (x, (y, w)) = batch
    before = {k: v.clone() for k, v in net.module_.state_dict().items()}

    def expected():
        raw = net.module_(x)
        losses = nn.functional.cross_entropy(raw, y, reduction="none")
        return raw.detach(), float(((w * losses).sum() / w.sum()).detach())

    raw, loss = expected()
    found = net.validation_step(batch)
    assert not net.module_.training
    assert torch.equal(found["y_pred"], raw)
    assert not found["y_pred"].requires_grad
    assert found["loss"].item() == pytest.approx(loss, rel=1e-12)
    assert net.get_loss(raw, batch[1]).item() == pytest.approx(loss, rel=1e-12)
    assert all(torch.equal(v, before[k]) for k, v in net.module_.state_dict().items())
    done = net.steps_done_
    found = net.train_step(batch)
    assert net.module_.training
    assert net.steps_done_ == done + 1
    assert torch.equal(found["y_pred"], raw)
    assert found["loss"].item() == pytest.approx(loss, rel=1e-12)
    assert not found["loss"].requires_grad
    assert not torch.equal(net.module_.weight, before["weight"])


@LISTEN
def test_a_loss_that_is_a_mean_counts_by_the_rows_of_its_batch(listen):
    """In training and validation; 30 and 11 rows in batches of 8."""
    means = []

    def mean_loss(raw, y):
        loss = nn.functional.cross_entropy(raw, y)
        means.append((loss.item(), len(y)))
        return loss

    valid = predefined_split(data(n=11, seed=5))
    net = build(
        epochs=1, criterion=mean_loss, train_split=valid, callbacks=listeners(listen)
    )
    net.partial_fit(data())
    assert [n for _, n in means] == [8, 8, 8, 6, 8, 3]
    for name, part in (("train_loss", means[:4]), ("valid_loss", means[4:])):
        losses, sizes = zip(*part, strict=True)
        expected = np.average(losses, weights=sizes)
        assert net.history[-1][name] == pytest.approx(expected, rel=1e-9)


class OfBags(nn.Module):
    """The mean over the normalised instances of each bag."""

    def __init__(self):
        super().__init__()
        self.norm = BatchNorm1d(D).double()
        self.head = nn.Linear(D, K).double()

    def forward(self, bags):
        return self.head(bags.segments.mean(self.norm(bags.values)))


@LISTEN
def test_a_bag_of_weight_two_is_the_bag_given_twice(listen):
    """In its loss, and in the statistics of its instances."""
    lengths = [1, 3, 2, 4]
    g = torch.Generator().manual_seed(0)
    values = torch.randn(10, D, generator=g, dtype=torch.float64)
    bags = RaggedTensor(values, torch.tensor(lengths))
    y, weight = torch.tensor([0, 1, 2, 1]), torch.tensor([2, 1, 1, 2])
    twice = torch.repeat_interleave(torch.arange(4), weight)
    weights = []
    for rows, targets in (
        (bags, Targets(y, weight.double())),
        (bags.take(twice), Targets(y[twice])),
    ):
        torch.manual_seed(0)
        net = build(OfBags(), epochs=3, lr=0.5, callbacks=listeners(listen))
        net.partial_fit(TrainingData(rows, targets))
        weights.append(net.module_.state_dict())
        assert net.module_.norm.row_weight is None
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-9, atol=1e-12)


class Doubling(nn.Linear):
    """A second way to compute, and whether the mode was right."""

    modes: list

    def forward(self, x):
        self.modes.append(self.training)
        return super().forward(x)

    def twice(self, x):
        return 2 * self(x)


def test_outputs_of_a_whole_set():
    module = Doubling(D, K).double()
    module.modes = []
    net = build(module, epochs=1)
    net.partial_fit(data())
    assert set(module.modes) == {True}
    module.modes.clear()
    training = data(n=11)
    with torch.no_grad():
        expected = nn.functional.linear(
            training.rows.values, module.weight, module.bias
        )
    for size, calls in ((4, 3), (100, 1)):
        found = net.raw_outputs(training, size)
        assert torch.equal(found, expected)
        assert module.modes == [False] * calls
        module.modes.clear()
    assert torch.equal(net.raw_outputs(training, 4, "twice"), 2 * expected)
    assert not net.module_.training


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_of_the_module_alone(kind):
    seen = []

    class Seen(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            seen.append(out.dtype)
            return out

    training = data()
    single = TrainingData(
        TensorRows(training.rows.values.float()), Targets(training.targets.y)
    )
    net = build(Seen(D, K), epochs=1, amp_dtype=kind)
    net.partial_fit(single)
    assert set(seen) == {kind}
    assert (net.scaler_ is not None) is (kind == torch.float16)
    assert net.raw_outputs(single, 8).dtype == torch.float32
    assert net.module_.weight.dtype == torch.float32


@LISTEN
def test_ctrl_c_in_the_midst_of_a_step_is_told_apart(listen):
    """Weights that are finite stay; others are those of the last good epoch."""

    class Impatient(nn.Module):
        def __init__(self, spoil):
            super().__init__()
            self.calls, self.spoil = 0, spoil

        def forward(self, raw, y):
            self.calls += 1
            if self.calls == 7:
                if self.spoil:
                    with torch.no_grad():
                        net.module_.weight.fill_(torch.nan)
                raise KeyboardInterrupt
            return nn.functional.cross_entropy(raw, y, reduction="none")

    for spoil in (False, True):
        net = build(criterion=Impatient(spoil), callbacks=listeners(listen))
        if spoil:
            with pytest.raises(TrainingDivergedError) as caught:
                net.partial_fit(data())
            assert (caught.value.epoch, caught.value.step) == (2, 4)
        else:
            net.partial_fit(data())
        assert net.interrupted_
        assert torch.isfinite(net.module_.weight).all()


def test_a_training_that_was_not_interrupted_says_so():
    net = build(epochs=1)
    net.partial_fit(data())
    assert net.interrupted_ is False
    assert net.steps_done_ == 4
    assert net.steps_in_epoch_ == 4
    assert net.total_epochs_ == 1
    assert build(epochs=1, epochs_planned=7).partial_fit(data()).total_epochs_ == 7


def test_a_callback_of_skorch_may_end_it_and_a_subclass_answers_for_itself():
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise StopTraining

    class Own(LeanNet):
        pass

    class Sharing(Own):
        shares_batches = True

    assert len(build(epochs=5, callbacks=[Stop()]).partial_fit(data()).history) == 1
    assert LeanNet.shares_batches
    assert not Own.shares_batches
    assert Sharing.shares_batches


def test_batches_are_shuffled_in_training_alone():
    training = data()
    net = build()
    shuffled, in_order = (
        net.get_iterator(training, training=flag) for flag in (True, False)
    )
    assert shuffled.generator is net.generator
    assert in_order.generator is None
    expected = torch.randperm(N, generator=torch.Generator().manual_seed(2))
    order = torch.cat([x for x, _ in shuffled])
    assert torch.equal(order, training.rows.values[expected])
    assert torch.equal(torch.cat([x for x, _ in in_order]), training.rows.values)
    assert not shuffled.copy
    writes = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(D, K)).double()
    net = build(writes)
    assert net.get_iterator(training, training=True).copy
    before = training.rows.values.clone()
    net.partial_fit(training)
    net.raw_outputs(training, 8)
    assert torch.equal(training.rows.values, before)


def test_other_data_sets_are_batched_as_skorch_does():
    x = np.ones((6, D), np.float32)
    net = build(nn.Linear(D, K))
    found = net.get_iterator(net.get_dataset(x, np.zeros(6, int)), training=False)
    assert isinstance(found, torch.utils.data.DataLoader)


# -- generators ------------------------------------------------------------------------


def test_a_forked_process_has_a_lock_of_its_own(monkeypatch):
    held, threads = seeding._LOCK, []
    monkeypatch.setattr(seeding, "_LOCK", held)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    seeding._begin_in_child()
    assert threads == [1]
    assert seeding._LOCK is not held
    with seeding._LOCK, seeding._LOCK:  # a fit within a fit
        pass


@pytest.mark.parametrize(
    ("kind", "forked"), [("cpu", ([], "cuda")), ("cuda", (["x"], "cuda"))]
)
def test_the_generator_of_the_device_is_borrowed_too(monkeypatch, kind, forked):
    calls = []
    device = torch.device(kind, 1) if kind == "cuda" else torch.device(kind)

    class Fork:
        def __init__(self, devices, device_type):
            assert devices == ([device] if forked[0] else [])
            calls.append(device_type)

        def __enter__(self):
            calls.append("in")

        def __exit__(self, *error):
            calls.append("out")

    class On:
        def __init__(self, where):
            calls.append(where)

        __enter__ = __exit__ = lambda self, *error: None

    monkeypatch.setattr(torch.random, "fork_rng", Fork)
    monkeypatch.setattr(torch.cuda, "device", On)
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: calls.append(seed))
    before = torch.get_rng_state()
    with seeding.borrowed_generator(5, device):
        assert torch.initial_seed() == 5
        calls.append("block")
    torch.set_rng_state(before)  # nothing was forked
    on_cuda = [device, 5] if kind == "cuda" else []
    assert calls == [forked[1], "in", *on_cuda, "block", "out"]
