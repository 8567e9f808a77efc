"""A critic that learns by itself whenever it is shown samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_interval
from .contract import AdversarialLoss
from .penalties import gradient_penalty, r1_penalty

__all__ = ["Opponent", "Standardization"]

# Of the typical standard deviation: what varies less is not blown up further.
_SMALLEST = 0.1


class Standardization(nn.Module):
    """Centre and scale samples by the means and deviations of a reference set.

    Vectors feature by feature, images and volumes (with their channels first) channel
    by channel, all else as a whole. Deviations below a tenth of the typical one count
    as that tenth: a feature that is nearly constant would otherwise drown all others.

    Parameters
    ----------
    reference : Tensor of shape (n, ...)
        Samples.

    Examples
    --------
    >>> samples = torch.tensor([[0.0, 5.0], [2.0, 5.0]])
    >>> Standardization(samples)(samples)
    tensor([[-1.,  0.],
            [ 1.,  0.]])
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, reference: Tensor) -> None:
        super().__init__()
        keep = 1 if reference.ndim in (2, 4, 5) else -1
        axes = [axis for axis in range(reference.ndim) if axis != keep]
        centre = reference.mean(axes, keepdim=True)
        spread = (reference - centre).square().mean(axes, keepdim=True).sqrt()
        spread = spread.clamp_min(_SMALLEST * spread.square().mean().sqrt())
        self.register_buffer("centre", centre)
        self.register_buffer("spread", torch.where(spread > 0, spread, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the samples, scaled."""
        return (x - self.centre) / self.spread


class Opponent(nn.Module):
    """A critic, the loss it learns by, and an optimiser of its own.

    Its weights can be changed by :meth:`teach` alone: gradients that go through
    :meth:`score` do not reach them, and an optimiser that has been given them finds no
    gradient to follow.

    Parameters
    ----------
    critic : nn.Module
        Maps samples to scores (B, 1).
    loss : AdversarialLoss
        If it asks for a ``gradient_penalty``, it gets one of weight `penalty`, on
        slopes above one; the others get :func:`~.penalties.r1_penalty`.
    lr : float, default=1e-3
        Step size of Adam, greater than 0.
    penalty : float, default=0.1
        Weight of the penalty, not negative.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from mlmi_sklearn.nn.adversarial import NonSaturating
    >>> opponent = Opponent(nn.Linear(2, 1), NonSaturating(), lr=0.1)
    >>> real, fake = torch.ones(8, 2), -torch.ones(8, 2)
    >>> losses = [opponent.teach(real, fake, torch.Generator()) for _ in range(20)]
    >>> bool(losses[-1] < losses[0])
    True
    """

    def __init__(
        self,
        critic: nn.Module,
        loss: AdversarialLoss,
        lr: float = 1e-3,
        penalty: float = 0.1,
    ) -> None:
        super().__init__()
        self.critic = critic
        self.loss = loss
        self.penalty = check_interval(penalty, "penalty")
        self.wants_slopes_of_one = bool(getattr(loss, "gradient_penalty", 0.0))
        lr = check_interval(lr, "lr", closed="neither")
        weights = [p for p in critic.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(weights, lr=lr, betas=(0.5, 0.99))
        self._freeze(True)

    def teach(self, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
        """Take one step on samples.

        Parameters
        ----------
        real, fake : Tensor of shape (B, ...)
            What to score high, and low. Neither receives a gradient.
        generator : torch.Generator
            Source of points between the samples.

        Returns
        -------
        Tensor of shape ()
            Loss before the step, without the penalty.
        """
        self._freeze(False)
        try:
            with torch.enable_grad():
                loss, penalty = self._losses(real.detach(), fake.detach(), generator)
                gradients = torch.autograd.grad(
                    loss + penalty, self._weights, allow_unused=True
                )
            for weight, gradient in zip(self._weights, gradients, strict=True):
                weight.grad = gradient
            self.optimizer.step()
        finally:
            self._freeze(True)
        return loss.detach()

    def score(self, fake: Tensor) -> Tensor:
        """Return the loss of who made the samples, which they receive gradients of.

        Parameters
        ----------
        fake : Tensor of shape (B, ...)
            Samples.

        Returns
        -------
        Tensor of shape ()
            Loss of the generator.
        """
        return self.loss.generator(self.critic(fake))

    @property
    def _weights(self) -> list[Tensor]:
        return self.optimizer.param_groups[0]["params"]

    def _losses(
        self, real: Tensor, fake: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of the critic and its weighted penalty."""
        slopes_at_real = self.penalty > 0 and not self.wants_slopes_of_one
        real = real.requires_grad_(slopes_at_real)
        on_real, on_fake = self.critic(real), self.critic(fake)
        loss = self.loss.discriminator(on_real, on_fake)
        if self.penalty == 0:
            return loss, torch.zeros_like(loss)
        if slopes_at_real:
            return loss, self.penalty * r1_penalty(on_real, real)
        # Slopes of one where nothing is left to tell would push past the goal.
        slopes = gradient_penalty(self.critic, real, fake, generator, one_sided=True)
        return loss, self.penalty * slopes

    def _freeze(self, frozen: bool) -> None:
        """Make weights constants, as they are but for the critic's own steps."""
        for weight in self._weights:
            weight.grad = None
            weight.requires_grad_(not frozen)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Opponent:
        """Take the moments of the optimiser along to another device or type."""
        super()._apply(fn, recurse)
        self.optimizer.load_state_dict(self.optimizer.state_dict())
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state of the optimiser, for ``state_dict``."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from a state of the optimiser."""
        self.optimizer.load_state_dict(state)
