"""Batches: shares of strata, whole passes, reproducible draws."""

from __future__ import annotations

import pytest
import torch

from mlmi_sklearn.generation.batches import Conditioned, GANBatches, GANData


def batches(strata=None, n=6, size=4, steps=9, n_critic=1, seed=0):
    rows = Conditioned(torch.arange(float(n))[:, None])
    groups = None if strata is None else torch.tensor(strata)
    data = GANData(rows, groups, steps, n_critic)
    draws = torch.Generator().manual_seed(seed)
    return list(GANBatches(data, size, draws))


def test_every_row_is_seen_once_in_a_pass():
    seen = torch.cat([b.x[:, 0] for b in batches(steps=3)])
    assert sorted(seen[:6].tolist()) == list(range(6))
    assert sorted(seen[6:12].tolist()) == list(range(6))


def test_strata_have_the_same_share_of_every_batch():
    for batch in batches([0, 0, 0, 0, 0, 1]):
        assert (batch.x == 5).sum() == 2


def test_all_rows_of_a_stratum_are_seen_alike():
    seen = torch.cat([b.x[:, 0] for b in batches([0, 0, 0, 0, 1, 1], steps=20)])
    counts = torch.bincount(seen.long())
    assert counts[:4].tolist() == [10] * 4
    assert counts[4:].tolist() == [20] * 2


def test_as_many_rows_as_the_critic_takes():
    found = batches(n_critic=3, n=100)
    assert {len(b.x) for b in found} == {12}


def test_small_sets_make_small_batches():
    assert {len(b.x) for b in batches(n=3, size=128)} == {3}


def test_draws_follow_the_seed():
    first, again, other = (torch.cat([b.x for b in batches(seed=s)]) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_conditions_stay_with_their_rows():
    x = torch.arange(5.0)[:, None]
    rows = Conditioned(x, x * 10, x.reshape(5, 1, 1) * 100, x[:, 0].long())
    data = GANData(rows, None, 4, 1)
    for batch in GANBatches(data, 3, torch.Generator().manual_seed(0)):
        assert torch.equal(batch.x * 10, batch.vector)
        assert torch.equal(batch.x[:, :, None] * 100, batch.maps)
        assert torch.equal(batch.x[:, 0].long(), batch.labels)


@pytest.mark.parametrize("steps", [1, 7])
def test_length_is_the_number_of_steps(steps):
    assert len(batches(steps=steps)) == steps
