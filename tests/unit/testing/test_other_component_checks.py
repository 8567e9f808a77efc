"""Divergences, adversarial losses and augmentations, sound and faulty."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn


def name_of(value):
    return getattr(value, "__name__", None)


class MeanGap(nn.Module):
    """A sound divergence: squared distance of means."""

    adversarial = False

    def __init__(self, in_features):
        super().__init__()

    def forward(self, zs, zt):
        return (zs.mean(0) - zt.mean(0)).square().sum()


class Critic(nn.Module):
    """A sound divergence with a critic."""

    adversarial = True

    def __init__(self, in_features):
        super().__init__()
        self.critic = nn.Linear(in_features, 1)

    def forward(self, zs, zt):
        return F.softplus(-self.critic(zs)).mean() + F.softplus(self.critic(zt)).mean()


class Paired(MeanGap):
    def forward(self, zs, zt):
        n = min(len(zs), len(zt))
        return (zs[:n] - zt[:n]).square().mean()


class NeverZero(MeanGap):
    def forward(self, zs, zt):
        return 100 + super().forward(zs, zt)


class Closeness(MeanGap):
    def forward(self, zs, zt):
        return -super().forward(zs, zt)


class Vector(MeanGap):
    def forward(self, zs, zt):
        return (zs.mean(0) - zt.mean(0)).square()


class SameSize(MeanGap):
    def forward(self, zs, zt):
        return (zs - zt).mean(0).square().sum()


class NoCritic(MeanGap):
    adversarial = True


class OneSided(MeanGap):
    def forward(self, zs, zt):
        return super().forward(zs, zt.detach())


class Unsaid(MeanGap):
    adversarial = None


class Changing(MeanGap):
    def forward(self, zs, zt):
        if not zs.requires_grad:
            zs.sub_(zs.mean(0))
        return super().forward(zs, zt)


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (Paired, "check_order_of_rows_of_samples", "as sets, not row by row"),
        (NeverZero, "check_zero_for_equal_samples", "for equal samples"),
        (Closeness, "check_zero_for_equal_samples", "should be larger"),
        (Vector, "check_scalar", "a tensor of shape (8,)"),
        (SameSize, "check_scalar", "RuntimeError"),
        (NoCritic, "check_attribute", "it has no parameters"),
        (OneSided, "check_gradients_of_both", "no gradient reaches the input"),
        (Unsaid, "check_attribute", "its attribute adversarial is None"),
        (Changing, "check_samples_are_left_alone", "changed the samples"),
    ],
    ids=name_of,
)
def test_faulty_divergences(failures, factory, check, words):
    found = failures("divergence", factory)
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [MeanGap, Critic])
def test_sound_divergences(failures, factory):
    assert failures("divergence", factory, example={"in_features": 3}) == {}


class NonSaturating:
    """A sound pair of losses."""

    def discriminator(self, real, fake):
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake):
        return F.softplus(-fake).mean()


class Unreduced(NonSaturating):
    def generator(self, fake):
        return F.softplus(-fake)


class Swapped(NonSaturating):
    def discriminator(self, real, fake):
        return super().discriminator(fake, real)


class Maximised(NonSaturating):
    def generator(self, fake):
        return -super().generator(fake)


class LogOfZero(NonSaturating):
    def generator(self, fake):
        return -torch.sigmoid(fake).log().mean()


class Half:
    discriminator = NonSaturating.discriminator


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (Unreduced, "check_scalars", "generator returned a tensor of shape (6, 1)"),
        (Swapped, "check_opponents", "both losses are minimised"),
        (Maximised, "check_opponents", "wants high scores for fakes"),
        (LogOfZero, "check_scalars", "Use logsigmoid"),
        (Half, "check_scalars", "no method 'generator'"),
    ],
    ids=name_of,
)
def test_faulty_adversarial_losses(failures, factory, check, words):
    found = failures("adversarial-loss", factory)
    assert check in found, found
    assert words in found[check]


def test_sound_adversarial_losses(failures):
    assert failures("adversarial-loss", NonSaturating) == {}


def brightness():
    def change(batch, generator):
        shift = torch.rand(len(batch), generator=generator).to(batch)
        return batch + shift.reshape(-1, *[1] * (batch.ndim - 1))

    return change


def global_noise():
    return lambda batch, generator: batch + torch.rand(1).to(batch)


def numpy_noise():
    return lambda batch, generator: batch + float(np.random.rand())


def in_place():
    return lambda batch, generator: batch.mul_(0.5)


def cropping():
    return lambda batch, generator: batch[..., 1:]


def single():
    return lambda batch, generator: batch.float()


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (global_noise, "check_generator_is_the_only_source", "global generator"),
        (numpy_noise, "check_generator_is_the_only_source", "of one seed differ"),
        (in_place, "check_batch_is_left_alone", "work on a clone"),
        (cropping, "check_batch_is_kept", "became (1, 1, 16, 15)"),
        (single, "check_batch_is_kept", "torch.float32"),
    ],
)
def test_faulty_augmentations(failures, factory, check, words):
    found = failures("augmentation", factory)
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("takes", ["vector", "image", "volume", "sequence"])
def test_sound_augmentations(failures, takes):
    assert failures("augmentation", brightness, tags={"input": takes}) == {}
