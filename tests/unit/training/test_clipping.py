"""Clipping of gradients agrees with PyTorch's own."""

import pytest
import torch

from mlmi_sklearn.training.clipping import clip_gradients


def parameters(scale):
    generator = torch.Generator().manual_seed(0)
    made = []
    for shape in ((3, 2), (4,), ()):
        p = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        p.grad = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        made.append(p)
    return made


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_gradients_are_those_of_pytorch(scale):
    ours, theirs = parameters(scale), parameters(scale)
    clip_gradients(ours, 1.0)
    torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-12, atol=0)


def test_short_gradients_are_left_alone():
    ours, before = parameters(1e-3), parameters(1e-3)
    clip_gradients(ours, 1.0)
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours, before, strict=True))


def test_parameters_without_a_gradient_are_skipped():
    clip_gradients([torch.zeros(2, requires_grad=True)], 1.0)
    mixed = [torch.zeros(2, requires_grad=True), *parameters(1e3)]
    clip_gradients(mixed, 1.0)
    assert mixed[0].grad is None
    total = sum(float(p.grad.square().sum()) for p in mixed[1:])
    assert total == pytest.approx(1.0, rel=1e-5)
