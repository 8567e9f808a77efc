"""What one step of adversarial training computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..nn.adversarial import gradient_penalty, r1_penalty
from ..nn.generation import ConditionalDiscriminator, Sampler
from .batches import Conditioned

__all__ = ["Objective", "Settings"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Settings:
    """What is added to the pair of losses.

    Parameters
    ----------
    r1 : float
        Weight of the penalty on the slope of the discriminator at real samples.
    r1_interval : int
        Steps between two such penalties, each of which then weighs as many times as
        much (lazy regularisation).
    gradient_penalty : float
        Weight of the penalty on slopes that are not one, between real and false.
    diversity : float
        Weight of the reward for different samples of different latent vectors.
    augment : callable or None
        Random change of everything the discriminator sees.
    """

    r1: float = 0.0
    r1_interval: int = 1
    gradient_penalty: float = 0.0
    diversity: float = 0.0
    augment: Augmentation | None = None


class Objective:
    r"""Losses of both players for a batch.

    The discriminator minimises

    .. math:: L_D + \frac{r_1}{2} E \|\nabla_x D(x, y)\|^2
       + g\, E (\|\nabla D\| - 1)^2,

    the generator :math:`L_G - d\, E \|G(z_1, y) - G(z_2, y)\| / \|z_1 - z_2\|`.

    Parameters
    ----------
    loss : object
        Component of the kind "adversarial-loss".
    settings : Settings
        The weights.
    generator : torch.Generator
        Source of augmentations and of the places between real and false samples.

    References
    ----------
    Mescheder, Geiger and Nowozin, *Which training methods for GANs do actually
    converge?*, ICML 2018, equation 9. Gulrajani et al., *Improved training of
    Wasserstein GANs*, NeurIPS 2017, equation 3. Mao et al., *Mode seeking generative
    adversarial networks*, CVPR 2019, equation 2. Zhao et al., *Differentiable
    augmentation for data-efficient GAN training*, NeurIPS 2020, equations 3 and 4.
    Karras et al., *Analyzing and improving the image quality of StyleGAN*, CVPR 2020,
    section 3.1 (lazy regularisation).
    """

    def __init__(
        self, loss: Any, settings: Settings, generator: torch.Generator
    ) -> None:
        self.loss = loss
        self.settings = settings
        self.generator = generator
        own = float(getattr(loss, "gradient_penalty", 0.0) or 0.0)
        self.slope_weight = settings.gradient_penalty or own
        self.teaches_classes = bool(getattr(loss, "auxiliary", False))

    def discriminator(
        self,
        critic: ConditionalDiscriminator,
        batch: Conditioned,
        fake: Tensor,
        step: int,
    ) -> Tensor:
        """Return the loss of the discriminator; ``fake`` has no gradient."""
        real, fake = self._seen(batch.x), self._seen(fake)
        every = self.settings.r1_interval
        with_r1 = self.settings.r1 > 0 and step % every == 0
        if with_r1:
            real = real.detach().requires_grad_()
        apart = with_r1 or self.teaches_classes or critic.sees_batches
        judged = self._judge_apart if apart else self._judge_together
        on_real, on_fake, scores = judged(critic, batch, real, fake)
        loss = self.loss.discriminator(on_real, on_fake)
        if with_r1:
            loss = loss + self.settings.r1 * every * r1_penalty(on_real, real)
        if self.slope_weight:
            loss = loss + self.slope_weight * self._slopes(critic, batch, real, fake)
        if self.teaches_classes:
            loss = loss + self._class_loss(scores, batch)
        return loss

    def _judge_together(
        self,
        critic: ConditionalDiscriminator,
        batch: Conditioned,
        real: Tensor,
        fake: Tensor,
    ) -> tuple[Tensor, Tensor, None]:
        """Judge both in one pass: half the calls, where rows do not see each other."""
        twice = [None if t is None else torch.cat([t, t]) for t in batch.conditions]
        on_real, on_fake = critic(torch.cat([real, fake]), *twice).split(len(real))
        return on_real, on_fake, None

    def _judge_apart(
        self,
        critic: ConditionalDiscriminator,
        batch: Conditioned,
        real: Tensor,
        fake: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        on_real, scores = critic.judge(real, *batch.conditions)
        return on_real, critic(fake, *batch.conditions), scores

    def _slopes(
        self,
        critic: ConditionalDiscriminator,
        batch: Conditioned,
        real: Tensor,
        fake: Tensor,
    ) -> Tensor:
        def judge(x: Tensor) -> Tensor:
            return critic(x, *batch.conditions)

        return gradient_penalty(judge, real.detach(), fake, self.generator)

    def generator_loss(
        self,
        critic: ConditionalDiscriminator,
        batch: Conditioned,
        fake: Tensor,
    ) -> Tensor:
        """Return the loss of the generator behind ``fake``."""
        logits, scores = critic.judge(self._seen(fake), *batch.conditions)
        loss = self.loss.generator(logits)
        if self.teaches_classes:
            loss = loss + self._class_loss(scores, batch)
        return loss

    def diversity(
        self, sampler: Sampler, batch: Conditioned, fake: Tensor, z: Tensor, z2: Tensor
    ) -> Tensor:
        """Return the weighted reward, negative, for differing from a second draw."""
        other = sampler(z2, *batch.conditions)
        moved = (fake - other).abs().flatten(1).mean(1)
        latent = (z - z2).abs().mean(1)
        return -self.settings.diversity * (moved / latent).mean()

    def _class_loss(self, scores: Tensor | None, batch: Conditioned) -> Tensor:
        assert scores is not None
        assert batch.labels is not None
        return self.loss.auxiliary_weight * self.loss.auxiliary_loss(
            scores, batch.labels
        )

    def _seen(self, x: Tensor) -> Tensor:
        augment = self.settings.augment
        return x if augment is None else augment(x, self.generator)
