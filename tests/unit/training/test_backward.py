import pytest
import torch
from torch import nn

from mlmi_sklearn.training import backward
from mlmi_sklearn.training.backward import run_backward


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("scalar", [True, False])
def test_gradients_are_those_of_torch(monkeypatch, direct, scalar):
    if not direct:
        monkeypatch.setattr(backward, "_engine_run_backward", None)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x, gradient = torch.randn(6, 3), None if scalar else torch.rand(6)

    def losses():
        rows = net(x).square().squeeze(1)
        return rows.mean() if scalar else rows

    found, expected = [], []
    for run, into in ((run_backward, found), (torch.Tensor.backward, expected)):
        net.zero_grad()
        run(losses(), gradient)
        into += [p.grad for p in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_gradients_add_up_and_the_graph_is_freed():
    x = torch.ones(2, requires_grad=True)
    for _ in range(2):
        y = x.exp()
        run_backward(y, torch.ones(2))
    assert torch.equal(x.grad, 2 * torch.ones(2).exp())
    with pytest.raises(RuntimeError, match="second time"):
        run_backward(y, torch.ones(2))


def test_the_fast_way_is_there():
    """Fails when PyTorch moves its engine: then training is slower, and still right."""
    assert backward._engine_run_backward is not None
