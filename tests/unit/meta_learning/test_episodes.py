"""Episodes as tensors: labels, padding, order, pace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlmi_sklearn.meta_learning.episodes import EpisodeBatches, EpisodeData, Pace
from mlmi_sklearn.model_selection.episodes import EpisodeSampler
from mlmi_sklearn.training.data import Targets, TensorRows


def make(classes=None, groups=None, *, local=True, pace=(3, 6), y=None, **sizes):
    """Return rows whose value is their number."""
    n = len(classes if classes is not None else groups)
    sampler = EpisodeSampler(classes, groups, **sizes)
    y = np.arange(n) if y is None else y
    usable = np.flatnonzero(sampler.usable(2 if local and classes is not None else 1))
    return EpisodeData(
        TensorRows(torch.arange(n, dtype=torch.float64)[:, None]),
        Targets(torch.as_tensor(y)),
        sampler,
        Pace(*pace),
        sampler.n_way if local else int(np.max(y)) + 1,
        local,
        usable,
    )


def batches(data, seed=0):
    return [b for b, _ in EpisodeBatches(data, np.random.default_rng(seed))]


def parts_of(batch):
    for part in batch.parts:
        for i in range(len(part.support.x)):
            yield part.narrow(i, i + 1)


CLASSES = np.repeat(np.arange(7), 6)


def test_local_labels_are_ways():
    data = make(CLASSES, n_way=4, n_shot=2, n_query=3)
    for batch in batches(data):
        for part in parts_of(batch):
            assert part.n_outputs == 4
            seen = {}
            for rows in (part.support, part.query):
                numbers = rows.x[0, :, 0].long().numpy()
                for way, number in zip(rows.y[0].tolist(), numbers, strict=True):
                    assert seen.setdefault(way, CLASSES[number]) == CLASSES[number]
            assert len(set(seen.values())) == 4
            both = torch.cat([part.support.x, part.query.x], 1).flatten().tolist()
            assert len(set(both)) == len(both) == 20
            assert part.support.rows is None


def test_global_labels_stay():
    data = make(CLASSES, CLASSES % 2, local=False, y=CLASSES, n_shot=1, n_query=2)
    for batch in batches(data):
        for part in parts_of(batch):
            for rows in (part.support, part.query):
                numbers = rows.x[0, :, 0].long()
                counted = (
                    torch.ones(len(numbers)) if rows.rows is None else rows.rows[0]
                )
                good = counted > 0
                assert torch.equal(
                    rows.y[0][good], torch.as_tensor(CLASSES)[numbers][good]
                )
            assert part.n_outputs == 7


def test_ragged_ways_are_apart_and_ragged_rows_marked():
    classes = np.r_[np.repeat([0, 1, 2], 5), np.repeat([3, 4], [2, 9])]
    groups = np.r_[np.zeros(15, int), np.ones(11, int)]
    data = make(classes, groups, n_way=3, n_shot=3, n_query=4, pace=(2, None))
    (batch,) = batches(data)
    assert [p.n_outputs for p in batch.parts] == [2, 3]
    assert len(batch) == 2
    small = batch.parts[0]
    # One row of the class of two is to learn from, one to be judged by.
    assert small.support.rows.sum() == 1 + 3
    assert small.query.rows.sum() == 1 + 4
    marked = small.support.x[small.support.rows > 0].flatten().tolist()
    assert len(set(marked)) == 4


def test_tasks_that_cannot_teach_take_no_part():
    groups = np.repeat(np.arange(5), [1, 4, 1, 2, 9])
    data = make(
        None, groups, local=False, n_shot=2, n_query=3, pace=(2, None), y=groups
    )
    assert data.tasks.tolist() == [1, 3, 4]
    sizes = [len(b) for b in batches(data)]
    assert sizes == [2, 1] == [len(b) for b in batches(data, 1)]
    assert len(EpisodeBatches(data, np.random.default_rng(0))) == 2
    seen = {int(p.query.y[0, 0]) for b in batches(data) for p in parts_of(b)}
    assert seen == {1, 3, 4}
    assert all(
        p.query.rows is None or p.query.rows.sum() > 0
        for b in batches(data)
        for p in parts_of(b)
    )


def test_an_epoch_visits_tasks_evenly():
    groups = np.repeat(np.arange(6), 4)
    data = make(None, groups, local=False, n_shot=1, n_query=2, pace=(4, 15), y=groups)
    seen = [int(p.query.y[0, 0]) for b in batches(data) for p in parts_of(b)]
    assert len(seen) == 15
    counts = np.bincount(seen)
    assert counts.min() >= 2
    assert counts.max() <= 3


def test_chunks_cut_tasks_only():
    data = make(CLASSES, n_way=3, n_shot=1, n_query=2, pace=(5, 5))
    (batch,) = batches(data)
    chunks = list(batch.chunks(2))
    assert [len(c.support.x) for c in chunks] == [2, 2, 1]
    whole = torch.cat([c.query.x for c in chunks])
    assert torch.equal(whole, batch.parts[0].query.x)
    assert [len(c.support.x) for c in batch.chunks(99)] == [5]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_repeats(seed):
    data = make(CLASSES, n_way=3, n_shot=1, n_query=2)
    first, second = batches(data, seed), batches(data, seed)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.parts[0].support.x, b.parts[0].support.x)
    other = batches(data, seed + 5)
    assert not torch.equal(first[0].parts[0].support.x, other[0].parts[0].support.x)


def test_moving_keeps_all():
    data = make(CLASSES, n_way=3, n_shot=1, n_query=2)
    moved = data.to(torch.device("cpu"))
    assert (moved.n_outputs, moved.local) == (data.n_outputs, data.local)
    assert moved.tasks is data.tasks
    assert torch.equal(
        batches(moved)[0].parts[0].query.x, batches(data)[0].parts[0].query.x
    )
