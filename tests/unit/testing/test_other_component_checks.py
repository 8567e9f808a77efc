"""Adversarial losses and augmentations, sound and faulty."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F


def name_of(value):
    return getattr(value, "__name__", None)


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
