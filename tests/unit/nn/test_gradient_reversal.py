"""Gradient reversal: values, gradients, second derivatives, torch.func."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import grad, hessian, vmap

from mlmi_sklearn.nn.gradient_reversal import GradientReversal, reverse_gradient

F64 = torch.float64
factors = st.floats(0, 1e6) | st.integers(0, 5).map(float)


def loss_of(x):
    return (x.sin() * torch.arange(1.0, x.numel() + 1, dtype=x.dtype)).sum()


@given(seed=st.integers(0, 2**32), factor=factors, n=st.integers(1, 9))
@settings(max_examples=50)
def test_gradient_is_minus_the_factor_times_the_plain_one(seed, factor, n):
    x = torch.randn(n, dtype=F64, generator=torch.Generator().manual_seed(seed))
    x.requires_grad_()
    (plain,) = torch.autograd.grad(loss_of(x), x)
    (reversed_,) = torch.autograd.grad(loss_of(reverse_gradient(x, factor)), x)
    assert torch.equal(reversed_, -factor * plain)


@given(
    values=st.lists(
        st.floats(-1e300, 1e300, allow_subnormal=True), min_size=1, max_size=8
    ),
    factor=factors,
)
@settings(max_examples=50)
def test_values_stay_to_the_last_bit(values, factor):
    x = torch.tensor(values, dtype=F64)
    found = reverse_gradient(x, factor)
    assert torch.equal(found, x)
    assert found is not x


@pytest.mark.parametrize("dtype", [torch.float32, F64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 3, 4)])
def test_any_shape_and_type(dtype, shape):
    x = torch.randn(shape).to(dtype).requires_grad_()
    y = reverse_gradient(x, 2.0)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    y.sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, -2.0))


def test_factor_zero_stops_the_gradient():
    x = torch.randn(3, requires_grad=True)
    (reverse_gradient(x, 0.0).exp().sum() + x.sum()).backward()
    assert (x.grad == 1).all()


def test_reversal_of_a_reversal_is_the_plain_gradient():
    x = torch.randn(3, dtype=F64, requires_grad=True)
    twice = reverse_gradient(reverse_gradient(x, 0.5), 2.0)
    assert torch.equal(
        torch.autograd.grad(loss_of(twice), x)[0], torch.autograd.grad(loss_of(x), x)[0]
    )


def test_only_what_comes_before_is_reversed():
    before, after = torch.nn.Linear(3, 4).double(), torch.nn.Linear(4, 1).double()
    x = torch.randn(5, 3, dtype=F64)
    after(before(x)).square().sum().backward()
    plain = [p.grad.clone() for m in (before, after) for p in m.parameters()]
    before.zero_grad()
    after.zero_grad()
    after(reverse_gradient(before(x), 0.3)).square().sum().backward()
    found = [p.grad for m in (before, after) for p in m.parameters()]
    for k, (a, b) in enumerate(zip(found, plain, strict=True)):
        assert torch.allclose(a, -0.3 * b if k < 2 else b, rtol=1e-12, atol=0)


def test_second_derivatives():
    x = torch.randn(4, dtype=F64, requires_grad=True)
    (first,) = torch.autograd.grad(
        reverse_gradient(x, 0.5).pow(3).sum(), x, create_graph=True
    )
    assert torch.allclose(first, -1.5 * x.square())
    (second,) = torch.autograd.grad(first.sum(), x)
    # The second pass goes through the reversal again.
    assert torch.allclose(second, 0.25 * 6 * x)


def test_functional_transforms_agree_with_autograd():
    x = torch.randn(4, 3, dtype=F64)

    def loss(v):
        return reverse_gradient(v, 0.3).square().sum()

    expected = -0.6 * x
    assert torch.allclose(grad(loss)(x), expected)
    assert torch.allclose(vmap(grad(loss))(x), expected)
    assert torch.allclose(grad(lambda v: vmap(loss)(v).sum())(x), expected)
    assert hessian(loss)(x[0]).shape == (3, 3)


def test_no_gradient_needed():
    x = torch.randn(3)
    assert not reverse_gradient(x).requires_grad
    with torch.no_grad():
        assert not reverse_gradient(x.requires_grad_()).requires_grad


def test_the_input_is_left_alone():
    x = torch.randn(3)
    before = x.clone()
    reverse_gradient(x).mul_(5)
    assert torch.equal(x, before)


def test_layer():
    layer = GradientReversal(0.5)
    assert repr(layer) == "GradientReversal(factor=0.5)"
    assert list(layer.parameters()) == []
    for twin in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        x = torch.ones(2, requires_grad=True)
        twin(x).sum().backward()
        assert x.grad.tolist() == [-0.5, -0.5]
    layer.factor = 2.0
    x = torch.ones(2, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.tolist() == [-2.0, -2.0]


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), "1", None, True])
def test_bad_factors(factor):
    with pytest.raises(ValueError, match="factor must be a number in"):
        GradientReversal(factor)
