"""A fit of several ranks is the fit of one with batches as large as of all."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from torch import nn

from mlmi_sklearn.exceptions import TrainingDivergedError
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.norms import BatchNorm1d
from mlmi_sklearn.training import shared_fit
from mlmi_sklearn.training.batches import TensorBatches, batch_bounds
from mlmi_sklearn.training.callbacks import EpochScore
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.distributed import Ranks
from mlmi_sklearn.training.interrupts import StopTraining
from mlmi_sklearn.training.losslog import LossLog
from mlmi_sklearn.training.net import LeanNet
from mlmi_sklearn.training.ragged import RaggedTensor
from mlmi_sklearn.training.shared_fit import (
    SharedGradients,
    epoch_mean,
    stop_together,
)
from mlmi_sklearn.training.shares import own_part, share_blocks, silence

D, K, EACH = 4, 3, 6


def data(n=47, weighted=False):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, D, generator=g, dtype=torch.float64)
    y = torch.randint(0, K, (n,), generator=g)
    w = torch.rand(n, generator=g, dtype=torch.float64) if weighted else None
    return TrainingData(TensorRows(x), Targets(y, w))


def build(seed=1):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(D, 5), BatchNorm1d(5), nn.Tanh(), nn.Linear(5, K))
    return net.double()


def train(module, training, batch_size, epochs=3, order=2, kind=LeanNet, **options):
    options = {"callbacks": [], "criterion": CrossEntropy(), "lr": 0.2, **options}
    return kind(
        module,
        max_epochs=epochs,
        batch_size=batch_size,
        optimizer=torch.optim.SGD,
        generator=torch.Generator().manual_seed(order),
        train_split=None,
        verbose=0,
        **options,
    ).initialize()


def weights(net):
    return [t.detach().clone() for t in net.module_.state_dict().values()]


def losses(net, prefix="train"):
    return [row[f"{prefix}_loss"] for row in net.history]


@pytest.mark.parametrize("weighted", [False, True])
# Of 13 rows the last batch has 1, so that most ranks have none of it.
@pytest.mark.parametrize(("size", "n"), [(2, 47), (3, 47), (2, 13), (3, 37)])
def test_the_model_is_that_of_one_process(pretend_ranks, size, n, weighted):
    training = data(n, weighted)
    alone = train(build(), training, EACH * size).partial_fit(training)
    modules = [build(seed) for seed in range(1, size + 1)]

    def fit(ranks):
        # Ranks begin with other weights and another order, and take those of rank 0.
        module = modules[ranks.rank]
        net = train(module, training, EACH, order=2 + ranks.rank)
        return net.partial_fit(training)

    found = pretend_ranks(size).results(fit)
    for net in found:
        assert net.ranks_ is None
        assert net.module_[1].total is None
        assert losses(net) == losses(found[0])
        for ours, first in zip(weights(net), weights(found[0]), strict=True):
            assert torch.equal(ours, first)
        np.testing.assert_allclose(losses(net), losses(alone), rtol=1e-12)
        for ours, theirs in zip(weights(net), weights(alone), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_loss_of_the_whole_batch_counts_by_its_rows(pretend_ranks):
    """The mean of a share is weighted by how many rows it has."""

    def mean_loss(raw, y):
        return nn.functional.cross_entropy(raw, y)

    training = data(20)
    plain = nn.Linear(D, K).double()
    start = {k: v.clone() for k, v in plain.state_dict().items()}
    alone = train(plain, training, 14, criterion=mean_loss).partial_fit(training)
    modules = [nn.Linear(D, K).double() for _ in range(2)]
    for module in modules:
        module.load_state_dict(start)
    found = pretend_ranks(2).results(
        lambda ranks: train(
            modules[ranks.rank], training, 7, criterion=mean_loss
        ).partial_fit(training)
    )
    for net in found:
        for ours, theirs in zip(weights(net), weights(alone), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_validation_is_of_all_rows_on_all_ranks(pretend_ranks):
    training = data()

    def fit(ranks):
        net = train(build(), training, EACH)
        net.set_params(train_split=predefined_split(data(31, weighted=True)))
        net.partial_fit(training)
        with torch.no_grad():
            raw = net.module_.eval()(data(31).rows.values)
        each = nn.functional.cross_entropy(raw, data(31).targets.y, reduction="none")
        return losses(net, "valid"), each

    for found, each in pretend_ranks(2).results(fit):
        weight = data(31, weighted=True).targets.weight
        expected = np.average(each.numpy(), weights=weight.numpy())
        assert found[-1] == pytest.approx(expected, rel=1e-9)


class Stop(Callback):
    """Ends training on one rank, after two epochs."""

    def __init__(self, rank):
        self.rank = rank

    def on_epoch_end(self, net, **kwargs):
        if net.ranks_.rank == self.rank and len(net.history) == 2:
            raise StopTraining


def test_what_stops_one_stops_all(pretend_ranks):
    training = data()
    found = pretend_ranks(3).results(
        lambda ranks: len(
            train(build(), training, EACH, epochs=9, callbacks=[Stop(1)])
            .partial_fit(training)
            .history
        )
    )
    assert found == [2, 2, 2]


def test_a_score_is_that_of_rank_0(pretend_ranks):
    training = data()

    def fit(ranks):
        score = EpochScore("train_score", lambda net: 7.0 + ranks.rank)
        net = train(build(), training, EACH, epochs=2, callbacks=[score])
        return [row["train_score"] for row in net.partial_fit(training).history]

    assert pretend_ranks(2).results(fit) == [[7.0, 7.0]] * 2


def test_divergence_leaves_all_ranks_with_the_same_finite_weights(pretend_ranks):
    training = data()

    class Explode(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, raw, y):
            self.calls += 1
            each = nn.functional.cross_entropy(raw, y, reduction="none")
            return each * (torch.nan if self.calls == 6 else 1)

    def fit(ranks):
        net = train(build(), training, EACH, criterion=Explode())
        with pytest.raises(TrainingDivergedError, match="epoch 2"):
            net.partial_fit(training)
        assert net.ranks_ is None
        return weights(net)

    found = pretend_ranks(2).results(fit)
    for ours, first in zip(*found, strict=True):
        assert torch.equal(ours, first)
        assert torch.isfinite(ours).all()


def test_a_rank_that_fails_is_noticed_by_the_other(pretend_ranks):
    training = data()

    def broken(raw, y):
        raise KeyError("on one rank")

    def fit(ranks):
        criterion = CrossEntropy() if ranks.rank else broken
        train(build(), training, EACH, criterion=criterion).partial_fit(training)

    first, second = pretend_ranks(2).run(fit)
    assert isinstance(first, KeyError)
    assert "Another rank did not take part" in str(second)


# -- what is asked before --------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"lr": 0.3}, "lr is 0.2 on rank 0, 0.3 on rank 1"),
        ({"batch_size": 7}, "batch_size is 6 on rank 0, 7 on rank 1"),
        ({"epochs": 4}, "max_epochs is 3 on rank 0, 4 on rank 1"),
        ({"n": 46}, "the number of rows is 47 on rank 0, 46 on rank 1"),
        ({"x": 1}, "the checksum of some rows is "),
        ({"y": 1}, "the checksum of y and weights is "),
        ({"weighted": True}, "the checksum of y and weights is "),
        ({"module": nn.Linear(D, K).double()}, "the model is [(5, 4), (5,), "),
        ({"kind": "Other"}, "the net is 'LeanNet' on rank 0, 'Other' on rank 1"),
    ],
    ids=lambda change: str(change)[:12],
)
def test_ranks_that_do_not_fit_the_same_are_told(pretend_ranks, change, name):
    class Other(LeanNet):
        shares_batches = True

    def fit(ranks):
        mine = dict(change) if ranks.rank else {}
        training = data(mine.pop("n", 47), mine.pop("weighted", False))
        training.rows.values[0] += mine.pop("x", 0)
        training.targets.y[3] += mine.pop("y", 0)
        kind = Other if mine.pop("kind", None) else LeanNet
        module = mine.pop("module", None) or build()
        size = mine.pop("batch_size", EACH)
        net = train(module, training, size, kind=kind, **mine)
        with pytest.raises(ValueError, match=re.escape(name)):
            net.partial_fit(training)
        return True

    assert pretend_ranks(2).results(fit) == [True, True]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_shared_is_said(pretend_ranks):
    class Own(LeanNet):
        pass

    def fit(ranks):
        told = []
        for net, rows in (
            (train(build(), data(), EACH, kind=Own), data()),
            (train(build(), data(), EACH), np.zeros((3, D))),
            (train(build(), data(), EACH, device="meta"), data()),
        ):
            with pytest.raises(ValueError, match="processes") as caught:
                shared_fit._require_support(net, rows)
            told.append(str(caught.value))
        shared_fit._require_support(train(build(), data(), EACH), data())
        return told

    for own, array, device in pretend_ranks(2).results(fit):
        assert own.startswith("Several processes cannot share a fit of Own. Start one")
        assert array.startswith("Several processes cannot share a fit of LeanNet.")
        assert device.startswith(
            "device='meta': the ranks are connected by 'threads', which moves no "
            "tensors of that device. Pass device='auto', or start the processes"
        )


def test_foreign_normalisation_is_warned_of(pretend_ranks):
    module = nn.Sequential(nn.BatchNorm1d(D), nn.BatchNorm1d(D), BatchNorm1d(D))

    def fit(ranks):
        net = train(module, data(), EACH)
        if ranks.rank:
            return
        told = r"^2 layers of batch normalisation in a module from elsewhere measure"
        with pytest.warns(UserWarning, match=told):
            shared_fit._require_support(net, data())

    pretend_ranks(2).results(fit)


def rows_read(n):
    """Return which of n rows are compared."""
    read = []

    class Rows(TensorRows):
        def narrow(self, start, stop):
            read.append((start, stop))
            return super().narrow(start, stop)

    training = TrainingData(Rows(torch.arange(float(n))), Targets(None))
    found = list(shared_fit._some_rows(training))
    assert [x.tolist() for x in found] == [[float(start)] for start, _ in read]
    assert all(stop == start + 1 for start, stop in read)
    return [start for start, _ in read]


def test_eight_rows_at_most_are_compared():
    assert rows_read(3) == [0, 1, 2]
    assert rows_read(8) == list(range(8))
    assert rows_read(9) == [0, 2, 4, 6, 8]
    assert rows_read(80) == list(range(0, 80, 10))
    assert rows_read(81) == list(range(0, 81, 11))


def test_bags_and_pairs_are_compared_by_their_numbers():
    bags = RaggedTensor(torch.arange(5.0)[:, None], torch.tensor([2, 3]))
    found = shared_fit._some_rows(TrainingData(bags, Targets(None)))
    assert [x.ravel().tolist() for x in found] == [[0.0, 1.0], [2.0, 3.0, 4.0]]

    class Pairs(TensorRows):
        def narrow(self, start, stop):
            return super().narrow(start, stop), "more"

    pairs = TrainingData(Pairs(torch.arange(2.0)), Targets(None))
    assert [x.item() for x in shared_fit._some_rows(pairs)] == [0.0, 1.0]


def test_a_checksum_is_of_all_numbers_in_their_order():
    one, other = torch.arange(3.0), torch.ones(2, dtype=torch.int64)
    known = shared_fit._checksum([one, None, other])
    assert known == shared_fit._checksum([one.clone(), other.clone()])
    assert known != shared_fit._checksum([other, one])
    assert known != shared_fit._checksum([one])
    assert known != shared_fit._checksum([one, other + 1])
    turned = torch.arange(6.0).reshape(2, 3)
    assert shared_fit._checksum([turned.T]) != shared_fit._checksum([turned])
    assert shared_fit._checksum([turned.requires_grad_()]) != 0


def test_only_noise_differs_between_ranks(pretend_ranks, monkeypatch):
    seeds = {}
    world = pretend_ranks(3)

    def noted(seed, device):
        seeds[world.own.ranks.rank] = (seed, device)

    monkeypatch.setattr(shared_fit, "seed_generators", noted)
    torch.manual_seed(40)

    def start(ranks):
        net = SimpleNamespace(
            module_=nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)),
            generator=torch.Generator().manual_seed(ranks.rank),
            device="cpu",
        )
        shared_fit._start_alike(net, ranks)
        quiet = SimpleNamespace(module_=nn.Linear(1, 1), generator=None, device="cpu")
        shared_fit._start_alike(quiet, ranks)
        return net.generator.initial_seed(), net.module_[0].weight.tolist()

    (first, weight), *others = world.results(start)
    assert all(other == (first, weight) for other in others)
    assert first == 0
    cpu = torch.device("cpu")
    assert seeds == {1: (41, cpu), 2: (42, cpu)}


# -- derivatives and means -------------------------------------------------------------


def test_derivatives_are_weights_on_the_scale_of_a_mean():
    gradients = SharedGradients(Ranks(0, 2), 4)
    losses_ = torch.zeros(3, dtype=torch.float64)
    assert gradients(losses_, None).tolist() == [0.25] * 3
    assert gradients.amount.item() == 0.75
    found = gradients(losses_, torch.tensor([1.0, 0.0, 3.0]))
    assert found.tolist() == [0.25, 0.0, 0.75]
    assert found.dtype == torch.float64
    assert gradients.amount.item() == 1.0
    # A scalar is the mean over rows, so it counts as much as they do together.
    assert gradients(torch.zeros(()), torch.tensor([1.0, 5.0])).item() == 1.5
    assert gradients.amount.item() == 1.5
    assert gradients(torch.zeros(()), None).item() == 0.25


def test_gradients_are_averaged_over_the_rows_of_all_ranks(pretend_ranks):
    def talk(ranks):
        p, unused = (nn.Parameter(torch.zeros(2)) for _ in range(2))
        gradients = SharedGradients(ranks, 2)
        gradients(torch.zeros(2), torch.tensor([1.0, 1.0 + ranks.rank]))
        p.grad = torch.tensor([1.0, 2.0]) * (ranks.rank + 1)
        gradients.average([p, unused])
        return p.grad.tolist(), unused.grad

    for gradient, unused in pretend_ranks(2).results(talk):
        # Sums 3 and 6; the rows of both weigh (2 + 3) / 2.
        assert gradient == pytest.approx([3 / 2.5, 6 / 2.5])
        assert unused is None


@pytest.mark.parametrize("training", [True, False])
def test_the_loss_of_an_epoch_is_one_number(pretend_ranks, training):
    def talk(ranks):
        log = LossLog()
        values = torch.tensor([1.0, 2.0, 6.0])[: ranks.rank + 1]
        log.add(values, None, len(values))
        return epoch_mean(ranks, log, training)

    found = pretend_ranks(3).results(talk)
    # Shares (1), (1, 2) and (1, 2, 6), or what rank 0 has.
    assert found == pytest.approx([13 / 6 if training else 1.0] * 3)


def test_callbacks_are_asked_together_at_the_end_of_an_epoch_alone(pretend_ranks):
    for event in ("on_epoch_begin", "on_train_end"):
        with stop_together(Ranks(0, 2), event):  # nobody else is asked
            pass
        with pytest.raises(StopTraining), stop_together(Ranks(0, 2), event):
            raise StopTraining
    own = StopTraining()
    with pytest.raises(StopTraining) as caught, stop_together(None, "on_epoch_end"):
        raise own
    assert caught.value is own

    def talk(ranks):
        asked = StopTraining(f"of rank {ranks.rank}")
        try:
            with stop_together(ranks, "on_epoch_end"):
                if ranks.rank == 1:
                    raise asked
        except StopTraining as stop:
            return str(stop)
        return None

    assert pretend_ranks(3).results(talk) == ["", "of rank 1", ""]

    def nobody(ranks):
        with stop_together(ranks, "on_epoch_end"):
            return "went on"

    assert pretend_ranks(2).results(nobody) == ["went on"] * 2


def test_only_what_was_measured_is_averaged(pretend_ranks):
    def talk(ranks):
        module = nn.BatchNorm1d(2)
        module.running_mean.fill_(ranks.rank)
        module.running_var.fill_(3.0 * ranks.rank)
        module.num_batches_tracked.fill_(7)
        shared_fit._share_buffers(module, ranks)
        return [b.tolist() for b in module.buffers()]

    assert pretend_ranks(3).results(talk) == [[[1.0] * 2, [3.0] * 2, 7]] * 3


# -- shares of batches -----------------------------------------------------------------


@given(n=st.integers(1, 40), each=st.integers(1, 6), size=st.integers(1, 5))
def test_own_parts_make_the_batches_together(n, each, size):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
    bounds = batch_bounds(n, each * size)
    parts = [own_part(order, bounds, Ranks(r, size)) for r in range(size)]
    for number, (start, stop) in enumerate(bounds):
        together = []
        for rank, (rows, own) in enumerate(parts):
            a, b = own[number]
            first, last = Ranks(rank, size).share(start, stop)
            assert b - a == max(last - first, 1)  # nobody is left without a row
            together += rows[a:b].tolist() if last > first else []
        assert together == order[start:stop].tolist()
    for rows, own in parts:
        assert own[0][0] == 0
        assert own[-1][1] == len(rows)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_that_stand_in_weigh_nothing(weighted):
    """Seven rows in batches of three ranks: the last has one row, for rank 2."""
    weight = torch.tensor([1.0, 2, 3, 4, 5, 6, 7]) if weighted else None
    training = TrainingData(
        TensorRows(torch.arange(7.0)), Targets(torch.arange(7), weight)
    )
    counted, order = [], torch.tensor([6, 5, 4, 3, 2, 0, 1])
    for rank in range(3):
        batches = TensorBatches(
            training, 1, shuffle=True, order=lambda: order, ranks=Ranks(rank, 3)
        )
        assert len(batches) == 2
        found = list(batches)
        assert [len(x) for x, _ in found] == [1, 2 if rank == 2 else 1]
        for x, targets in found:
            assert torch.equal(targets.y, x.long())
            assert targets.weight is None or len(targets.weight) == len(x)
            if targets.weight is not None:
                counted += x[targets.weight > 0].tolist()
            else:
                counted += x.tolist()
    assert sorted(counted) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("weighted", [False, True])
def test_silence_is_for_empty_shares_alone(weighted):
    def batches(*sizes):
        for n in sizes:
            weight = torch.full((n,), 3.0) if weighted else None
            yield torch.ones(n), Targets(torch.ones(n), weight)

    ranks = Ranks(0, 2)
    full = list(silence(batches(2, 1), [(0, 4), (4, 6)], ranks))
    assert [t.weight is None for _, t in full] == [not weighted] * 2
    mixed = list(silence(batches(2, 1), [(0, 4), (4, 5)], ranks))
    one = 3.0 if weighted else 1.0
    assert [t.weight.tolist() for _, t in mixed] == [[one, one], [0.0]]
    assert all(t.y.tolist() == [1.0] * len(x) for x, t in mixed)


@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_are_shared_as_they_are_read(weighted):
    weight = torch.arange(1.0, 6.0) if weighted else None
    blocks = [
        (torch.arange(5.0), Targets(torch.arange(5), weight)),
        (torch.tensor([9.0]), Targets(torch.tensor([9]), None)),
    ]
    first, second = (list(share_blocks(iter(blocks), Ranks(r, 2))) for r in range(2))
    assert [x.tolist() for x, _ in first] == [[0.0, 1.0], [9.0]]
    assert [x.tolist() for x, _ in second] == [[2.0, 3.0, 4.0], [9.0]]
    assert second[0][1].y.tolist() == [2, 3, 4]
    if weighted:
        assert second[0][1].weight.tolist() == [3.0, 4.0, 5.0]
    assert first[1][1].weight.tolist() == [0.0]
    assert first[1][1].y.tolist() == [9]
    assert second[1][1].weight is None


def test_a_rank_without_rows_of_a_block_has_one_that_weighs_nothing():
    """Two rows for three ranks: the first has none of them."""
    block = (torch.tensor([[4.0], [5.0]]), Targets(torch.tensor([4, 5])))
    for rank, (row, weight) in enumerate(((4, [0.0]), (4, None), (5, None))):
        [(x, targets)] = share_blocks(iter([block]), Ranks(rank, 3))
        assert x.tolist() == [[float(row)]]
        assert targets.y.tolist() == [row]
        found = targets.weight
        assert (None if found is None else found.tolist()) == weight


def test_without_targets_nobody_can_stand_in():
    blocks = [(torch.ones(1), Targets(None, None))]
    told = "Several processes cannot share batches without targets that are smaller"
    with pytest.raises(ValueError, match=told):
        list(share_blocks(iter(blocks), Ranks(0, 2)))
