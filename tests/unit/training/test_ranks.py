"""What ranks tell each other, between threads that stand in for processes."""

import os
import re
import sys
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mlmi_sklearn.exceptions import TrainingDivergedError
from mlmi_sklearn.training import distributed
from mlmi_sklearn.training.distributed import (
    Ranks,
    current_ranks,
    is_main_process,
    separate_fits,
)
from mlmi_sklearn.training.interrupts import StopTraining


@given(start=st.integers(0, 50), n=st.integers(0, 40), size=st.integers(1, 9))
def test_shares_cover_a_batch_and_are_of_one_size(start, n, size):
    shares = [Ranks(rank, size).share(start, start + n) for rank in range(size)]
    assert shares[0][0] == start
    assert shares[-1][1] == start + n
    assert all(one[1] == other[0] for one, other in pairwise(shares))
    sizes = [b - a for a, b in shares]
    assert max(sizes) - min(sizes) <= 1


# -- collectives -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3])
def test_collectives(pretend_ranks, size):
    def talk(ranks):
        r = ranks.rank
        tensors = [torch.full((2,), float(r)), torch.tensor(r + 10)]
        ranks.broadcast_(tensors)
        summed = torch.tensor([1.0, r])
        assert ranks.sum_(summed) is summed
        return {
            "sum": summed.tolist(),
            "same": ranks.same({"rank": r}),
            "each": ranks.each(r * r),
            "broadcast": [t.tolist() for t in tensors],
            "mean": ranks.mean(float(r), r + 1.0),
            "silent": ranks.mean(float("nan") if r else 5.0, 0.0 if r else 2.0),
        }

    ranks = range(size)
    expected = {
        "sum": [size, sum(ranks)],
        "same": {"rank": 0},
        "each": [r * r for r in ranks],
        "broadcast": [[0.0, 0.0], 10],
        "mean": np.average([*ranks], weights=[r + 1 for r in ranks]),
        "silent": 5.0,
    }
    for found in pretend_ranks(size).results(talk):
        assert found.pop("mean") == pytest.approx(expected["mean"])
        assert found == {k: v for k, v in expected.items() if k != "mean"}


def test_gradients_flow_through_a_total(pretend_ranks):
    """The derivative of a sum over ranks of f_r(total) is summed over ranks too."""

    def talk(ranks):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        total = ranks.total(x * (ranks.rank + 1))
        (total * torch.tensor([1.0, 10.0]) * (ranks.rank + 1)).sum().backward()
        return total.tolist(), x.grad.tolist()

    found = pretend_ranks(2).results(talk)
    for rank, (total, gradient) in enumerate(found):
        assert total == [3.0, 6.0]
        # (1 + 2) from both losses, times the factor of this rank.
        assert gradient == [3.0 * (rank + 1), 30.0 * (rank + 1)]


def owners():
    shapes = [(2, 3), (4,), (), (2, 3, 2, 2)]
    made = [nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in shapes]
    last = made[-1].data.to(memory_format=torch.channels_last)
    made[-1] = nn.Parameter(last)
    return made


@pytest.mark.parametrize("size", [2, 3])
def test_gradients_are_added_up_over_ranks(pretend_ranks, size):
    """Without one on some ranks they count as 0; without one on all, as none."""

    def gradients(rank):
        generator = torch.Generator().manual_seed(rank)
        found = [
            torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in owners()
        ]
        found[0] = None
        if rank:
            found[1] = None
        return found

    def talk(ranks):
        mine = owners()
        for p, gradient in zip(mine, gradients(ranks.rank), strict=True):
            p.grad = gradient
        amount = ranks.sum_gradients(mine, torch.tensor(ranks.rank + 0.5))
        return mine, amount

    expected = [
        sum(g for g in column if g is not None)
        if any(g is not None for g in column)
        else None
        for column in zip(*map(gradients, range(size)), strict=True)
    ]
    for mine, amount in pretend_ranks(size).results(talk):
        assert float(amount) == sum(r + 0.5 for r in range(size))
        assert mine[0].grad is None
        for p, wanted in zip(mine[1:], expected[1:], strict=True):
            torch.testing.assert_close(p.grad, wanted, rtol=1e-14, atol=0)
            assert p.grad.shape == p.shape


def test_a_gradient_that_others_alone_have_lies_like_its_parameter(pretend_ranks):
    def talk(ranks):
        last = torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last)
        p = nn.Parameter(last)
        gradient = torch.arange(24.0).reshape(2, 3, 2, 2)
        p.grad = gradient if ranks.rank else None
        ranks.sum_gradients([p], torch.ones(()))
        if not ranks.rank:
            assert p.grad.stride() == p.stride()
        return torch.equal(p.grad, gradient)

    assert pretend_ranks(2).results(talk) == [True, True]


def test_a_rank_that_is_gone_is_told_to_the_others(pretend_ranks):
    def talk(ranks):
        if ranks.rank:
            raise KeyError("lost")
        try:
            ranks.sum_(torch.zeros(1))
        except RuntimeError as error:
            return str(error), distributed._Group.lost
        return None

    (told, lost), other = pretend_ranks(2).run(talk)
    assert isinstance(other, KeyError)
    assert lost == ""  # a broken barrier says nothing
    assert told.startswith("Another rank did not take part in this step of fit (). It")
    assert "with separate_fits():" in told


def test_the_first_line_of_a_failure_is_kept(monkeypatch):
    monkeypatch.setattr(distributed._Group, "lost", None)

    def fail(*args, **keywords):
        raise RuntimeError("timed out\nand much more")

    with pytest.raises(RuntimeError, match=r"step of fit \(timed out\)\. It has"):
        Ranks._together(fail)
    assert distributed._Group.lost == "timed out"

    def other(*args, **keywords):
        raise KeyError("not of the group")

    with pytest.raises(KeyError):
        Ranks._together(other)
    assert distributed._Group.lost == "timed out"


def test_what_differs_between_ranks_is_named_on_all(pretend_ranks):
    def talk(ranks):
        ranks.compare({"lr": 0.1, "rows": [1, 2]})
        with pytest.raises(ValueError, match="The ranks do not fit the same") as caught:
            ranks.compare({"lr": 0.1, "batch_size": 8 + (ranks.rank == 2)})
        return str(caught.value)

    found = pretend_ranks(3).results(talk)
    told = (
        "The ranks do not fit the same: batch_size is 8 on rank 0, 8 on rank 1, 9 on "
        "rank 2. Pass the same data and parameters on all ranks"
    )
    assert len(set(found)) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StopTraining(), None),
        (TrainingDivergedError("it diverged", 1, 1), None),
        (ValueError("of its own"), "ValueError: of its own"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
    ],
)
def test_a_rank_that_leaves_alone_is_out_of_step(error, reason, monkeypatch):
    monkeypatch.setattr(distributed._Group, "lost", None)
    with pytest.raises(type(error)), Ranks(0, 2).in_step():
        raise error
    assert distributed._Group.lost == reason
    with Ranks(0, 2).in_step():
        pass
    assert distributed._Group.lost == reason


def test_the_first_reason_is_the_one_that_is_told(monkeypatch):
    monkeypatch.setattr(distributed._Group, "lost", "the first")
    with pytest.raises(ValueError, match="second"), Ranks(0, 2).in_step():
        raise ValueError("the second")
    assert distributed._Group.lost == "the first"


# -- who takes part --------------------------------------------------------------------


@pytest.fixture
def launched(monkeypatch):
    """Look like rank 1 of 3, whose group PyTorch has formed."""
    state = SimpleNamespace(rank=1, size=3, formed=True, joined=0)
    for name, value in (
        ("RANK", "1"), ("WORLD_SIZE", "3"), ("MASTER_ADDR", "a"), ("MASTER_PORT", "5"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLMI_SKLEARN_RANK", "")
    distributed._claim_rank()

    def join():
        state.joined += 1
        state.formed = True

    dist = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: state.formed,
        get_rank=lambda: state.rank,
        get_world_size=lambda: state.size,
    )
    monkeypatch.setattr(distributed, "dist", dist)
    monkeypatch.setattr(distributed, "_join", join)
    monkeypatch.setattr(distributed._Group, "lost", None)
    monkeypatch.setattr(distributed._Group, "inherited", False)
    state.dist = dist
    return state


def test_a_rank_knows_its_number_and_that_of_all(launched):
    found = current_ranks()
    assert (found.rank, found.size) == (1, 3)
    assert launched.joined == 0
    assert not is_main_process()
    launched.rank = 0
    assert is_main_process()


def test_a_launched_process_joins_at_its_first_fit(launched):
    launched.formed = False
    assert not is_main_process()
    assert launched.joined == 0
    assert current_ranks().size == 3
    assert current_ranks().size == 3
    assert launched.joined == 1


def test_one_process_alone_has_no_ranks(launched, monkeypatch):
    launched.size = 1
    assert current_ranks() is None
    launched.formed = False
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert current_ranks() is None
    assert is_main_process()
    monkeypatch.delenv("WORLD_SIZE")
    assert current_ranks() is None
    assert launched.joined == 0


def test_a_pytorch_without_it_has_no_ranks(launched):
    launched.dist.is_available = lambda: False
    assert current_ranks() is None


def test_a_worker_that_inherits_the_environment_takes_no_part(launched, monkeypatch):
    launched.formed = False
    mark = os.environ["MLMI_SKLEARN_RANK"]
    assert mark == f"{os.getpid()}@1:3:a:5"
    monkeypatch.setenv("MLMI_SKLEARN_RANK", f"1{mark}")  # of another process
    assert current_ranks() is None
    assert is_main_process()
    distributed._claim_rank()  # in the worker: it belongs to its parent
    assert os.environ["MLMI_SKLEARN_RANK"] == f"1{mark}"


def test_another_launch_within_a_rank_is_one_of_its_own(launched, monkeypatch):
    monkeypatch.setenv("MLMI_SKLEARN_RANK", "7@1:3:a:5")
    monkeypatch.setenv("MASTER_PORT", "6")
    distributed._claim_rank()
    assert os.environ["MLMI_SKLEARN_RANK"] == f"{os.getpid()}@1:3:a:6"


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_without_all_of_the_environment_no_process_is_a_rank(
    launched, monkeypatch, name
):
    monkeypatch.setenv("MLMI_SKLEARN_RANK", "")
    monkeypatch.delenv(name)
    distributed._claim_rank()
    assert os.environ["MLMI_SKLEARN_RANK"] == ""


def test_threads_and_forked_children_take_no_part(launched, monkeypatch):
    found = []
    thread = threading.Thread(target=lambda: found.append(current_ranks()))
    thread.start()
    thread.join()
    assert found == [None]
    distributed._forget_group()  # what a forked child does
    assert current_ranks() is None
    launched.formed = False
    distributed._forget_group()
    launched.formed = True
    assert current_ranks().rank == 1


def test_fits_may_be_separate_for_a_while(launched):
    with pytest.raises(KeyError), separate_fits():
        assert current_ranks() is None
        with separate_fits():
            assert current_ranks() is None
        assert current_ranks() is None
        raise KeyError
    assert current_ranks().rank == 1


def test_a_rank_that_was_lost_takes_part_no_more(launched, monkeypatch):
    monkeypatch.setattr(distributed._Group, "lost", "KeyError: gone")
    told = "This rank lost the others in an earlier fit (KeyError: gone), so no fit can"
    with pytest.raises(RuntimeError, match=re.escape(told)):
        current_ranks()
    with separate_fits():
        assert current_ranks() is None


@pytest.fixture
def joining(monkeypatch):
    """Note how the group is formed, on a machine with the given accelerator."""
    calls = []
    dist = SimpleNamespace(
        init_process_group=lambda backend, timeout: calls.append((backend, timeout)),
        get_default_backend_for_device=lambda kind: f"{kind}'s",
    )
    monkeypatch.setattr(distributed, "dist", dist)
    monkeypatch.setattr(torch.cuda, "set_device", lambda n: calls.append(n))
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    monkeypatch.setenv("LOCAL_RANK", "2")

    def join(kind, accelerate=None):
        found = None if kind is None else SimpleNamespace(type=kind)
        monkeypatch.setattr(
            torch.accelerator, "current_accelerator", lambda check_available: found
        )
        monkeypatch.setitem(sys.modules, "accelerate", accelerate)
        calls.clear()
        distributed._join()
        return list(calls)

    return join


PATIENCE = distributed._PATIENCE


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        (None, [("gloo", PATIENCE)]),
        ("cpu", [("gloo", PATIENCE)]),
        ("mps", [("gloo", PATIENCE)]),
        ("cuda", [2, ("cuda's", PATIENCE)]),
        ("xpu", [("xpu's", PATIENCE)]),
    ],
)
def test_without_accelerate_the_group_is_formed_for_the_device(joining, kind, calls):
    assert joining(kind) == calls
    assert PATIENCE.total_seconds() == 600


def test_a_launch_on_cpus_leaves_gpus_alone(joining, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert joining("cuda") == [("gloo", PATIENCE)]
    monkeypatch.delenv("ACCELERATE_USE_CPU")
    monkeypatch.delenv("LOCAL_RANK")
    assert joining("cuda") == [0, ("cuda's", PATIENCE)]


@pytest.mark.parametrize(
    ("kind", "on_cpu"), [(None, True), ("cuda", False), ("mps", True), ("xpu", False)]
)
def test_accelerate_forms_the_group_where_it_is(joining, kind, on_cpu):
    states = []
    package = SimpleNamespace(PartialState=lambda **options: states.append(options))
    assert joining(kind, package) == []
    assert states == [{"cpu": on_cpu, "timeout": PATIENCE}]
