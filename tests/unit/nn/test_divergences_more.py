"""MMD, CORAL, Wasserstein and margin disparity against what they are by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mlmi_sklearn.nn.divergences import (
    CORALDivergence,
    MDDDivergence,
    MMDDivergence,
    WassersteinDivergence,
)

F64 = torch.float64


def samples(n=7, m=5, width=4):
    return torch.randn(n, width, dtype=F64), torch.randn(m, width, dtype=F64) + 1


# -- mmd -----------------------------------------------------------------------


def kernel(a, b, spread, powers):
    squared = (a[:, None] - b[None]).square().sum(2)
    return sum(torch.exp(-squared / (2.0**p * spread)) for p in powers) / len(powers)


def spread_of(zs, zt):
    """Mean squared distance of two rows, each from either sample with one half."""
    pairs = [(zs, zs), (zt, zt), (zs, zt), (zt, zs)]
    return sum((a[:, None] - b[None]).square().sum(2).mean() for a, b in pairs) / 4


@pytest.mark.parametrize(
    ("n_kernels", "powers"), [(1, [0]), (2, [1, 0]), (5, [2, 1, 0, -1, -2])]
)
def test_mmd_is_the_double_sum(n_kernels, powers):
    zs, zt = samples()
    k = [
        kernel(a, b, spread_of(zs, zt), powers).mean()
        for a, b in ((zs, zs), (zt, zt), (zs, zt))
    ]
    found = MMDDivergence(4, n_kernels=n_kernels)(zs, zt)
    assert torch.allclose(found, k[0] + k[1] - 2 * k[2])


def test_mmd_with_a_given_bandwidth():
    zs, zt = samples()
    k = [kernel(a, b, 3.0, [0]).mean() for a, b in ((zs, zs), (zt, zt), (zs, zt))]
    found = MMDDivergence(4, n_kernels=1, bandwidth=3.0)(zs, zt)
    assert torch.allclose(found, k[0] + k[1] - 2 * k[2])


def test_unbiased_mmd_leaves_out_pairs_with_oneself():
    zs, zt = samples()

    def off_diagonal(z):
        full = kernel(z, z, 3.0, [0])
        return (full.sum() - full.trace()) / (len(z) * (len(z) - 1))

    expected = off_diagonal(zs) + off_diagonal(zt)
    expected = expected - 2 * kernel(zs, zt, 3.0, [0]).mean()
    found = MMDDivergence(4, n_kernels=1, bandwidth=3.0, unbiased=True)(zs, zt)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("given", [(True, True), (True, False), (False, True)])
def test_unbiased_mmd_with_weights(given):
    """Pairs of different rows weigh as the products of their weights."""
    zs, zt = samples()
    weights = [torch.rand(len(z), dtype=F64) if g else None
               for z, g in zip((zs, zt), given, strict=True)]  # fmt: skip

    def mean(a, b, wa, wb, own):
        wa, wb = (torch.ones(len(z)) if w is None else w for z, w in ((a, wa), (b, wb)))
        pairs = torch.outer(wa.double(), wb.double())
        pairs = pairs if own else pairs - pairs.diag().diag()
        return (pairs * kernel(a, b, 3.0, [0])).sum() / pairs.sum()

    (ws, wt) = weights
    expected = mean(zs, zs, ws, ws, False) + mean(zt, zt, wt, wt, False)
    expected = expected - 2 * mean(zs, zt, ws, wt, True)
    module = MMDDivergence(4, n_kernels=1, bandwidth=3.0, unbiased=True)
    assert torch.allclose(module(zs, zt, weights=weights), expected)


def test_unbiased_mmd_is_zero_on_average_where_the_other_is_not():
    values = {True: [], False: []}
    for _ in range(200):
        z = torch.randn(16, 4, dtype=F64)
        for unbiased, found in values.items():
            module = MMDDivergence(4, bandwidth=4.0, unbiased=unbiased)
            found.append(float(module(z[:8], z[8:])))
    mean, error = np.mean(values[True]), np.std(values[True]) / math.sqrt(200)
    assert abs(mean) < 4 * error
    assert np.mean(values[False]) > 10 * error


def test_unbiased_mmd_of_single_rows():
    zs, zt = samples(1, 1)
    value = MMDDivergence(4, unbiased=True)(zs, zt)
    assert value.isfinite()


def test_mmd_does_not_lose_digits_far_from_the_origin():
    zs, zt = samples()
    near = MMDDivergence(4)(zs.float(), zt.float())
    far = MMDDivergence(4)((zs + 1000).float(), (zt + 1000).float())
    assert float(far) == pytest.approx(float(near), rel=1e-3)


def test_bandwidth_is_a_constant_for_the_gradient():
    zs, zt = samples()
    zs.requires_grad_()
    spread = float(spread_of(zs, zt).detach())
    (found,) = torch.autograd.grad(MMDDivergence(4)(zs, zt), zs)
    fixed = MMDDivergence(4, bandwidth=spread)(zs, zt)
    assert torch.allclose(found, torch.autograd.grad(fixed, zs)[0])


# -- coral ---------------------------------------------------------------------


def test_coral_is_the_distance_of_covariances():
    zs, zt = samples()
    covariances = [torch.tensor(np.cov(z.numpy().T, bias=True)) for z in (zs, zt)]
    expected = (covariances[0] - covariances[1]).square().sum() / (4 * 4**2)
    assert torch.allclose(CORALDivergence(4)(zs, zt), expected)


def test_coral_with_weights():
    zs, zt = samples()
    ws, wt = torch.rand(7, dtype=F64), torch.rand(5, dtype=F64)
    covariances = [
        torch.tensor(np.cov(z.numpy().T, bias=True, aweights=w.numpy()))
        for z, w in ((zs, ws), (zt, wt))
    ]
    expected = (covariances[0] - covariances[1]).square().sum() / (4 * 4**2)
    assert torch.allclose(CORALDivergence(4)(zs, zt, weights=(ws, wt)), expected)


def test_coral_does_not_see_a_shift_of_means():
    zs, _ = samples()
    zs.requires_grad_()
    value = CORALDivergence(4)(zs, zs.detach() + 3)
    assert float(value.detach()) == pytest.approx(0, abs=1e-20)


# -- wasserstein ---------------------------------------------------------------


def linear_critic(slope, penalty=10.0):
    module = WassersteinDivergence(2, hidden=(), penalty=penalty).double()
    with torch.no_grad():
        module.critic[0].weight.copy_(torch.tensor([[slope, 0.0]]))
    return module


def test_wasserstein_loss_is_minus_the_difference_of_means():
    zs, zt = samples(width=2)
    gap = zs[:, 0].mean() - zt[:, 0].mean()
    assert torch.allclose(linear_critic(2.0).eval()(zs, zt), -2 * gap)
    ws = torch.rand(7, dtype=F64)
    gap = (ws * zs[:, 0]).sum() / ws.sum() - zt[:, 0].mean()
    found = linear_critic(2.0).eval()(zs, zt, weights=(ws, None))
    assert torch.allclose(found, -2 * gap)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("sizes", [(7, 5), (1, 6), (5, 2), (1, 1)])
def test_penalty_of_a_linear_critic(slope, sizes):
    module = linear_critic(slope, penalty=4.0)
    zs, zt = samples(*sizes, width=2)
    extra = module.train()(zs, zt) - module.eval()(zs, zt)
    assert float(extra.detach()) == pytest.approx(4 * (slope - 1) ** 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "m"), [(5, 5), (2, 7), (6, 3)])
def test_penalty_by_hand(n, m, weighted):
    """A third each of the mean over the source, the target, and points between.

    Points lie between row k of either sample, the smaller gone through again, and
    count by the product of both weights.
    """
    module = WassersteinDivergence(2, hidden=(9,), penalty=3.0).double()
    zs, zt = samples(n, m, width=2)
    ws, wt = torch.rand(n, dtype=F64), torch.rand(m, dtype=F64)
    weights = (ws, wt) if weighted else None
    ws, wt = (ws, wt) if weighted else (torch.ones(n).double(), torch.ones(m).double())
    found = -module.eval()(zs, zt, weights=weights).detach()
    torch.manual_seed(5)
    found = found + module.train()(zs, zt, weights=weights).detach()
    torch.manual_seed(5)
    place = torch.rand(max(n, m), 1, dtype=F64)
    rows = [(k % n, k % m) for k in range(max(n, m))]
    between = torch.stack([zs[i] + t * (zt[j] - zs[i])
                           for (i, j), t in zip(rows, place, strict=True)])  # fmt: skip
    pairs = torch.stack([ws[i] * wt[j] for i, j in rows])

    def deviation(z, w):
        z = z.clone().requires_grad_()
        slopes = torch.stack(
            [
                torch.autograd.grad(module.critic(z)[k, 0], z)[0][k]
                for k in range(len(z))
            ]
        )
        return (w * (slopes.norm(dim=1) - 1).square()).sum() / w.sum()

    parts = deviation(zs, ws) + deviation(zt, wt) + deviation(between, pairs)
    assert float(found) == pytest.approx(float(3.0 * parts.detach() / 3))


def test_penalty_never_reaches_the_features():
    module = WassersteinDivergence(4).double()
    slopes = []
    for training in (True, False):
        zs, zt = (z.requires_grad_() for z in samples(4, 4))
        with torch.no_grad():
            zs.copy_(torch.arange(16).reshape(4, 4) / 10)
            zt.copy_(torch.arange(16).reshape(4, 4) / 5 - 1)
        module.train(training)(zs, zt).backward()
        slopes.append((zs.grad, zt.grad))
    for training, evaluation in zip(*slopes, strict=True):
        assert torch.equal(training, evaluation)


def test_penalty_reaches_the_critic():
    module = WassersteinDivergence(4).double()
    zs, zt = samples()
    grads = []
    for training in (True, False):
        module.zero_grad()
        module.train(training)(zs, zt).backward()
        grads.append(module.critic[0].weight.grad.clone())
    assert not torch.allclose(*grads)


def test_random_points_follow_the_seed():
    module, (zs, zt) = WassersteinDivergence(4).double().train(), samples()
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(float(module(zs, zt).detach()))
    assert values[0] == values[1]
    assert values[0] != values[2]


def test_rows_without_weight_take_no_part_in_the_penalty():
    module = WassersteinDivergence(4).double().train()
    zs, zt = samples(4, 4)
    other = zs.clone()
    other[0] = 1e3
    weights = torch.tensor([0.0, 1, 1, 1]), None
    values = []
    for z in (zs, other):
        torch.manual_seed(0)
        values.append(float(module(z, zt, weights=weights).detach()))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_no_penalty_without_gradients():
    module, (zs, zt) = WassersteinDivergence(4).double(), samples()
    with torch.no_grad():
        assert torch.equal(module.train()(zs, zt), module.eval()(zs, zt))


def test_trained_critic_estimates_the_distance():
    zs, zt = samples(64, 64, width=2)
    zt = zs + torch.tensor([3.0, 4.0])
    module = WassersteinDivergence(2, hidden=(32,)).double()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        module(zs, zt).backward()
        optimizer.step()
    # The largest 5 s - 10 (s - 1)^2 is at a slope of s = 1.25.
    assert -float(module.eval()(zs, zt).detach()) == pytest.approx(6.25, rel=0.1)


def test_wasserstein_has_no_accuracy():
    assert not hasattr(WassersteinDivergence(4), "domain_accuracy")


# -- margin disparity ----------------------------------------------------------


def probabilities(n=7, m=5, c=3):
    p = torch.randn(n + m, c, dtype=F64).softmax(1)
    return p[:n], p[n:]


def by_hand(module, zs, zt, hs, ht):
    p_s, p_t = module.critic(zs).softmax(1), module.critic(zt).softmax(1)
    source = -p_s.gather(1, hs[:, None]).log().mean()
    target = -(1 - p_t.gather(1, ht[:, None])).log().mean()
    return module.margin * source + target


@pytest.mark.parametrize("n_classes", [2, 3])
def test_mdd_by_hand(n_classes):
    module = MDDDivergence(4, n_classes=n_classes, margin=3.0).double()
    (zs, zt), p = samples(), probabilities(c=n_classes)
    expected = by_hand(module, zs, zt, p[0].argmax(1), p[1].argmax(1))
    assert torch.allclose(module(zs, zt, probabilities=p), expected)


def test_mdd_with_weights():
    module = MDDDivergence(4, n_classes=3).double()
    (zs, zt), (ps, pt) = samples(), probabilities()
    ws = torch.tensor([1.0, 1, 0, 0, 1, 1, 1])
    keep = ws > 0
    found = module(zs, zt, probabilities=(ps, pt), weights=(ws, None))
    expected = module(zs[keep], zt, probabilities=(ps[keep], pt))
    assert torch.allclose(found, expected)


def test_mdd_without_probabilities_takes_the_first_class():
    module = MDDDivergence(4, n_classes=3).double()
    zs, zt = samples()
    zeros = torch.zeros(7).long(), torch.zeros(5).long()
    assert torch.allclose(module(zs, zt), by_hand(module, zs, zt, *zeros))


@pytest.mark.parametrize("n_classes", [None, 1])
def test_mdd_of_one_class_is_a_discriminator(n_classes):
    module = MDDDivergence(4, n_classes=n_classes, margin=2.0).double()
    zs, zt = samples()
    expected = 2 * F.softplus(-module.critic(zs)).mean()
    expected = expected + F.softplus(module.critic(zt)).mean()
    assert torch.allclose(module(zs, zt), expected)


def test_mdd_decides_where_the_densities_are_equal():
    module = MDDDivergence(1, hidden=(), margin=4.0).double()
    torch.nn.init.ones_(module.critic[0].weight)
    torch.nn.init.zeros_(module.critic[0].bias)
    level = math.log(4.0)
    above, below = (torch.tensor([[level + e]], dtype=F64) for e in (1e-6, -1e-6))
    assert float(module.domain_accuracy(above, below)) == 1.0
    assert float(module.domain_accuracy(below, above)) == 0.0


def test_mdd_of_overlapping_domains_settles_at_the_margin():
    z = torch.randn(200, 1, dtype=F64)
    module = MDDDivergence(1, hidden=(), margin=4.0).double()
    optimizer = torch.optim.LBFGS(module.parameters(), max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = module(z, z)
        loss.backward()
        return loss

    optimizer.step(closure)
    share = module.critic(z).sigmoid().detach()
    assert torch.allclose(share, torch.full_like(share, 0.8), atol=1e-3)


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_mdd_is_finite_where_the_critic_is_sure(size):
    module = MDDDivergence(4, hidden=(), n_classes=3)
    zs, zt = (size * z.float() for z in samples())
    zs.requires_grad_()
    p = tuple(q.float() for q in probabilities())
    value = module(zs, zt, probabilities=p)
    value.backward()
    assert value.isfinite()
    assert zs.grad.isfinite().all()
