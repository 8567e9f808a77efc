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


def identity():
    return lambda batch, generator: batch + 0


def contrast_of_the_batch():
    def change(batch, generator):
        factor = torch.rand(len(batch), 1, 1, 1, generator=generator).to(batch)
        return (batch - batch.mean()) * factor + batch.mean()

    return change


def mixing():
    def change(batch, generator):
        order = torch.randperm(len(batch), generator=generator)
        return 0.9 * batch + 0.1 * batch[order]

    return change


def drawn(batch, generator):
    return torch.rand(len(batch), 1, 1, 1, generator=generator).to(batch)


def viewing():
    def change(batch, generator):
        return batch.view(len(batch), -1).view(batch.shape) + drawn(batch, generator)

    return change


def square_only():
    def change(batch, generator):
        turn = drawn(batch, generator) < 0.5
        return torch.where(turn, batch.transpose(2, 3), batch)

    return change


def wide_alone():
    def change(batch, generator):
        noise = torch.rand(len(batch), 1, 16, 16, generator=generator).to(batch)
        return batch + noise if batch.shape[2:] == (16, 16) else batch[..., :12]

    return change


def detached():
    def change(batch, generator):
        return batch.detach() + drawn(batch, generator)

    return change


def by_numpy():
    def change(batch, generator):
        return torch.from_numpy(batch.numpy() * 1.0) + drawn(batch, generator)

    return change


def rounding():
    def change(batch, generator):
        return ((batch + drawn(batch, generator)) * 16).round() / 16

    return change


class OnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient


def once_only():
    return lambda batch, generator: OnceOnly.apply(batch) + drawn(batch, generator)


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (global_noise, "check_generator_is_the_only_source", "global generator"),
        (numpy_noise, "check_generator_is_the_only_source", "of one seed differ"),
        (in_place, "check_batch_is_left_alone", "work on a clone"),
        (cropping, "check_batch_is_kept", "became (1, 1, 16, 15)"),
        (single, "check_batch_is_kept", "torch.float32"),
        (identity, "check_it_changes_something", "8 generators gave the same"),
        (contrast_of_the_batch, "check_samples_keep_to_themselves", "not over the"),
        (mixing, "check_samples_keep_to_themselves", "labels would no longer be true"),
        (viewing, "check_batch_in_any_layout", "view size is not compatible"),
        (square_only, "check_batch_in_any_layout", "must match the size"),
        (wide_alone, "check_batch_in_any_layout", "became (4, 3, 12, 12)"),
        (detached, "check_gradients_pass_through", "no gradient reaches the batch"),
        (by_numpy, "check_gradients_pass_through", "Can't call numpy()"),
        (rounding, "check_gradients_pass_through", "gradient of the batch is zero"),
        (once_only, "check_gradients_pass_through", "cannot be differentiated"),
    ],
    ids=name_of,
)
def test_faulty_augmentations(failures, factory, check, words):
    found = failures("augmentation", factory)
    assert check in found, found
    assert words in found[check]


def test_every_kind_of_the_tag_is_tried(failures):
    def images_alone():
        return lambda batch, generator: batch + drawn(batch, generator)

    assert failures("augmentation", images_alone, tags={"input": "image"}) == {}
    found = failures("augmentation", images_alone, tags={"input": ("image", "volume")})
    assert "check_batch_is_kept" in found


@pytest.mark.parametrize(
    "takes", ["vector", "image", "volume", "sequence", ("image", "volume")]
)
def test_sound_augmentations(failures, takes):
    assert failures("augmentation", brightness, tags={"input": takes}) == {}
