"""What goes wrong in adversarial training without a loss that becomes infinite."""

from __future__ import annotations

from typing import Any

import torch

from ..base.warn import warn_user

__all__ = ["warn_of_dead_players"]

# Before so many steps a generator may be anywhere.
_STEPS = 100
# Rows looked at.
_ROWS = 256
# Variance of samples, as a part of that of the data, below which they are all alike.
_ALIKE = 0.01
# Relative spread of logits below which a discriminator says the same of everything.
_SAME = 1e-6


def warn_of_dead_players(name: str, net: Any) -> None:
    """Warn if samples are all alike, or if nothing can be learned any more.

    Draws from a generator of its own, so that nobody's random numbers move.

    Parameters
    ----------
    name : str
        The estimator, for the messages.
    net : GANNet
        After training.
    """
    if net.steps_before + net.steps_done_ < _STEPS:
        return
    everything = net.data_.all
    step = max(1, len(everything.x) // _ROWS)
    rows = everything.take(torch.arange(0, len(everything.x), step).to(net.device))
    for message in _complaints(net.module_.eval(), rows, net.noise_seed):
        warn_user(f"{name}: {message}", UserWarning)


@torch.no_grad()
def _complaints(model: Any, rows: Any, seed: int) -> list[str]:
    source = torch.Generator().manual_seed(seed)
    shape = (len(rows.x), model.average.noise_dim)
    z = torch.randn(shape, generator=source, dtype=torch.float32).to(rows.x)
    samples = model(z, *rows.conditions)
    found = []
    real, fake = (_variance(values) for values in (rows.x, samples))
    if fake < _ALIKE * real:
        found.append(
            f"the samples are nearly all alike (their variance is {fake / real:.2g} of "
            "that of X): the generator has collapsed. Train on with a smaller lr, "
            "diversity=1.0 or minibatch_std=True."
        )
    judged = (rows.x, samples.to(rows.x))
    logits = torch.cat([model.discriminator(x, *rows.conditions) for x in judged])
    logits = logits.double()
    if logits.std() <= _SAME * (1 + logits.mean().abs()):
        found.append(
            "the discriminator says the same of every sample, so the generator learns "
            "nothing from it. Use a smaller lr_discriminator, or another discriminator."
        )
    return found


def _variance(values: Any) -> float:
    return float(values.double().var(dim=0, unbiased=False).sum())
