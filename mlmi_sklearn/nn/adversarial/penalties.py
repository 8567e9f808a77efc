"""Penalties on the slope of a discriminator, which keep the game stable.

Both can be differentiated with respect to the weights of the discriminator, which takes
second derivatives. Slopes are those of single samples, so the score of one must not
depend on the others of its batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["gradient_penalty", "r1_penalty"]


def r1_penalty(logits: Tensor, x: Tensor) -> Tensor:
    r"""Return half the mean squared slope at real samples.

    .. math:: \tfrac12 E \lVert \nabla_x D(x) \rVert^2

    Parameters
    ----------
    logits : Tensor of shape (B, ...)
        Scores of the samples; several a sample count by their sum.
    x : Tensor of shape (B, ...)
        The real samples, with ``requires_grad`` before `logits` were computed.

    Returns
    -------
    Tensor of shape ()
        Not negative; to be multiplied by the weight :math:`\gamma`.

    Raises
    ------
    ValueError
        If `x` has no gradient, or `logits` were not computed from it.

    References
    ----------
    Mescheder, Geiger and Nowozin, *Which training methods for GANs do actually
    converge?*, ICML 2018, equation 9.

    Examples
    --------
    >>> critic = torch.nn.Linear(2, 1)
    >>> critic.weight.data = torch.tensor([[3.0, 4.0]])
    >>> x = torch.randn(5, 2, requires_grad=True)
    >>> r1_penalty(critic(x), x).detach()
    tensor(12.5000)
    """
    if not x.requires_grad:
        raise ValueError(
            "x needs a gradient: call x.requires_grad_() before computing the logits."
        )
    return 0.5 * _slopes(logits, x).square().sum(1).mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
    *,
    target: float = 1.0,
    one_sided: bool = False,
) -> Tensor:
    r"""Return how much slopes between real and generated samples differ from one.

    .. math:: E (\lVert \nabla D(\hat x) \rVert - t)^2, \qquad
        \hat x = u x + (1 - u) G(z), \quad u \sim U(0, 1).

    Parameters
    ----------
    critic : callable
        Maps samples to scores (B, ...).
    real, fake : Tensor of shape (B, ...)
        Real and generated samples, paired by row.
    generator : torch.Generator or None, default=None
        Source of u, on any device; None for PyTorch's own.
    target : float, default=1.0
        The slope t that is free.
    one_sided : bool, default=False
        Whether slopes below t are free.

    Returns
    -------
    Tensor of shape ()
        Not negative. It has a gradient with respect to the weights of the critic, none
        with respect to the samples.

    Raises
    ------
    ValueError
        If the samples do not pair up, or the scores do not depend on them.

    References
    ----------
    Gulrajani et al., *Improved training of Wasserstein GANs*, NeurIPS 2017, equation 3.
    Petzka, Fischer and Lukovnikov, *On the regularization of Wasserstein GANs*, ICLR
    2018 (one-sided).

    Examples
    --------
    >>> critic = torch.nn.Linear(2, 1)
    >>> critic.weight.data = torch.tensor([[3.0, 4.0]])
    >>> gradient_penalty(critic, torch.ones(5, 2), torch.zeros(5, 2)).detach()
    tensor(16.)
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"real and fake are paired by row and need one shape, got "
            f"{tuple(real.shape)} and {tuple(fake.shape)}."
        )
    x = _between(real.detach(), fake.detach(), generator).requires_grad_()
    with torch.enable_grad():
        slopes = _slopes(critic(x), x)
    excess = torch.linalg.vector_norm(slopes, dim=1) - target
    return (excess.clamp_min(0) if one_sided else excess).square().mean()


def _between(real: Tensor, fake: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return a random point on each line from a generated to a real sample."""
    device = real.device if generator is None else generator.device
    place = torch.rand(len(real), generator=generator, device=device).to(real)
    return torch.lerp(fake, real, place.reshape(-1, *[1] * (real.ndim - 1)))


def _slopes(logits: Tensor, x: Tensor) -> Tensor:
    """Return the gradient (B, D) of each sample's score with respect to it."""
    if logits.requires_grad:
        (found,) = torch.autograd.grad(
            logits.sum(), x, create_graph=True, allow_unused=True
        )
        if found is not None:
            return found.reshape(len(x), -1)
    raise ValueError(
        "the scores do not depend on the samples; compute them from the very tensor, "
        "without detach() and outside of torch.no_grad()."
    )
