"""The sampler of episodes: who is drawn, how often, and what is left empty."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import chisquare

from mlmi_sklearn.model_selection.episodes import EpisodeSampler

ZERO = np.zeros(1, dtype=np.int64)


def draw(sampler, n=1, seed=0, tasks=None):
    tasks = np.zeros(n, dtype=np.int64) if tasks is None else np.asarray(tasks)
    return sampler.draw(np.random.default_rng(seed), tasks)


def test_shapes_and_labels():
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(6), 8))
    sampler = EpisodeSampler(classes, n_way=4, n_shot=2, n_query=3)
    drawn = draw(sampler, 50)
    assert len(drawn) == 50
    assert drawn.support.shape == (50, 4, 2)
    assert drawn.query.shape == (50, 4, 3)
    assert_array_equal(
        classes[drawn.support], np.repeat(drawn.classes[:, :, None], 2, 2)
    )
    assert_array_equal(classes[drawn.query], np.repeat(drawn.classes[:, :, None], 3, 2))
    for i in range(50):
        assert len(set(drawn.classes[i])) == 4
        support, query = drawn.rows(i)
        assert len({*support, *query}) == 20


def test_episodes_keep_to_their_group():
    rng = np.random.default_rng(0)
    groups, classes = rng.integers(0, 5, 200), rng.integers(0, 3, 200)
    sampler = EpisodeSampler(classes, groups, n_shot=2, n_query=4)
    assert (sampler.n_tasks, sampler.n_way) == (5, 3)
    tasks = np.tile(np.arange(5), 8)
    drawn = draw(sampler, tasks=tasks)
    assert_array_equal(drawn.tasks, tasks)
    for i, task in enumerate(tasks):
        for rows in drawn.rows(i):
            assert set(groups[rows]) == {task}


def test_regression_has_one_way():
    groups = np.repeat([0, 1], [5, 30])
    sampler = EpisodeSampler(groups=groups, n_shot=4, n_query=10)
    drawn = draw(sampler, tasks=[0, 1, 0])
    assert drawn.classes.tolist() == [[0], [0], [0]]
    assert [len(drawn.rows(i)[0]) for i in range(3)] == [4, 4, 4]
    assert [len(drawn.rows(i)[1]) for i in range(3)] == [1, 10, 1]


@pytest.mark.parametrize("n", range(1, 8))
def test_small_cells_share_what_they_have(n):
    """One row stays for the query as long as there are two."""
    sampler = EpisodeSampler(n_rows=n, n_shot=3, n_query=2)
    support, query = draw(sampler).rows(0)
    assert len(support) == min(3, max(n - 1, 1))
    assert len(query) == min(2, n - len(support))
    assert len({*support, *query}) == len(support) + len(query)


@pytest.mark.parametrize("n", [200, 256, 257, 1000])
def test_large_and_small_cells_alike(n):
    """Both ways of drawing, also side by side, know every row and none twice."""
    groups = np.repeat([0, 1, 2], [n, 5, n])
    sampler = EpisodeSampler(groups=groups, n_shot=4, n_query=6)
    drawn = draw(sampler, tasks=np.tile([0, 1, 2], 200))
    for i in range(len(drawn)):
        support, query = drawn.rows(i)
        both = [*support, *query]
        assert len(set(both)) == len(both) == (5 if i % 3 == 1 else 10)
        assert set(groups[both]) == {i % 3}
    rows = np.concatenate([drawn.rows(i)[0] for i in range(0, 600, 3)])
    assert rows.min() < n / 8
    assert rows.max() >= n * 7 / 8


def test_more_is_wanted_than_there_is():
    classes = np.repeat([0, 1], [1, 3])
    drawn = draw(EpisodeSampler(classes, n_way=5, n_shot=10, n_query=300), 20)
    assert (drawn.classes >= 0).sum(1).tolist() == [2] * 20
    assert_array_equal(np.sort(drawn.classes, 1)[:, :3], -1)
    assert (drawn.support >= 0).sum((1, 2)).tolist() == [1 + 2] * 20
    assert (drawn.query >= 0).sum((1, 2)).tolist() == [1] * 20


def test_rows_and_classes_are_equally_likely():
    classes = np.repeat(np.arange(5), 6)
    sampler = EpisodeSampler(classes, n_way=2, n_shot=1, n_query=2)
    drawn = draw(sampler, 3000)
    for part in (drawn.support, drawn.query):
        assert chisquare(np.bincount(part.ravel(), minlength=30)).pvalue > 1e-3
    for way in range(2):
        assert chisquare(np.bincount(drawn.classes[:, way])).pvalue > 1e-3
    large = EpisodeSampler(n_rows=300, n_shot=1, n_query=2)
    counts = np.bincount(draw(large, 3000).query.ravel(), minlength=300)
    assert chisquare(counts).pvalue > 1e-3


def test_seeds_repeat_and_differ():
    sampler = EpisodeSampler(np.repeat(np.arange(5), 9), n_way=3)
    first = draw(sampler, 10, seed=1)
    assert_array_equal(first.support, draw(sampler, 10, seed=1).support)
    assert (first.support != draw(sampler, 10, seed=2).support).any()


def test_usable_tasks():
    groups = np.repeat(np.arange(5), [1, 2, 3, 4, 2])
    classes = np.array([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 2, 2])
    sampler = EpisodeSampler(classes, groups)
    assert sampler.usable().tolist() == [False, False, True, True, True]
    assert sampler.usable(2).tolist() == [False, False, True, False, False]
    assert EpisodeSampler(groups=groups).usable().tolist() == [False, *[True] * 4]
    assert EpisodeSampler(n_rows=1).usable().tolist() == [False]
    for task in np.flatnonzero(sampler.usable()):
        assert len(draw(sampler, tasks=[task]).rows(0)[1]) > 0


def test_nothing_to_draw():
    drawn = draw(EpisodeSampler(np.arange(3)), tasks=np.zeros(0, dtype=np.int64))
    assert len(drawn) == 0
    assert drawn.support.shape == (0, 3, 1)
    assert_array_equal(draw(EpisodeSampler(n_rows=1)).rows(0)[0], ZERO)
