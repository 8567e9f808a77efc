"""Episodes: few-shot tasks drawn from labelled rows, many at a time.

An episode has rows to learn from (support) and other rows to be judged by (query). Two
kinds of tasks share one way of drawing. With classes, an episode has up to ``n_way`` of
them and the same number of rows of each; without (regression), it has one "way". With
groups, an episode keeps to one of them: a patient, a scanner, a sinusoid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EpisodeSampler", "Episodes"]

Array = NDArray[Any]

# Rows of a cell up to which all of them get a random key at once. Beyond, a few rows
# are drawn one cell at a time, which costs no memory in proportion to the cell.
_SMALL = 256


@dataclass(frozen=True)
class Episodes:
    """Row numbers of several episodes; -1 fills places that a task cannot.

    Parameters
    ----------
    support : ndarray of int of shape (n_episodes, n_way, n_shot)
        Rows to learn from.
    query : ndarray of int of shape (n_episodes, n_way, n_query)
        Rows to be judged by; none of them is in `support`.
    classes : ndarray of int of shape (n_episodes, n_way)
        Code of the class of each way, -1 for ways that a task does not have.
    tasks : ndarray of int of shape (n_episodes,)
        Code of the group of each episode.
    """

    support: Array
    query: Array
    classes: Array
    tasks: Array

    def __len__(self) -> int:
        return len(self.support)

    def rows(self, index: int) -> tuple[Array, Array]:
        """Return the row numbers of one episode, support and query."""
        support, query = self.support[index].ravel(), self.query[index].ravel()
        return support[support >= 0], query[query >= 0]


class EpisodeSampler:
    """Draw episodes from rows with classes, groups, or both.

    Parameters
    ----------
    classes : ndarray of int of shape (n_rows,), default=None
        Codes of classes, from 0. None for regression: one way with all rows.
    groups : ndarray of int of shape (n_rows,), default=None
        Codes of tasks, from 0. None: all rows are of one task.
    n_way : int, default=None
        Classes in an episode; a task with fewer takes part with those it has. None for
        all classes of the task.
    n_shot, n_query : int, default=1, 15
        Rows of each class in support and query. A class with too few rows keeps one
        for the query as long as it has two.
    n_rows : int, default=None
        Number of rows, where neither classes nor groups tell.

    Attributes
    ----------
    n_tasks : int
        Number of groups.
    n_way : int
        Size of the second axis of what is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> classes = np.repeat([0, 1, 2], 4)
    >>> sampler = EpisodeSampler(classes, n_way=2, n_shot=1, n_query=3)
    >>> drawn = sampler.draw(np.random.default_rng(0), np.array([0]))
    >>> drawn.support.shape, drawn.query.shape
    ((1, 2, 1), (1, 2, 3))
    >>> bool((classes[drawn.query[0]] == drawn.classes[0][:, None]).all())
    True
    """

    def __init__(
        self,
        classes: Array | None = None,
        groups: Array | None = None,
        *,
        n_way: int | None = None,
        n_shot: int = 1,
        n_query: int = 15,
        n_rows: int | None = None,
    ) -> None:
        n = next((len(a) for a in (classes, groups) if a is not None), n_rows or 0)
        codes = np.zeros(n, dtype=np.int64) if classes is None else classes
        tasks = np.zeros(n, dtype=np.int64) if groups is None else groups
        n_codes = int(codes.max(initial=0)) + 1
        cells, cell_of_row, counts = np.unique(
            tasks * n_codes + codes, return_inverse=True, return_counts=True
        )
        self.n_shot, self.n_query = n_shot, n_query
        self.n_tasks = int(tasks.max(initial=0)) + 1
        # Rows sorted by cell: those of a cell are counts[cell] from starts[cell] on.
        self._rows = np.argsort(cell_of_row, kind="stable")
        self._counts = counts
        self._starts = np.cumsum(counts) - counts
        self._class_of_cell = cells % n_codes
        self._task_of_cell = cells // n_codes
        per_task = np.bincount(self._task_of_cell, minlength=self.n_tasks)
        self._cells_per_task = per_task
        self._first_cell = np.cumsum(per_task) - per_task
        self.n_way = int(per_task.max(initial=1)) if n_way is None else n_way

    def usable(self, min_way: int = 1) -> Array:
        """Tell which tasks leave rows to be judged by.

        Parameters
        ----------
        min_way : int, default=1
            Classes that a task needs at least.

        Returns
        -------
        ndarray of bool of shape (n_tasks,)
            False for tasks with fewer classes, or with one row of each.

        Examples
        --------
        >>> import numpy as np
        >>> EpisodeSampler(groups=np.array([0, 0, 1])).usable().tolist()
        [True, False]
        """
        most = np.zeros(self.n_tasks, dtype=np.int64)
        np.maximum.at(most, self._task_of_cell, self._counts)
        return (most > 1) & (self._cells_per_task >= min_way)

    def draw(self, rng: np.random.Generator, tasks: Array) -> Episodes:
        """Draw one episode for each entry of `tasks`.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where chance comes from.
        tasks : ndarray of int of shape (n_episodes,)
            Codes of groups; 0 where there are none.

        Returns
        -------
        Episodes
            Ways are in random order.
        """
        cells = self._draw_cells(rng, tasks)
        support, query = self._draw_rows(rng, cells.ravel())
        shape = cells.shape
        return Episodes(
            support.reshape(*shape, self.n_shot),
            query.reshape(*shape, self.n_query),
            np.where(cells >= 0, self._class_of_cell[cells], -1),
            tasks,
        )

    def _draw_cells(self, rng: np.random.Generator, tasks: Array) -> Array:
        counts = self._cells_per_task[tasks]
        found = _draw_distinct(rng, counts, self.n_way)
        cells = found + self._first_cell[tasks][:, None]
        return np.where(found >= 0, cells, -1)

    def _draw_rows(self, rng: np.random.Generator, cells: Array) -> tuple[Array, Array]:
        counts = np.where(cells >= 0, self._counts[cells], 0)
        drawn = _draw_distinct(rng, counts, self.n_shot + self.n_query)
        places = drawn + self._starts[cells][:, None]
        rows = np.where(drawn >= 0, self._rows[places], -1)
        n_support = np.minimum(self.n_shot, np.maximum(counts - 1, 1))[:, None]
        support = rows[:, : self.n_shot].copy()
        support[np.arange(self.n_shot) >= n_support] = -1
        order = n_support + np.arange(self.n_query)
        return support, np.take_along_axis(rows, order, axis=1)


def _draw_distinct(rng: np.random.Generator, counts: Array, k: int) -> Array:
    """Draw up to k different numbers below each count; -1 fills the rest."""
    widest = int(counts.max(initial=0))
    if widest <= _SMALL:
        return _draw_by_keys(rng, counts, k, widest)
    found = np.full((len(counts), k), -1)
    small = counts <= _SMALL
    found[small] = _draw_by_keys(rng, counts[small], k, _SMALL)
    for i in np.flatnonzero(~small):
        size = min(k, counts[i])
        found[i, :size] = rng.choice(counts[i], size, replace=False)
    return found


def _draw_by_keys(
    rng: np.random.Generator, counts: Array, k: int, widest: int
) -> Array:
    """Sort random keys; those past a count come last."""
    width = max(widest, k)
    keys = rng.random((len(counts), width), dtype=np.float32)
    keys[np.arange(width) >= counts[:, None]] = 2.0
    if width > 4 * k:
        few = np.argpartition(keys, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(keys, few, axis=1), axis=1)
        order = np.take_along_axis(few, order, axis=1)
    else:
        order = np.argsort(keys, axis=1)[:, :k]
    return np.where(np.arange(k) < counts[:, None], order, -1)
