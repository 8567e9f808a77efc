"""Parts of translators: pools of fakes, judges, similarity, looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn.generation.translation_inputs import RowCodec
from mlmi_sklearn.generation.translation_net import TranslationBatches, TranslationData
from mlmi_sklearn.generation.translation_quality import looks_of, structural_similarity
from mlmi_sklearn.nn.generation.translation import (
    FakePool,
    TranslationModel,
    Translator,
    fitted_to,
)
from mlmi_sklearn.nn.generators import MLPGenerator, UNetGenerator


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


# -- pool ------------------------------------------------------------------------------


def test_a_pool_loses_nothing_and_makes_nothing_up():
    pool, source = FakePool(7), draws()
    given, shown = [], []
    for k in range(20):
        batch = torch.arange(4.0)[:, None] + 4 * k
        given.append(batch)
        shown.append(pool.swap(batch, source))
    kept = pool._kept[:, 0].tolist()
    out = torch.cat(shown)[:, 0].tolist()
    # While it fills, a sample is both shown and kept.
    first = set(torch.cat(given)[:7, 0].tolist())
    assert set(out) | set(kept) == set(torch.cat(given)[:, 0].tolist())
    assert len(kept) == len(set(kept)) == 7
    twice = {v for v in out if out.count(v) > 1}
    assert twice <= first


def test_half_of_what_a_full_pool_shows_is_old():
    pool, source = FakePool(50), draws()
    pool.swap(torch.zeros(50, 1), source)
    seen = torch.cat(
        [pool.swap(torch.full((8, 1), 1.0 * k), source) for k in range(1, 41)]
    )
    new = torch.arange(1, 41).repeat_interleave(8)[:, None]
    assert 0.4 < (seen == new).float().mean() < 0.6


def test_no_pool_passes_through():
    fakes = torch.rand(3, 2)
    assert FakePool(0).swap(fakes, draws()) is fakes


def test_a_pool_does_not_change_its_input_nor_keep_views_of_it():
    pool, source = FakePool(4), draws()
    for _ in range(6):
        fakes = torch.rand(3, 2)
        before = fakes.clone()
        pool.swap(fakes, source)
        assert torch.equal(fakes, before)
        kept = pool._kept.clone()
        fakes.zero_()
        assert torch.equal(pool._kept, kept)


# -- translators -----------------------------------------------------------------------


def test_a_translator_brings_images_to_the_size_of_its_output():
    net = Translator(UNetGenerator(0, (2, 12, 10), 0, 1), (2, 12, 10))
    assert net(torch.zeros(3, 1, 6, 5)).shape == (3, 2, 12, 10)


def test_images_of_the_right_size_are_not_touched():
    images = torch.rand(2, 1, 5, 7)
    assert fitted_to(images, (5, 7)) is images
    assert fitted_to(torch.ones(2, 1, 3, 4, 5), (6, 4, 2)).eq(1).all()


def test_rows_reach_the_generator_as_a_vector():
    generator = MLPGenerator(0, (2,), 3, norm="none")
    x = torch.rand(4, 3)
    wanted = generator(torch.zeros(4, 0), x)
    assert torch.equal(Translator(generator, (2,))(x), wanted)


def test_the_average_begins_as_a_copy_of_its_own():
    there = nn.Linear(2, 2)
    model = TranslationModel({"there": there}, {"there": nn.Linear(2, 1)})
    before = model(torch.ones(1, 2))
    with torch.no_grad():
        there.weight.add_(1.0)
    assert torch.equal(model(torch.ones(1, 2)), before)
    model.averaging().update(0.0)
    assert torch.equal(model(torch.ones(1, 2)), there(torch.ones(1, 2)))
    assert not any(p.requires_grad for p in model.average.parameters())


# -- batches ---------------------------------------------------------------------------


def test_pairs_stay_together_and_steps_end_on_time():
    x = torch.arange(10.0)[:, None]
    data = TranslationData(x, -x, True, 7)
    batches = TranslationBatches(data, 4, draws())
    for wanted in (7, 3):
        batches.n_steps = wanted
        found = list(batches)
        assert len(found) == wanted
        assert all(torch.equal(b.x, -b.maps) for b in found)


def test_unpaired_batches_are_drawn_apart_and_of_one_size():
    x, y = torch.arange(10.0)[:, None], torch.arange(3.0)[:, None]
    data = TranslationData(x, y, False, 40)
    found = list(TranslationBatches(data, 4, draws()))
    assert {(len(b.x), len(b.maps)) for b in found} == {(3, 3)}
    assert set(torch.cat([b.x[:, 0] for b in found]).tolist()) == set(range(10))
    together = {
        (int(a), int(b)) for o in found for a, b in zip(o.x, o.maps, strict=True)
    }
    assert len(together) == 30


# -- quality ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 20, 13), (3, 9, 30), (1, 8, 9, 10)])
def test_similarity_is_that_of_scikit_image(shape):
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a = rng.random((4, *shape)).astype(np.float32)
    b = (0.7 * a + 0.3 * rng.random((4, *shape))).astype(np.float32)
    wanted = [
        metrics.structural_similarity(
            p.astype(float), q.astype(float), data_range=1.0, channel_axis=0
        )
        for p, q in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(structural_similarity(a, b, 1.0), wanted, rtol=1e-6)


@pytest.mark.parametrize("side", [1, 2, 3, 6, 7])
def test_similarity_of_small_images(side):
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 3, 1, side, 9))
    np.testing.assert_allclose(structural_similarity(a, a, 1.0), 1.0)
    found = structural_similarity(a, b, 1.0)
    assert np.isfinite(found).all()
    assert (found < 1).all()
    np.testing.assert_allclose(found, structural_similarity(b, a, 1.0))


def test_similarity_takes_integers_and_does_not_depend_on_the_unit():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 255, (2, 3, 1, 9, 9), dtype=np.uint8)
    wanted = structural_similarity(a / 255, b / 255, 1.0)
    np.testing.assert_allclose(structural_similarity(a, b, 255.0), wanted)


def test_looks_tell_brightness_and_contrast_place_by_place():
    images = np.zeros((2, 1, 8, 8))
    images[1, 0, :2, :2] = [[0, 2], [0, 2]]
    looks = looks_of(images)
    assert looks.shape == (2, 32)
    assert looks[0].tolist() == [0.0] * 32
    assert looks[1, :2].tolist() == [1.0, 1.0]
    assert looks[1, 2:].tolist() == [0.0] * 30


def test_looks_of_wide_rows_are_projected_in_the_same_way_each_time():
    X = np.random.default_rng(0).normal(size=(30, 500))
    looks = looks_of(X)
    assert looks.shape == (30, 64)
    np.testing.assert_allclose(looks_of(X[:7]), looks[:7], rtol=1e-9)
    assert looks_of(X[:, :64]).shape == (30, 64)


def test_rows_come_back_in_their_units():
    X = np.array([[1e8, 5.0, -3e-9], [1e8 + 2, 5.0, 1e-9], [1e8 - 7, 5.0, 0.0]])
    codec = RowCodec().fit(X)
    Z = codec.encode(X)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z.std(0)[[0, 2]], 1.0, rtol=1e-5)
    np.testing.assert_allclose(codec.decode(Z), X, rtol=1e-6, atol=1e-15)
