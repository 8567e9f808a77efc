"""CGANSampler: steps against a bare loop, and rows drawn in a second.

The rival is the same mathematics as one writes it: two fused Adam optimisers, one pass
of the generator for both updates, real and false rows judged together, R1 in every
fourth step, a running mean of the generator. It begins with the same nets.

Run: ``make bench`` or ``python benchmarks/bench_gan_speed.py [--rounds 5]``.
"""

from __future__ import annotations

import argparse
import copy

import numpy as np
import torch
from _paired import against, in_turns, report, seconds
from sklearn.datasets import load_breast_cancer, load_digits
from torch.nn import functional

from mlmi_sklearn import CGANSampler

_STEPS = 300


def plain_loop(model, x, vector, n_steps, batch_size=128):
    """Return a function that trains copies of the nets as one writes it by hand."""
    sampler = copy.deepcopy(model.net_.module_.sampler).train()
    critic = copy.deepcopy(model.net_.module_.discriminator).train()
    mean = copy.deepcopy(sampler).requires_grad_(False)

    def adam(net):
        return torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.99), fused=True)

    of_sampler, of_critic = adam(sampler), adam(critic)
    means, live = list(mean.parameters()), [p.detach() for p in sampler.parameters()]

    def run():
        for step in range(n_steps):
            rows = torch.randint(len(x), (batch_size,))
            real, told = x[rows], vector[rows]
            fake = sampler(torch.randn(batch_size, sampler.noise_dim), told)
            if step % 4 == 0:
                real.requires_grad_()
                on_real = critic(real, told)
                on_fake = critic(fake.detach(), told)
                (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
                penalty = 0.1 * 4 * 0.5 * slope.square().sum(1).mean()
            else:
                both = torch.cat([real, fake.detach()])
                twice = torch.cat([told, told])
                on_real, on_fake = critic(both, twice).split(batch_size)
                penalty = 0.0
            loss = functional.softplus(-on_real).mean() / 2
            loss = loss + functional.softplus(on_fake).mean() / 2 + penalty
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            made = functional.softplus(-critic(fake, told)).mean() / 2
            of_sampler.zero_grad()
            made.backward(inputs=list(sampler.parameters()))
            of_sampler.step()
            torch._foreach_lerp_(means, live, 0.001)

    return run


def steps(name, X, y, rounds):
    X = X.astype(np.float32)
    model = CGANSampler(max_iter=2, random_state=0).fit(X, y)
    x = torch.from_numpy(np.asarray(model._codec.encode(X), np.float32))
    vector = torch.from_numpy(np.eye(len(model.classes_), dtype=np.float32)[y])
    ours = CGANSampler(max_iter=_STEPS, random_state=0)
    contenders = {
        "ours": lambda: ours.fit(X, y),
        "bare loop": plain_loop(model, x, vector, _STEPS),
    }
    times = in_turns(contenders, rounds)
    return against(times, name, "bare loop", _STEPS, 1 / 1.15)


def drawing(X, y):
    model = CGANSampler(max_iter=100, random_state=0).fit(X, y)
    model.sample(1000)
    spent = min(seconds(lambda: model.sample(100_000)) for _ in range(3))
    reached = "reached" if spent < 1.5 else "MISSED"
    print(
        f"100,000 rows of {X.shape[1]} columns: {spent:.2f} CPU s (goal 1.5 {reached})"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = load_digits(return_X_y=True)
    cancer = load_breast_cancer(return_X_y=True)
    rows = [
        steps("digits, whole fits of 300 steps", *digits, options.rounds),
        steps("breast cancer, the same", *cancer, options.rounds),
    ]
    report("CGANSampler: a step of both players", "gan_speed.json", "step", rows)
    drawing(*digits)
    drawing(*cancer)


if __name__ == "__main__":
    main()
