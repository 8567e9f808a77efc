"""Discriminators that see conditions, and the average of a generator."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mlmi_sklearn.nn.backbones import MLP, ConvNet
from mlmi_sklearn.nn.generation import (
    Block,
    ConditionalDiscriminator,
    GANModel,
    OutputActivation,
    Sampler,
    WeightAverage,
)
from mlmi_sklearn.nn.generation.discriminator import (
    MinibatchDeviation,
    apply_spectral_norm,
    discriminator_input_shape,
)
from mlmi_sklearn.nn.generators import MLPGenerator

X, Y = torch.randn(6, 4), torch.eye(3)[[0, 1, 2, 0, 1, 2]]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def critic(conditioning="concat", **params):
    shape = discriminator_input_shape((4,), 3, 0, conditioning)
    return ConditionalDiscriminator(MLP(shape, hidden=8), 3, conditioning, **params)


@pytest.mark.parametrize("conditioning", ["concat", "projection"])
def test_condition_changes_the_score(conditioning):
    judge = critic(conditioning)
    scores = judge(X, Y)
    assert scores.shape == (6,)
    assert not torch.allclose(scores, judge(X, Y.roll(1, 0)))


def test_projection_is_the_formula():
    judge = critic("projection")
    f = judge.backbone(X)
    wanted = judge.head(f)[:, 0] + (judge.projection(Y) * f).sum(1)
    assert_close(judge(X, Y), wanted)


def test_images_get_constant_channels_and_maps():
    shape = discriminator_input_shape((1, 8, 12), 3, 2)
    assert shape == (6, 8, 12)
    judge = ConditionalDiscriminator(ConvNet(shape, channels=(4, 4)), 3).eval()
    x, maps = torch.randn(2, 1, 8, 12), torch.randn(2, 2, 8, 12)
    assert judge(x, Y[:2], maps).shape == (2,)
    assert not torch.allclose(judge(x, Y[:2], maps), judge(x, Y[:2], -maps))


def test_auxiliary_scores():
    logits, scores = critic(n_auxiliary=3).judge(X, Y)
    assert logits.shape == (6,)
    assert scores.shape == (6, 3)
    assert critic().judge(X, Y)[1] is None


def test_minibatch_deviation_sees_collapse_and_keeps_rows_apart_in_evaluation():
    judge = critic(minibatch_std=True)
    assert judge.sees_batches
    assert not critic().sees_batches
    for _ in range(5):
        judge(X, Y)
    judge.eval()
    assert_close(judge(X, Y)[:2], judge(X[:2], Y[:2]))
    part = MinibatchDeviation(2)
    same, spread = part(torch.ones(4, 2))[0, 2:], part(torch.randn(4, 2))[0, 2:]
    assert float(same.max()) < 1e-3 < float(spread.max())


def test_gradient_of_the_deviation_is_finite_where_features_agree():
    f = torch.ones(4, 2, requires_grad=True)
    MinibatchDeviation(2)(f).sum().backward()
    assert bool(torch.isfinite(f.grad).all())


def test_spectral_norm_bounds_the_slope():
    judge = apply_spectral_norm(critic())
    for _ in range(30):
        judge(X, Y)
    judge.eval()
    x = X.clone().requires_grad_()
    (slope,) = torch.autograd.grad(judge(x, Y).sum(), x)
    assert float(slope.norm(dim=1).max()) < 1 + 1e-3


def model(generator=None):
    activation = OutputActivation([Block("linear", 0, 2), Block("softmax", 2, 4)])
    generator = generator or MLPGenerator(5, (4,), vector_size=3, hidden=8)
    return GANModel(Sampler(generator, activation, 5), critic(), (4,))


def test_latent_numbers_are_those_of_all_parts():
    assert model().sampler.noise_dim == 5 + 2


def test_samples_for_use_have_whole_categories():
    gan = model().eval()
    x = gan(torch.randn(6, 7), Y, None)
    assert set(x[:, 2:].flatten().tolist()) == {0.0, 1.0}
    soft = gan.sampler(torch.randn(6, 7), Y)
    assert not set(soft[:, 2:].flatten().tolist()) <= {0.0, 1.0}


def test_average_follows_the_formula_and_does_not_learn():
    gan = model()
    assert not any(p.requires_grad for p in gan.average.parameters())
    mean, live = nn.Linear(2, 2), nn.Linear(2, 2)
    before = mean.weight.detach().clone()
    WeightAverage(mean, live).update(0.75)
    assert_close(mean.weight.detach(), 0.75 * before + 0.25 * live.weight.detach())


def test_norms_are_measured_anew():
    gan = model()
    draws = [(torch.randn(64, 7), torch.eye(3)[torch.randint(3, (64,))], None)] * 3
    gan.eval()
    gan.renew_norms(draws)
    norm = next(m for m in gan.average.modules() if isinstance(m, nn.BatchNorm1d))
    assert not norm.training
    assert norm.momentum == 0.1
    first = next(m for m in gan.average.modules() if isinstance(m, nn.Linear))
    z, vector, _ = draws[0]
    seen = first(torch.cat([z[:, :5], vector], 1))
    assert_close(norm.running_mean, seen.mean(0), atol=1e-5, rtol=1e-4)


def test_norms_of_a_net_without_any_are_no_trouble():
    gan = model(MLPGenerator(5, (4,), vector_size=3, hidden=8, norm="none"))
    gan.renew_norms([(torch.randn(4, 7), Y[:4], None)])
