import pytest
import torch

from mlmi_sklearn.nn.functional import tanh


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
