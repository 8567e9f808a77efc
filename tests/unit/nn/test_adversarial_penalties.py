"""Penalties on slopes beside what they are on paper."""

import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.adversarial import gradient_penalty, r1_penalty

F64 = torch.float64


def linear(*weights):
    critic = nn.Linear(len(weights), 1).double()
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([weights]))
    return critic


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def real_and_fake(n=5, width=2):
    return torch.randn(n, width, dtype=F64), torch.randn(n, width, dtype=F64) + 1


# -- R1 ----------------------------------------------------------------------------


def test_r1_of_a_linear_critic_and_its_gradient():
    critic, x = linear(3.0, 4.0), torch.randn(5, 2, dtype=F64, requires_grad=True)
    value = r1_penalty(critic(x), x)
    assert value.item() == pytest.approx(12.5)
    value.backward()
    # d/dw of |w|^2 / 2 is w.
    torch.testing.assert_close(critic.weight.grad, critic.weight.detach())
    assert critic.bias.grad is None or critic.bias.grad.abs().sum() == 0


def test_r1_of_a_quadratic_critic():
    a = torch.tensor(2.0, dtype=F64, requires_grad=True)
    x = torch.randn(6, 3, dtype=F64, requires_grad=True)
    value = r1_penalty(a * x.square().sum(1), x)
    lengths = x.detach().square().sum(1).mean()
    torch.testing.assert_close(value, 0.5 * 4 * a.detach() ** 2 * lengths)
    (slope,) = torch.autograd.grad(value, a)
    torch.testing.assert_close(slope, 4 * a.detach() * lengths)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 1, 5, 6), (4, 2, 3, 4, 5)])
def test_r1_sums_over_all_that_belongs_to_a_sample(shape):
    x = torch.randn(shape, dtype=F64, requires_grad=True)
    value = r1_penalty(3 * x.reshape(4, -1).sum(1), x)
    assert value.item() == pytest.approx(4.5 * x[0].numel())


def test_r1_of_a_map_of_scores_takes_their_sum():
    x = torch.randn(4, 1, 3, 3, dtype=F64, requires_grad=True)
    assert r1_penalty(2 * x, x).item() == pytest.approx(0.5 * 4 * 9)


def test_r1_trains_a_net_to_be_flat():
    critic = nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.02)
    x = torch.randn(64, 2, requires_grad=True)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        values.append(r1_penalty(critic(x), x))
        values[-1].backward()
        optimizer.step()
    assert values[-1] < 0.05 * values[0]


def test_r1_without_a_gradient_says_what_to_do():
    x = torch.randn(4, 2)
    with pytest.raises(ValueError, match=r"call x\.requires_grad_"):
        r1_penalty(nn.Linear(2, 1)(x), x)


@pytest.mark.parametrize("case", ["detached", "no_grad", "other"])
def test_r1_of_scores_of_something_else(case):
    critic, x = nn.Linear(2, 1), torch.randn(4, 2, requires_grad=True)
    if case == "detached":
        logits = critic(x).detach()
    elif case == "no_grad":
        with torch.no_grad():
            logits = critic(x)
    else:
        logits = critic(torch.randn(4, 2))
    with pytest.raises(ValueError, match="do not depend on the samples"):
        r1_penalty(logits, x)


# -- between real and generated samples --------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 16.0),  # (5 - 1)^2
        ({"target": 5.0}, 0.0),
        ({"target": 7.0}, 4.0),
        ({"target": 7.0, "one_sided": True}, 0.0),
        ({"target": 2.0, "one_sided": True}, 9.0),
    ],
)
def test_penalty_of_a_linear_critic(options, expected):
    value = gradient_penalty(linear(3.0, 4.0), *real_and_fake(), generator(), **options)
    assert value.item() == pytest.approx(expected)


def test_gradient_of_the_penalty_of_a_linear_critic():
    critic = linear(3.0, 4.0)
    gradient_penalty(critic, *real_and_fake(), generator()).backward()
    # d/dw of (|w| - 1)^2 is 2 (|w| - 1) w / |w|.
    torch.testing.assert_close(critic.weight.grad, 2 * 4 * critic.weight.detach() / 5)


def test_points_lie_between_real_and_generated_samples():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(1)

    real, fake = torch.zeros(500, 2), torch.ones(500, 2)
    gradient_penalty(critic, real, fake, generator())
    (x,) = seen
    assert torch.equal(x[:, 0], x[:, 1])  # one place a sample, not one a feature
    assert (x >= 0).all()
    assert (x <= 1).all()
    assert x[:, 0].std() > 0.2
    assert abs(x.mean() - 0.5) < 0.05


def test_penalty_draws_from_the_given_generator_only():
    critic, samples = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)), None
    critic, samples = critic.double(), real_and_fake()
    before = torch.get_rng_state()
    first, again, other = (
        gradient_penalty(critic, *samples, generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_penalty_has_no_gradient_for_the_samples():
    real, fake = (x.requires_grad_() for x in real_and_fake())
    critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    gradient_penalty(critic, real, fake, generator()).backward()
    assert real.grad is None
    assert fake.grad is None
    assert critic[0].weight.grad.abs().sum() > 0


def test_flat_critic_has_a_finite_gradient():
    critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    for weight in critic.parameters():
        nn.init.zeros_(weight)
    value = gradient_penalty(critic, *real_and_fake(), generator())
    value.backward()
    assert value.item() == pytest.approx(1.0)
    grads = [p.grad for p in critic.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in grads)


def test_works_under_no_grad_for_reports():
    with torch.no_grad():
        value = gradient_penalty(linear(3.0, 4.0), *real_and_fake())
    assert value.item() == pytest.approx(16)


def test_second_derivatives_are_those_of_finite_differences():
    real, fake = real_and_fake(3)
    weight = torch.randn(2, dtype=F64, requires_grad=True)

    def value(w):
        def critic(x):
            return torch.tanh(x @ w)

        return gradient_penalty(critic, real, fake, generator())

    assert torch.autograd.gradcheck(value, (weight,))


def test_samples_that_do_not_pair_up():
    with pytest.raises(ValueError, match=r"paired by row.*\(3, 2\) and \(4, 2\)"):
        gradient_penalty(linear(1.0, 1.0), torch.zeros(3, 2), torch.zeros(4, 2))


def test_critic_that_cuts_the_graph():
    with pytest.raises(ValueError, match="do not depend on the samples"):
        gradient_penalty(lambda x: x.detach().sum(1), *real_and_fake())
