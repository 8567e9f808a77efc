import pytest
import torch

from mlmi_sklearn.nn import functional
from mlmi_sklearn.nn.functional import tanh

pytestmark = pytest.mark.usefixtures("by_sigmoid")


@pytest.fixture(params=[True, False])
def by_sigmoid(request, monkeypatch):
    """Take either way on any processor."""
    monkeypatch.setattr(functional, "_QUICK", not request.param)
    return request.param


def test_large_tensors_go_through_the_sigmoid_where_that_is_quicker(by_sigmoid):
    assert type(tanh(torch.zeros(40_000, requires_grad=True)).grad_fn).__name__ == (
        "_TanhBackward" if by_sigmoid else "TanhBackward0"
    )
    assert type(tanh(torch.zeros(9, requires_grad=True)).grad_fn).__name__ == (
        "TanhBackward0"
    )


@pytest.mark.parametrize(
    ("name", "with_mkl", "quick"),
    [("Intel Xeon", True, True), ("Intel Xeon", False, False), ("AMD", True, False)],
)
def test_its_own_tanh_is_quick_where_mkl_runs_on_intel(
    name, with_mkl, quick, monkeypatch
):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"cpu_name": name}, raising=False
    )
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: with_mkl)
    assert functional._has_quick_tanh() is quick


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_tanh_and_its_derivatives(dtype):
    x = torch.linspace(-50, 50, 40_001).to(dtype).requires_grad_()
    reference = x.detach().clone().requires_grad_()
    for given, function in ((x, tanh), (reference, torch.tanh)):
        function(given).sum().backward()
    assert tanh(x).dtype == dtype
    assert torch.allclose(tanh(x), torch.tanh(x), rtol=0, atol=2e-7)
    assert torch.allclose(x.grad, reference.grad, rtol=0, atol=5e-7)


def test_tanh_can_be_differentiated_twice_and_mapped():
    x = torch.randn(2, 40_000)

    def second_derivative(function):
        def total(v):
            return function(v).sum()

        def slope(v):
            return torch.func.grad(total)(v).sum()

        return torch.func.vmap(torch.func.grad(slope))(x)

    expected = second_derivative(torch.tanh)
    assert torch.allclose(second_derivative(tanh), expected, atol=1e-6)


def test_tanh_leaves_its_input_alone():
    x = torch.randn(40_000)
    before = x.clone()
    tanh(x)
    assert torch.equal(x, before)
