"""How much a file may make a net take is counted before it is taken."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mlmi_sklearn.exceptions import PersistenceError
from mlmi_sklearn.persistence.guard import _Budget, limited_allocations
from mlmi_sklearn.persistence.objects import _restore_net

TOO_LARGE = "far larger than the weights that it holds"
MADE = {
    "zeros": lambda: torch.zeros(3, 4),
    "ones": lambda: torch.ones(5),
    "scalar": lambda: torch.zeros(()),
    "nothing": lambda: torch.empty(2, 0, 3),
    "full": lambda: torch.full((2, 3), 1.0),
    "rand": lambda: torch.rand(7),
    "randn": lambda: torch.randn(2, 2, dtype=torch.float64),
    "randint": lambda: torch.randint(5, (3,)),
    "strided": lambda: torch.empty_strided((3, 4), (1, 3)),
    "eye": lambda: torch.eye(4),
    "eye of two sizes": lambda: torch.eye(3, 5),
    "linspace": lambda: torch.linspace(0, 1, 9),
    "linspace by name": lambda: torch.linspace(0, 1, steps=9),
    "logspace": lambda: torch.logspace(0, 1, steps=6),
    "randperm": lambda: torch.randperm(6),
    "arange": lambda: torch.arange(7),
    "arange from": lambda: torch.arange(2, 9),
    "arange with a step": lambda: torch.arange(1, 11, 3),
    "arange backwards": lambda: torch.arange(9, 0, -2),
    "arange of floats": lambda: torch.arange(0.5, 1.6, 0.25),
    "empty arange": lambda: torch.arange(0),
}


@pytest.mark.parametrize("make", MADE.values(), ids=list(MADE))
def test_every_new_element_is_counted(make):
    with _Budget(10**6, 10**6) as budget:
        made = make()
    assert 10**6 - budget.elements == made.numel()
    assert 10**6 - budget.operations == 1


def test_new_tensors_like_others_are_counted_by_their_size():
    like = torch.zeros(2)
    with _Budget(100, 100) as budget:
        like.new_zeros(3, 4)
        like.new_full((5,), 1.0)
    assert budget.elements == 100 - 12 - 5


def test_arithmetic_makes_nothing_out_of_nothing():
    with _Budget(0, 4):
        x = torch.ones(0)
        y = x.add(1).mul(x)
    assert y.shape == (0,)


def test_results_are_those_without_a_budget():
    with _Budget(100, 100):
        found = torch.full((2,), 3, dtype=torch.int16).add(2, alpha=2)
    assert torch.equal(found, torch.tensor([7, 7], dtype=torch.int16))
    assert found.dtype == torch.int16


def test_the_last_element_is_allowed_and_the_next_is_not():
    with _Budget(12, 100), pytest.raises(PersistenceError, match=TOO_LARGE):
        torch.zeros(3, 4)
        torch.zeros(1)
    with _Budget(11, 100), pytest.raises(PersistenceError, match=TOO_LARGE):
        torch.zeros(3, 4)


def test_the_last_operation_is_allowed_and_the_next_is_not():
    done = 0
    with _Budget(100, 3), pytest.raises(PersistenceError, match=TOO_LARGE):
        for _ in range(5):
            torch.zeros(1)
            done += 1
    assert done == 3


def test_a_net_may_be_as_large_as_its_weights_call_for():
    """Sixteen million elements, and twenty for each of the weights."""
    weights = [np.zeros((10, 20)), np.zeros(50, np.float32)]
    allowed = 2**24 + 20 * 250
    with limited_allocations(weights):
        torch.empty(allowed, dtype=torch.bool)
        with pytest.raises(PersistenceError, match=TOO_LARGE):
            torch.empty(1)
    with limited_allocations(iter([])):
        torch.empty(2**24, dtype=torch.bool)
        with pytest.raises(PersistenceError, match=TOO_LARGE):
            torch.empty(1)
    assert torch.empty(1).shape == (1,)  # no limit any more


def test_a_net_may_have_as_many_layers_as_its_weights_call_for():
    """Ten thousand operations, and a thousand for each of the weights."""
    x, done = torch.zeros(1), 0
    with (
        limited_allocations([np.zeros(1)] * 2),
        pytest.raises(PersistenceError, match=TOO_LARGE),
    ):
        while done < 20_000:
            x.neg_()
            done += 1
    assert done == 12_000


@pytest.mark.parametrize(
    ("device", "state", "expected"),
    [
        (None, {"device": "cuda"}, {"device": "cuda"}),
        ("cpu", {"device": "auto"}, {"device": "cpu"}),
        (
            "cuda:1",
            {"device": "cuda", "device_": "cuda:0", "net_": {}},
            {"device": "cuda:1", "device_": "cuda:1", "net_": {}},
        ),
        (
            None,
            {"device": "cuda", "device_": "cuda:0", "net_": None},
            {"device": "cuda", "device_": "cuda:0", "net_": None},
        ),
    ],
)
def test_a_net_is_told_where_to_go_before_it_is_made(device, state, expected):
    told = []
    made = SimpleNamespace(__setstate__=told.append)
    _restore_net(made, state, device)
    assert told == [expected]


def test_a_net_is_made_of_no_more_than_its_weights():
    def build(state):
        torch.empty(2**24 + 20 * state["net_"]["w"].size + 1, dtype=torch.bool)

    made = SimpleNamespace(__setstate__=build)
    with pytest.raises(PersistenceError, match=TOO_LARGE):
        _restore_net(made, {"net_": {"w": np.zeros(3)}}, None)
    told = r"^weights of a net are not arrays\.$"
    for weights in ({"w": 1}, {"w": np.zeros(1), "v": [0.0]}):
        with pytest.raises(PersistenceError, match=told):
            _restore_net(made, {"net_": weights}, None)
