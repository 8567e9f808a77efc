"""The cosine head, and entropies of predictions."""

import copy
import math

import pytest
import torch
from torch.autograd import gradcheck

from mlmi_sklearn.nn.functional import log_probabilities, prediction_entropy
from mlmi_sklearn.nn.heads import CosineHead

F64 = torch.float64


def test_scores_are_cosines_over_the_temperature():
    head = CosineHead(3, 2, temperature=0.1).double()
    f = torch.randn(5, 3, dtype=F64)
    found = head(f).detach()
    for i in range(5):
        for k in range(2):
            w = head.prototypes[:, k]
            expected = float(w @ f[i]) / float(f[i].norm()) / 0.1
            assert float(found[i, k]) == pytest.approx(expected, rel=1e-12)


def test_one_output_is_the_difference_of_two_scores():
    head = CosineHead(4, 1).double()
    both = CosineHead(4, 2).double()
    both.load_state_dict(head.state_dict())
    f = torch.randn(6, 4, dtype=F64)
    assert head(f).shape == (6, 1)
    assert head.n_classes == 2
    assert head.prototypes.shape == (4, 2)
    assert torch.allclose(head(f).sigmoid().squeeze(1), both(f).softmax(1)[:, 1])


def test_both_prototypes_of_one_output_learn():
    head = CosineHead(4, 1)
    head(torch.randn(6, 4)).square().sum().backward()
    assert (head.weight.grad.abs().sum(1) > 0).all()


def test_prototypes_have_no_gradient_and_follow_the_weights():
    head = CosineHead(4, 3)
    assert not head.prototypes.requires_grad
    with torch.no_grad():
        head.weight.fill_(2.0)
    assert (head.prototypes == 2).all()


def test_length_of_features_does_not_matter():
    head = CosineHead(4, 3).double()
    f = torch.randn(6, 4, dtype=F64)
    for factor in (1e-8, 3.0, 1e8):
        assert torch.allclose(head(factor * f), head(f), rtol=1e-10)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_gradients_of_the_head(n_outputs):
    head = CosineHead(4, n_outputs).double()
    f = torch.randn(5, 4, dtype=F64, requires_grad=True)
    assert gradcheck(head, f)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_features_of_zero(dtype):
    head = CosineHead(4, 3).to(dtype)
    f = torch.zeros(2, 4, dtype=dtype)
    f[1, 0] = 1e-5
    f.requires_grad_()
    raw = head(f)
    raw.square().sum().backward()
    assert (raw[0] == 0).all()
    assert (f.grad[0] == 0).all()
    assert f.grad.isfinite().all()
    assert head.weight.grad.isfinite().all()


def test_huge_features_stay_finite():
    head = CosineHead(4, 3)
    assert head(torch.full((2, 4), 1e30)).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 2), "in_features must be an integer of at least 1, got 0"),
        ((4, 0), "n_outputs must be an integer of at least 1, got 0"),
        ((4, 2.0), "n_outputs"),
        ((4, 2, 0.0), r"temperature must be a number in \(0, inf\), got 0.0"),
        ((4, 2, -1), "temperature"),
        ((4, 2, math.inf), "temperature"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        CosineHead(*arguments)


def test_repr_and_copy():
    head = CosineHead(4, 3, temperature=0.1)
    assert repr(head) == "CosineHead(4, 3, temperature=0.1)"
    f = torch.randn(2, 4)
    assert torch.equal(copy.deepcopy(head)(f), head(f))


# -- entropies -----------------------------------------------------------------


def test_entropy_is_that_of_the_probabilities():
    raw = torch.randn(7, 4, dtype=F64)
    p = raw.softmax(1)
    assert torch.allclose(prediction_entropy(raw), -(p * p.log()).sum(1))
    p = raw.sigmoid()
    each = -(p * p.log() + (1 - p) * (1 - p).log())
    assert torch.allclose(prediction_entropy(raw, "sigmoid"), each.mean(1))


def test_entropy_of_one_logit_is_that_of_two_scores():
    raw = torch.randn(7, 1, dtype=F64)
    two = torch.cat([torch.zeros_like(raw), raw], 1)
    assert torch.allclose(prediction_entropy(raw), prediction_entropy(two))
    assert torch.allclose(log_probabilities(raw), log_probabilities(two))


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("link", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4, 1e30])
def test_entropies_are_finite_with_finite_gradients(width, link, size):
    raw = (size * torch.randn(6, width)).requires_grad_()
    entropy = prediction_entropy(raw, link)
    log_p = log_probabilities(raw, link)
    (entropy.sum() + log_p.exp().square().sum()).backward()
    assert ((entropy >= 0) & (entropy <= math.log(max(width, 2)) + 1e-6)).all()
    assert log_p.shape == (6, max(width, 2))
    assert log_p.isfinite().all()
    assert torch.allclose(log_p.exp().sum(1), torch.ones(6))
    assert raw.grad.isfinite().all()


def test_entropy_is_differentiable():
    for width, link in ((1, "softmax"), (3, "softmax"), (3, "sigmoid")):
        raw = torch.randn(4, width, dtype=F64, requires_grad=True)
        assert gradcheck(lambda r, link=link: prediction_entropy(r, link), raw)
        assert gradcheck(lambda r, link=link: log_probabilities(r, link), raw)


def test_one_against_the_rest_is_scaled_to_one():
    raw = torch.tensor([[1.0, -2.0, 0.5]], dtype=F64)
    p = raw.sigmoid()
    assert torch.allclose(log_probabilities(raw, "sigmoid").exp(), p / p.sum())
