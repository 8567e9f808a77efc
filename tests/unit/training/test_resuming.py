"""What changes in a training is written down, and put back in place."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn.training.resuming import (
    Resumable,
    StateError,
    capture,
    restore,
    restore_training,
    training_state,
)


class Told:
    """An object that says itself what changes in it."""

    def __init__(self, state=0):
        self.state = state

    def training_state(self):
        return {"kept": self.state}

    def load_training_state(self, state):
        self.state = state["kept"]


class Part(nn.Module):
    """Weights, a buffer that a state_dict leaves out, and a generator of its own."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(2, 2)
        self.register_buffer("hidden", torch.full((2,), float(seed)), persistent=False)
        self.noise = torch.Generator().manual_seed(seed)
        self.dice = np.random.default_rng(seed)
        self.own = torch.optim.SGD(self.linear.parameters(), lr=0.1 * seed)
        self.width = 3


def equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return one == other


@pytest.mark.parametrize("value", [True, 3, 0.5, "x", None, np.float32(2)])
def test_plain_values_stand_for_themselves(value):
    assert capture(value) is value
    for old in (None, 7, "text", np.zeros(2), [1]):
        assert restore(old, value) is value


def test_containers_are_captured_item_by_item():
    tensor = torch.arange(3.0, requires_grad=True)
    value = {"a": [1, (tensor, None)], 2: {"b": "x"}}
    state = capture(value)
    assert equal(state, value)
    kept = state["a"][1][0]
    assert type(state["a"][1]) is tuple
    assert not kept.requires_grad
    assert kept.data_ptr() != tensor.data_ptr()
    again = restore({"a": [], 2: {}}, state)
    assert equal(again, value)


def test_generators_go_on_where_they_were():
    one, dice = torch.Generator().manual_seed(1), np.random.default_rng(1)
    torch.rand(5, generator=one)
    dice.random(5)
    state = capture([one, dice])
    expected = torch.rand(3, generator=one), dice.random(3)
    other, more = torch.Generator(), np.random.default_rng(9)
    assert restore(other, state[0]) is other
    assert restore(more, state[1]) is more
    assert torch.equal(torch.rand(3, generator=other), expected[0])
    assert more.random(3).tolist() == expected[1].tolist()


def test_a_module_comes_back_with_all_that_changes_in_it():
    module, other = (nn.Sequential(nn.ReLU(), Part(seed)) for seed in (1, 2))
    x = torch.ones(1, 2)
    module[1].linear(x).sum().backward()
    module[1].own.step()
    state = capture(module)
    assert sorted(state["others"]) == ["1.dice", "1.noise", "1.own"]
    assert sorted(state["tensors"]) == ["1.hidden", "1.linear.bias", "1.linear.weight"]
    addresses = [p.data_ptr() for p in other.parameters()]
    assert restore(other, state) is other
    assert [p.data_ptr() for p in other.parameters()] == addresses  # in place
    assert equal(capture(other), state)
    assert torch.equal(other[1].linear(x), module[1].linear(x))
    assert other[1].hidden.tolist() == [1.0, 1.0]
    assert other[1].own.param_groups[0]["lr"] == 0.1
    assert other[1].noise.initial_seed() == 1


def test_an_optimizer_goes_on_with_its_moments():
    def start():
        torch.manual_seed(0)
        module = nn.Linear(2, 1)
        return module, torch.optim.AdamW(module.parameters(), lr=0.1)

    def step(module, optimizer):
        optimizer.zero_grad()
        module(torch.ones(3, 2)).square().sum().backward()
        optimizer.step()

    module, optimizer = start()
    step(module, optimizer)
    state = capture([module, optimizer])
    step(module, optimizer)
    other, fresh = start()
    restore(other, state[0])
    restore(fresh, state[1])
    step(other, fresh)
    assert equal(capture([other, fresh]), capture([module, optimizer]))


def test_objects_may_say_what_changes_in_them():
    told = Told(5)
    state = capture(told)
    assert state == {"kept": 5}
    other = Told()
    assert restore(other, state) is other
    assert other.state == 5


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "x is a object"),
        ([1, {2}], "x is a set"),
        ({"a": {"b": object()}}, "x['a']['b'] is a object"),
        (iter([]), "x is a list_iterator"),
    ],
)
def test_what_cannot_be_written_down_is_named(value, name):
    with pytest.raises(StateError) as caught:
        capture(value, "x")
    assert str(caught.value) == name


def test_tensors_are_set_anew_on_the_device_of_the_old():
    old = torch.zeros(2, device="meta")
    assert restore(old, torch.ones(2)).device.type == "meta"
    new = torch.ones(3)
    assert restore(torch.zeros(2), new) is new


class Noting:
    """As callbacks of skorch: what ends in an underscore was noted."""

    def __init__(self):
        self.option = 3

    def start(self, value):
        self.best_, self.waited_, self._hidden_ = torch.tensor(value), 2, object()
        self.kind_, self.score_ = dict, len_of
        return self


def len_of(x):
    return len(x)


class Rows(list):
    """A history."""


def net(seed, borrows=True, loss=None):
    made = SimpleNamespace(
        changes=Resumable.changes,
        module_=Part(seed),
        criterion_=loss,
        optimizer_=None,
        generator=torch.Generator().manual_seed(seed),
        scaler_=None,
        best_losses_={"train_loss": float(seed)},
        steps_done_=seed,
        history=Rows({"epoch": i, "loss": seed} for i in range(seed)),
        callbacks_=[("a", Noting().start(float(seed))), ("b", Told(seed))],
        borrows_generator_=borrows,
        device="cpu",
    )
    made.optimizer_ = torch.optim.AdamW(made.module_.parameters(), lr=0.1 * seed)
    return made


def test_a_whole_training_goes_on_in_another_net():
    torch.manual_seed(77)
    torch.rand(3)
    first = net(4)
    torch.manual_seed(77)
    torch.rand(3)
    state = training_state(first)
    drawn = torch.rand(4)
    assert sorted(state) == sorted(
        [
            *Resumable.changes[:1],
            *Resumable.changes[2:],
            "history",
            "callbacks",
            "noise",
        ]
    )
    assert state["callbacks"] == [
        {"best_": torch.tensor(4.0), "waited_": 2}, {"kept": 4},
    ]  # fmt: skip
    assert state["history"] == [{"epoch": i, "loss": 4} for i in range(4)]
    assert all(type(row) is dict for row in state["history"])
    second = net(1)
    second.history.clear()
    second.callbacks_[0][1].kind_ = "its own"
    del second.callbacks_[0][1].best_
    restore_training(second, state)
    assert torch.equal(torch.rand(4), drawn)
    assert second.steps_done_ == 4
    assert second.best_losses_ == {"train_loss": 4.0}
    assert second.optimizer_.param_groups[0]["lr"] == 0.4
    assert second.generator.initial_seed() == 4
    assert second.scaler_ is None
    assert second.callbacks_[0][1].best_ == 4.0
    assert second.callbacks_[0][1].waited_ == 2
    assert second.callbacks_[0][1].kind_ == "its own"
    assert second.callbacks_[1][1].state == 4
    assert second.history == first.history
    assert equal(capture(second.module_), capture(first.module_))


def test_only_those_who_borrow_the_global_generator_note_it():
    state = training_state(net(1, borrows=False))
    assert "noise" not in state
    torch.manual_seed(3)
    other = net(2, borrows=False)
    torch.manual_seed(3)
    restore_training(other, state)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(expected, torch.rand(2))


def test_the_generator_of_a_gpu_is_noted_and_restored(monkeypatch):
    calls, state = [], torch.arange(3)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: (state, device)[0])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *args: calls.append(args))
    other = net(1)
    other.device = "cuda:1"
    noted = training_state(other)["noise"]
    assert noted[1] is state
    torch.manual_seed(3)
    noted[0] = torch.get_rng_state()
    torch.rand(3)
    fresh = net(1)
    fresh.device = "cuda:1"
    restore_training(fresh, {**training_state(net(1)), "noise": noted})
    assert calls == [(state, torch.device("cuda:1"))]
    assert torch.initial_seed() == 3
    assert len(training_state(net(1))["noise"]) == 1


def test_a_loss_with_weights_changes_and_a_function_does_not():
    loss = nn.PReLU()
    state = training_state(net(1, loss=loss))
    assert state["criterion_"]["tensors"]["weight"].tolist() == [0.25]
    other = nn.PReLU(init=3.0)
    second = net(1, loss=other)
    restore_training(second, state)
    assert second.criterion_ is other
    assert other.weight.tolist() == [0.25]
    assert "criterion_" not in training_state(net(1, loss=len_of))


def test_a_net_takes_up_the_state_of_another():
    state = training_state(net(4, borrows=False))
    found = Resumable()
    vars(found).update(vars(net(1, borrows=False)))
    found.history.clear()
    found.take_up(state)
    assert found.steps_done_ == 4
    assert len(found.history) == 4
    assert equal(capture(found.module_), state["module_"])


def test_as_many_callbacks_must_be_there():
    state = training_state(net(1))
    other = net(1)
    other.callbacks_.pop()
    with pytest.raises(ValueError, match="zip"):
        restore_training(other, state)


def test_what_a_callback_keeps_is_named():
    broken = net(1)
    broken.callbacks_[0][1].file_ = object()
    with pytest.raises(StateError, match=r"^Noting\.file_ is a object$"):
        training_state(broken)
    broken = net(1)
    broken.steps_done_ = object()
    with pytest.raises(StateError, match=r"^steps_done_ is a object$"):
        training_state(broken)


def test_a_state_is_taken_up_once_before_the_first_epoch():
    begun = []

    class Base:
        def on_epoch_begin(self, net, *args, **kwargs):
            begun.append((net, args, kwargs))

    class Net(Resumable, Base):
        def take_up(self, state):
            begun.append(state)

    found = Net()
    found.on_epoch_begin(found, 1, key=2)
    assert begun == [(found, (1,), {"key": 2})]
    begun.clear()
    found.saved_ = {"state": 1}
    found.on_epoch_begin(found)
    found.on_epoch_begin(found)
    assert begun == [{"state": 1}, (found, (), {}), (found, (), {})]
    assert found.saved_ is None
