"""Properties of the built-in losses for any scores, however large."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn.nn.losses import (
    BCE,
    MSE,
    CrossEntropy,
    Focal,
    GeneralisedCrossEntropy,
    Hinge,
    Huber,
    Quantile,
    SmoothL1,
)

SOFTMAX = [
    CrossEntropy(),
    CrossEntropy(label_smoothing=0.2),
    Focal(),
    Focal(gamma=0.3, alpha=0.25),
    GeneralisedCrossEntropy(),
]
# Smoothing punishes confidence on purpose.
UNSMOOTHED = [loss for loss in SOFTMAX if not getattr(loss, "label_smoothing", 0)]
OTHERS = [BCE(), Hinge(), Hinge(squared=True)]
REGRESSION = [MSE(), Huber(), SmoothL1(), Quantile(0.3)]


def name(loss):
    """Name a loss in test identifiers."""
    return type(loss).__name__


scores = st.floats(-1e4, 1e4, width=32)
columns = st.lists(scores, min_size=1, max_size=6)


@pytest.mark.parametrize("loss", SOFTMAX, ids=name)
@given(logits=columns, label=st.integers(0, 1))
def test_one_logit_is_a_softmax_over_zero_and_the_logit(loss, logits, label):
    raw = torch.tensor(logits, dtype=torch.float64).unsqueeze(1)
    target = torch.full((len(logits),), label)
    pair = torch.cat((torch.zeros_like(raw), raw), 1)
    torch.testing.assert_close(loss(raw, target), loss(pair, target))


@pytest.mark.parametrize("loss", [*SOFTMAX[:3], SOFTMAX[4], *OTHERS], ids=name)
@given(logits=st.lists(scores, min_size=2, max_size=6), data=st.data())
def test_losses_and_gradients_are_finite(loss, logits, data):
    raw = torch.tensor([logits], requires_grad=True)
    code = data.draw(st.integers(0, len(logits) - 1))
    value = loss(raw, torch.tensor([code]))
    value.sum().backward()
    assert (value >= 0).all()
    assert torch.isfinite(value).all()
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("loss", [*SOFTMAX[:3], SOFTMAX[4]], ids=name)
@given(
    logits=st.lists(st.floats(-30, 30), min_size=2, max_size=6),
    shift=st.floats(-50, 50),
)
def test_a_softmax_does_not_see_a_common_shift(loss, logits, shift):
    raw = torch.tensor([logits], dtype=torch.float64)
    target = torch.tensor([0])
    torch.testing.assert_close(
        loss(raw + shift, target), loss(raw, target), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("loss", [*UNSMOOTHED, *OTHERS], ids=name)
@given(logit=st.floats(-20, 20), step=st.floats(0, 5))
def test_a_higher_score_of_the_true_class_never_costs_more(loss, logit, step):
    raw = torch.tensor([[logit], [logit + step]], dtype=torch.float64)
    low, high = loss(raw, torch.tensor([1, 1]))
    assert high <= low + 1e-12


@pytest.mark.parametrize("loss", REGRESSION, ids=name)
@given(values=columns, data=st.data())
def test_regression_losses_vanish_only_at_the_target(loss, values, data):
    target = torch.tensor(values, dtype=torch.float64)
    assert (loss(target.unsqueeze(1), target) == 0).all()
    error = data.draw(st.floats(1e-3, 1e3)) * data.draw(st.sampled_from([-1, 1]))
    assert (loss((target + error).unsqueeze(1), target) > 0).all()
