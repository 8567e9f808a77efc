"""Adversarial training as one writes it by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BATCH", "LR", "Loop"]

BATCH, LR, R1, EVERY, DECAY = 120, 1e-3, 0.1, 4, 0.999


def adam(net: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), LR, (0.5, 0.99), fused=True)


@dataclass
class Loop:
    """Rows of a fit, and the raw loop over them.

    Parameters
    ----------
    x, told : Tensor
        Samples as the nets see them, and encoded conditions.
    batch : int
        Rows of a batch.
    """

    x: Tensor
    told: Tensor
    batch: int = BATCH

    def train(
        self,
        sampler: Any,
        critic: Any,
        mean: nn.Module,
        batches: Iterable[Tensor],
        draws: torch.Generator | None = None,
    ) -> None:
        """Take a step of each player for each batch of numbers of rows, in place."""
        of_sampler, of_critic = adam(sampler), adam(critic)
        means = list(mean.parameters())
        live = [p.detach() for p in sampler.parameters()]
        like: Any = {"dtype": self.x.dtype, "generator": draws}
        for step, rows in enumerate(batches):
            real, told = self.x[rows], self.told[rows]
            noise = torch.randn(len(rows), sampler.noise_dim, **like)
            fake = sampler(noise, told)
            of_critic.zero_grad()
            self.judged(critic, real, fake.detach(), told, step).backward()
            of_critic.step()
            made = functional.softplus(-critic(fake, told)).mean() / 2
            of_sampler.zero_grad()
            made.backward(inputs=list(sampler.parameters()))
            of_sampler.step()
            decay = min(DECAY, (2 + step) / (11 + step))
            torch._foreach_lerp_(means, live, 1 - decay)

    def judged(
        self, critic: Any, real: Tensor, fake: Tensor, told: Tensor, step: int
    ) -> Tensor:
        """Return the loss of the critic, with R1 in every fourth step."""
        # Rows that see each other are judged apart from false ones.
        if step % EVERY and not critic.sees_batches:
            both = critic(torch.cat([real, fake]), torch.cat([told, told]))
            on_real, on_fake = both.split(len(real))
            return self.loss(on_real, on_fake)
        if step % EVERY:
            return self.loss(critic(real, told), critic(fake, told))
        real.requires_grad_()
        on_real, on_fake = critic(real, told), critic(fake, told)
        (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        penalty = slope.square().flatten(1).sum(1).mean() * R1 * EVERY / 2
        return self.loss(on_real, on_fake) + penalty

    @staticmethod
    def loss(on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Return the non-saturating loss."""
        real, fake = functional.softplus(-on_real), functional.softplus(on_fake)
        return (real.mean() + fake.mean()) / 2
