"""Domain adaptation as one writes it by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["TERMS", "Loop", "Net", "endless"]

HIDDEN, CRITIC, BATCH, LR, LAMBDA = 128, 100, 64, 0.03, 0.3


class Net(nn.Module):
    """Encoder of one layer with batch normalisation, head, and a critic if wanted."""

    def __init__(self, columns: int, classes: int, seen_by_critic: int, cosine: bool):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(columns, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU()
        )
        self.head = Cosine(classes) if cosine else nn.Linear(HIDDEN, classes)
        if seen_by_critic:
            self.critic = nn.Sequential(
                nn.Linear(seen_by_critic, CRITIC), nn.ReLU(), nn.Linear(CRITIC, 1)
            )


class Cosine(nn.Module):
    """Cosines to prototypes over a temperature."""

    def __init__(self, classes: int, temperature: float = 0.05):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, HIDDEN))
        self.temperature = temperature

    def forward(self, z: Tensor) -> Tensor:
        """Return the scores."""
        unit = functional.normalize(z, dim=1)
        return functional.linear(unit, self.weight) / self.temperature


class Both(NamedTuple):
    """Features and scores of source and target."""

    zs: Tensor
    zt: Tensor
    raw_s: Tensor
    raw_t: Tensor


class Reverse(torch.autograd.Function):
    """The identity with a gradient of the other sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        """Return the input."""
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Turn the gradient round."""
        return -ctx.factor * gradient, None


# -- what the target adds to the loss --------------------------------------------------


def dann(net: Net, both: Both, factor: float) -> Tensor:
    """Return the loss of a critic of reversed features."""
    z = Reverse.apply(torch.cat([both.zs, both.zt]), factor)
    return _critic_loss(net.critic(z).squeeze(1), len(both.zs))


def cdan(net: Net, both: Both, factor: float) -> Tensor:
    """Return the loss of a critic of features times probabilities."""
    z = Reverse.apply(torch.cat([both.zs, both.zt]), factor)
    p = torch.cat([both.raw_s, both.raw_t]).detach().softmax(1)
    joined = (p.unsqueeze(2) * z.unsqueeze(1)).flatten(1)
    return _critic_loss(net.critic(joined).squeeze(1), len(both.zs))


def _critic_loss(logits: Tensor, n_source: int) -> Tensor:
    source, target = logits[:n_source], logits[n_source:]
    return functional.softplus(source).mean() + functional.softplus(-target).mean()


def mmd(net: Net, both: Both, factor: float) -> Tensor:
    """Return the discrepancy under five Gaussian kernels, each twice as wide."""
    n = len(both.zs)
    distances = torch.cdist(*[torch.cat([both.zs, both.zt])] * 2).square()
    with torch.no_grad():
        centre = (both.zs.mean(0) + both.zt.mean(0)) / 2
        # Mean squared distance to the centre, of either side alike.
        spread = sum((z - centre).square().sum(1).mean() for z in both[:2])
    kernel = sum(torch.exp(-distances / (2.0**k * spread)) for k in range(-2, 3)) / 5
    inner = kernel[:n, :n].mean() + kernel[n:, n:].mean()
    return factor * (inner - 2 * kernel[:n, n:].mean())


def coral(net: Net, both: Both, factor: float) -> Tensor:
    """Return the distance of covariances."""
    (zs, zt), width = (z - z.mean(0) for z in both[:2]), both.zs.shape[1]
    gap = zs.T @ zs / len(zs) - zt.T @ zt / len(zt)
    return factor * gap.square().sum() / (4 * width**2)


def mme(net: Net, both: Both, factor: float) -> Tensor:
    """Return minus the entropy of the target, which the encoder lowers."""
    log_p = net.head(Reverse.apply(both.zt, 1.0)).log_softmax(1)
    return factor * (log_p.exp() * log_p).sum(1).mean()


Terms = Callable[[Net, Both, float], Tensor]
TERMS: dict[str, Terms] = {
    "dann": dann,
    "cdan": cdan,
    "mmd": mmd,
    "coral": coral,
    "mme": mme,
}


# -- the loop ------------------------------------------------------------------------


def endless(
    n: int, batch: int, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield shuffled batches for ever."""
    left = torch.randperm(n, generator=generator)
    while True:
        if len(left) < batch:
            left = torch.cat([left, torch.randperm(n, generator=generator)])
        yield left[:batch]
        left = left[batch:]


class Loop(NamedTuple):
    """Data and length of a training.

    Parameters
    ----------
    xs, y, xt : Tensor
        Rows and classes of the source, rows of the target.
    terms : str
        What the target adds, one of :data:`TERMS`.
    labelled : pair of Tensor or None
        Labelled rows of the target, all of which are in each step.
    """

    xs: Tensor
    y: Tensor
    xt: Tensor
    terms: str

    def train(
        self,
        net: Net,
        epochs: int,
        order: torch.Generator | None = None,
        order_of_target: torch.Generator | None = None,
    ) -> Net:
        """Train with both schedules of Ganin et al., fused SGD, gradients clipped.

        Sides pass separately, as batch normalisation should see them; rows left over
        by the last full batch join it.
        """
        optimizer = torch.optim.SGD(
            net.parameters(), lr=LR, momentum=0.9, weight_decay=1e-4, fused=True
        )
        stream = endless(len(self.xt), BATCH, order_of_target)
        steps = len(self.xs) // BATCH
        net.train()
        for epoch in range(epochs):
            rows = torch.randperm(len(self.xs), generator=order)
            for step in range(steps):
                share = (epoch + step / steps) / epochs
                optimizer.param_groups[0]["lr"] = LR * (1 + 10 * share) ** -0.75
                last = step == steps - 1
                chosen = rows[step * BATCH : None if last else (step + 1) * BATCH]
                optimizer.zero_grad()
                zs = net.encoder(self.xs[chosen])
                zt = net.encoder(self.xt[next(stream)])
                both = Both(zs, zt, net.head(zs), *self._scores_of_target(net, zt))
                loss = functional.cross_entropy(both.raw_s, self.y[chosen])
                loss = loss + TERMS[self.terms](net, both, self._factor(share))
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
        return net

    def _scores_of_target(self, net: Net, zt: Tensor) -> tuple[Tensor]:
        """Return scores where the terms look at them; nobody computes them else."""
        return (net.head(zt) if self.terms == "cdan" else zt,)

    def _factor(self, share: float) -> float:
        if self.terms == "mme":
            return 0.1
        return LAMBDA * (2 / (1 + math.exp(-10 * share)) - 1)
