"""Noisy-or, log-sum-exp and the generalised mean: formulas, and where they are hard."""

import math

import pytest
import torch

from mlmi_sklearn.nn.poolings import (
    GeneralisedMeanPooling,
    LogSumExpPooling,
    NoisyOrPooling,
)
from mlmi_sklearn.nn.segments import Segments

LENGTHS = [3, 1, 4]
DTYPES = [torch.float32, torch.float64]
SOFT = [NoisyOrPooling, LogSumExpPooling, GeneralisedMeanPooling]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
softs = pytest.mark.parametrize("Pooling", SOFT)


def draw(columns=2, scale=2.0):
    generator = torch.Generator().manual_seed(0)
    shape = (sum(LENGTHS), columns)
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


def by_bag(formula, values):
    return torch.stack([formula(bag) for bag in values.split(LENGTHS)])


def noisy_or(s):
    return 1 - (1 - s.sigmoid()).prod(0)


def test_noisy_or_is_its_formula():
    pooled, _ = NoisyOrPooling(2)(draw(), Segments(LENGTHS))
    torch.testing.assert_close(pooled.sigmoid(), by_bag(noisy_or, draw()))


@pytest.mark.parametrize("r", [0.2, 1.0, 7.0])
def test_the_generalised_mean_is_its_formula(r):
    pool = GeneralisedMeanPooling(2, r=r).double()
    pooled, weights = pool(draw(), Segments(LENGTHS))
    powers = draw().sigmoid() ** r
    expected = by_bag(lambda p: p.mean(0) ** (1 / r), powers)
    torch.testing.assert_close(pooled.sigmoid(), expected, rtol=1e-6, atol=1e-9)
    shares = torch.cat([p / p.sum(0) for p in powers.split(LENGTHS)]).mean(1)
    torch.testing.assert_close(weights, shares, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("r", [0.2, 1.0, 7.0])
def test_log_sum_exp_is_its_formula(r):
    pooled, _ = LogSumExpPooling(2, r=r).double()(draw(), Segments(LENGTHS))
    expected = by_bag(lambda s: (r * s).exp().mean(0).log() / r, draw())
    torch.testing.assert_close(pooled, expected, rtol=1e-6, atol=1e-6)


def test_noisy_or_weights_are_shares_of_the_evidence():
    values = draw(columns=1)
    _, weights = NoisyOrPooling(1)(values, Segments(LENGTHS))
    evidence = -(1 - values.sigmoid()).log().squeeze(1)
    expected = torch.cat([e / e.sum() for e in evidence.split(LENGTHS)])
    torch.testing.assert_close(weights, expected)


@softs
@dtypes
@pytest.mark.parametrize("s", [-1e4, -100.0, -15.0, 0.0, 15.0, 100.0, 1e4])
@pytest.mark.parametrize("n", [2, 100_000])
def test_extreme_scores_in_bags_of_any_size(Pooling, dtype, s, n):
    pool = Pooling(1).to(dtype)
    values = torch.full((n + 1, 1), s, dtype=dtype, requires_grad=True)
    pooled, weights = pool(values, Segments([n, 1]))
    pooled.sum().backward()
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(values.grad).all()
    assert (values.grad >= 0).all()
    assert torch.isfinite(weights).all()
    assert pooled[1] == s
    if Pooling is not NoisyOrPooling:
        # A mean of equal scores; sums of 100,000 equal terms cost float32 some digits.
        assert abs(float(pooled[0].detach()) - s) <= 2e-3 + 1e-5 * abs(s)
        assert values.grad[:n].sum() == pytest.approx(1.0, rel=0.01)


@dtypes
def test_noisy_or_of_equal_scores_adds_up(dtype):
    n = 100_000
    faint = torch.full((n, 1), -50.0, dtype=dtype)
    pooled, _ = NoisyOrPooling(1)(faint, Segments([n]))
    assert float(pooled) == pytest.approx(-50 + math.log(n), rel=1e-4)
    pooled, _ = NoisyOrPooling(1)(-faint, Segments([n]))
    assert float(pooled) == pytest.approx(50.0 * n, rel=1e-3)


@softs
@dtypes
def test_mixed_extremes(Pooling, dtype):
    values = torch.tensor([[1e4], [-1e4], [0.0]], dtype=dtype, requires_grad=True)
    pooled, weights = Pooling(1).to(dtype)(values, Segments([3]))
    pooled.sum().backward()
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(values.grad).all()
    torch.testing.assert_close(weights.sum(), torch.ones((), dtype=dtype))


@pytest.mark.parametrize("s", [-14.999, -15.001, 0.5, 14.999, 15.001])
def test_the_ways_to_compute_meet(s):
    values = torch.tensor([[s], [s - 0.3]], dtype=torch.float64)
    pooled, _ = NoisyOrPooling(1)(values, Segments([2]))
    total = torch.nn.functional.softplus(values, threshold=99).sum()
    expected = total + (-(-total).expm1()).log()
    assert float(pooled) == pytest.approx(float(expected), abs=1e-9)
    pooled, _ = GeneralisedMeanPooling(1, r=1.0).double()(values, Segments([2]))
    log_p = values.sigmoid().mean().log()
    log_rest = (-values).sigmoid().mean().log()
    expected = float(log_p - log_rest)
    assert float(pooled.detach()) == pytest.approx(expected, abs=1e-9)


@dtypes
@pytest.mark.parametrize("r", [0.05, 30.0, 300.0])
def test_extreme_powers(dtype, r):
    values = torch.linspace(-30, 30, 50, dtype=dtype).unsqueeze(1).requires_grad_()
    pool = GeneralisedMeanPooling(1, r=r).to(dtype)
    pooled, _ = pool(values, Segments([20, 30]))
    pooled.sum().backward()
    assert torch.isfinite(values.grad).all()
    assert torch.isfinite(pool.power.log_r.grad).all()
    logs = r * torch.nn.functional.logsigmoid(values.detach().double()).flatten()
    for found, part in zip(pooled.detach().double(), logs.split([20, 30]), strict=True):
        mean = ((part.logsumexp(0) - math.log(len(part))) / r).exp()
        assert float(found.sigmoid()) == pytest.approx(float(mean), rel=1e-4)


@pytest.mark.parametrize("Pooling", [LogSumExpPooling, GeneralisedMeanPooling])
def test_sharpness_can_be_learned_or_fixed(Pooling):
    values = draw()
    learned, fixed = (Pooling(2, r=2.0, learnable=known) for known in (True, False))
    assert len(list(learned.parameters())) == 1
    assert not list(fixed.parameters())
    pooled, _ = learned.double()(values, Segments(LENGTHS))
    again, _ = fixed.double()(values, Segments(LENGTHS))
    torch.testing.assert_close(pooled, again)
    pooled.sum().backward()
    (parameter,) = learned.parameters()
    # A sharper mean of these is a larger one.
    assert parameter.grad > 0


@pytest.mark.parametrize("Pooling", [LogSumExpPooling, GeneralisedMeanPooling])
@pytest.mark.parametrize("r", [0, -1.0, math.inf, "1"])
def test_r_must_be_positive(Pooling, r):
    with pytest.raises(ValueError, match="r must be a number in"):
        Pooling(2, r=r)
