"""Adversarial losses for any scores: closed forms, directions, finite extremes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_expit

from mlmi_sklearn.nn.adversarial import (
    AuxiliaryClassifier,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    WassersteinGP,
    gradient_penalty,
    objective,
    r1_penalty,
)


def name(loss):
    """Name a loss in test identifiers."""
    return type(loss).__name__


LOSSES = [
    Minimax(),
    NonSaturating(),
    NonSaturating(smoothing=0.1),
    LeastSquares(),
    Hinge(),
    WassersteinGP(),
    AuxiliaryClassifier(),
]
losses = pytest.mark.parametrize("loss", LOSSES, ids=name)
scores = st.lists(st.floats(-30, 30), min_size=1, max_size=6)
extreme = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=6)


def both(real, fake):
    """Objectives of the log losses by numpy: minimax, then the non-saturating one."""
    j_d = -0.5 * log_expit(real).mean() - 0.5 * log_expit(-fake).mean()
    return j_d, 0.5 * log_expit(-fake).mean(), -0.5 * log_expit(fake).mean()


FORMS = [
    (Minimax(), lambda r, f: both(r, f)[:2]),
    (NonSaturating(), lambda r, f: both(r, f)[::2]),
    (AuxiliaryClassifier(), lambda r, f: both(r, f)[::2]),
    (
        NonSaturating(smoothing=0.2),
        lambda r, f: (
            -0.5 * (0.8 * log_expit(r) + 0.2 * log_expit(-r)).mean()
            - 0.5 * log_expit(-f).mean(),
            -0.5 * log_expit(f).mean(),
        ),
    ),
    (
        LeastSquares(),
        lambda r, f: (
            0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
            0.5 * ((f - 1) ** 2).mean(),
        ),
    ),
    (
        Hinge(),
        lambda r, f: (
            np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
            -f.mean(),
        ),
    ),
    (WassersteinGP(), lambda r, f: (f.mean() - r.mean(), -f.mean())),
]


@pytest.mark.parametrize(("loss", "form"), FORMS, ids=lambda part: name(part))
@given(real=scores, fake=scores)
def test_closed_forms(loss, form, real, fake):
    j_d, j_g = form(np.array(real), np.array(fake))
    real, fake = (torch.tensor(s, dtype=torch.float64) for s in (real, fake))
    assert loss.discriminator(real, fake).item() == pytest.approx(j_d, rel=1e-6)
    assert loss.generator(fake).item() == pytest.approx(j_g, rel=1e-6, abs=1e-9)


@given(real=scores, fake=scores)
def test_objective_is_that_of_probabilities(real, fake):
    real, fake = np.clip(real, -15, 15), np.clip(fake, -15, 15)
    j_d, j_g = objective(torch.tensor(real), torch.tensor(fake))
    of_d = -0.5 * np.log(expit(real)).mean() - 0.5 * np.log(1 - expit(fake)).mean()
    assert j_d.item() == pytest.approx(of_d, rel=1e-6, abs=1e-6)
    assert j_g.item() == pytest.approx(-0.5 * np.log(expit(fake)).mean(), rel=1e-6)


@losses
@given(real=extreme, fake=extreme)
def test_extremes_are_finite(loss, real, fake):
    real = torch.tensor(real, requires_grad=True)
    fake = torch.tensor(fake, requires_grad=True)
    for value in (loss.discriminator(real, fake), loss.generator(fake)):
        value.backward()
        assert value.isfinite()
        assert value.dtype == torch.float32
    assert real.grad.isfinite().all()
    assert fake.grad.isfinite().all()


# Squares turn back beyond their targets, smoothed losses beyond theirs, on purpose.
@pytest.mark.parametrize(
    "loss", [part for part in LOSSES if not getattr(part, "smoothing", 0)], ids=name
)
@given(score=st.floats(-20, 20), step=st.floats(0, 5))
def test_scores_that_look_better_never_cost_more(loss, score, step):
    if isinstance(loss, LeastSquares):
        score, step = score / 40 + 0.5, step / 10
        step = min(step, 1 - score)
    low, high = torch.tensor([score]).double(), torch.tensor([score + step]).double()
    at = torch.zeros(1, dtype=torch.float64)
    assert loss.discriminator(high, at) <= loss.discriminator(low, at) + 1e-12
    assert loss.discriminator(at, high) >= loss.discriminator(at, low) - 1e-12
    assert loss.generator(high) <= loss.generator(low) + 1e-12


@losses
@given(real=scores, fake=scores, seed=st.integers(0, 99))
def test_order_does_not_matter(loss, real, fake, seed):
    real, fake = (torch.tensor(s, dtype=torch.float64) for s in (real, fake))
    mixed = real[
        torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))
    ]
    torch.testing.assert_close(
        loss.discriminator(mixed, fake.flip(0)), loss.discriminator(real, fake)
    )


@given(real=scores, fake=scores)
def test_objectives_are_never_negative(real, fake):
    real, fake = (torch.tensor(s, dtype=torch.float64) for s in (real, fake))
    assert all(value >= 0 for value in objective(real, fake))


weights = st.lists(st.floats(-5, 5), min_size=1, max_size=4)


@given(w=weights, n=st.integers(1, 5), seed=st.integers(0, 99))
def test_penalties_of_linear_critics(w, n, seed):
    w = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    generator = torch.Generator().manual_seed(seed)
    shape = (n, len(w))
    x = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    length = np.linalg.norm(w.detach().numpy())
    r1 = r1_penalty(x @ w, x)
    assert r1.item() == pytest.approx(0.5 * length**2, rel=1e-6, abs=1e-12)
    (slope,) = torch.autograd.grad(r1, w)
    torch.testing.assert_close(slope, w.detach())
    for one_sided in (False, True):
        excess = max(length - 1, 0) if one_sided else length - 1
        value = gradient_penalty(
            lambda x: x @ w, x, x + 1, generator, one_sided=one_sided
        )
        assert value.item() == pytest.approx(excess**2, rel=1e-6, abs=1e-12)
