"""Episodes as tensors: what a meta-learner trains on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model_selection.episodes import Episodes, EpisodeSampler
from ..nn.tasks import Episode, Support
from ..training.data import Targets, TensorRows, TrainingData
from ..training.distributed import Ranks

__all__ = ["EpisodeBatch", "EpisodeBatches", "EpisodeData", "Pace"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Pace:
    """How many tasks there are in an epoch and in a step.

    Parameters
    ----------
    meta_batch_size : int
        Tasks in a step.
    episodes_per_epoch : int or None
        Episodes in an epoch; None visits every task once.
    """

    meta_batch_size: int
    episodes_per_epoch: int | None


class EpisodeBatch:
    """The tasks of one step, those of a shape together.

    Parameters
    ----------
    parts : list of Episode
        Tasks by number of classes.
    """

    def __init__(self, parts: list[Episode]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(len(part.support.x) for part in self.parts)

    def chunks(self, size: int) -> Iterator[Episode]:
        """Yield the tasks, at most so many at a time."""
        for part in self.parts:
            n = len(part.support.x)
            if n <= size:
                yield part
                continue
            for start in range(0, n, size):
                yield part.narrow(start, start + size)


class EpisodeData(TrainingData):
    """Rows, their targets, and how to draw episodes from them.

    Parameters
    ----------
    rows : TensorRows
        Inputs on the scale of the net.
    targets : Targets
        Codes of classes, or numbers.
    sampler : EpisodeSampler
        Draws row numbers.
    pace : Pace
        Tasks in a step and in an epoch.
    n_outputs : int
        Scores of the net.
    local : bool
        Whether classes are numbered anew in every episode.
    tasks : ndarray of int
        Codes of the tasks that take part: those of one row, say, teach nothing.
    """

    rows: TensorRows

    def __init__(
        self,
        rows: TensorRows,
        targets: Targets,
        sampler: EpisodeSampler,
        pace: Pace,
        n_outputs: int,
        local: bool,
        tasks: Array,
    ) -> None:
        super().__init__(rows, targets)
        self.sampler, self.pace, self.tasks = sampler, pace, tasks
        self.n_outputs, self.local = n_outputs, local

    def to(self, device: torch.device) -> EpisodeData:
        """Move to ``device``."""
        return EpisodeData(
            self.rows.to(device),
            self.targets.to(device),
            self.sampler,
            self.pace,
            self.n_outputs,
            self.local,
            self.tasks,
        )

    def batch(self, drawn: Episodes) -> EpisodeBatch:
        """Gather the rows of episodes."""
        n_ways = (drawn.classes >= 0).sum(1)
        if not self.local or (n_ways == n_ways[0]).all():
            return EpisodeBatch([self._episode(drawn, int(n_ways.max()))])
        parts = []
        for way in np.unique(n_ways):
            these = np.flatnonzero(n_ways == way)
            parts.append(self._episode(_take(drawn, these), int(way)))
        return EpisodeBatch(parts)

    def _episode(self, drawn: Episodes, n_way: int) -> Episode:
        support, query = (
            self._gather(part[:, :n_way]) for part in (drawn.support, drawn.query)
        )
        return Episode(support, query, n_way if self.local else self.n_outputs)

    def _gather(self, rows: Array) -> Support:
        n, n_way, k = rows.shape
        flat = rows.reshape(n, -1)
        counts = None
        if flat.min(initial=0) < 0:
            counts = self._tensor(flat >= 0).to(self.rows.values.dtype)
            flat = np.maximum(flat, 0)
        index = self._tensor(flat).reshape(-1)
        x = self.rows.values.index_select(0, index)
        x = x.reshape(n, n_way * k, *x.shape[1:])
        if self.local:
            ways = torch.arange(n_way, device=x.device).repeat_interleave(k)
            return Support(x, ways.expand(n, -1), counts)
        assert self.targets.y is not None
        y = self.targets.y.index_select(0, index)
        return Support(x, y.reshape(n, n_way * k, *y.shape[1:]), counts)

    def _tensor(self, array: Array) -> Tensor:
        device = self.rows.values.device
        return torch.from_numpy(array).to(device, non_blocking=True)


class EpisodeBatches:
    """An epoch of episodes.

    Parameters
    ----------
    data : EpisodeData
        What to draw from.
    rng : numpy.random.Generator
        Where chance comes from.
    ranks : Ranks or None, default=None
        Processes that share the tasks of each step; this one gets its part, perhaps
        none.
    """

    def __init__(
        self, data: EpisodeData, rng: np.random.Generator, ranks: Ranks | None = None
    ) -> None:
        self.data, self.rng, self.ranks = data, rng, ranks

    def __len__(self) -> int:
        return -(-self._n_episodes // self._size)

    def __iter__(self) -> Iterator[tuple[EpisodeBatch, Targets]]:
        tasks = self._tasks()
        for start in range(0, len(tasks), self._size):
            these = tasks[start : start + self._size]
            drawn = self.data.sampler.draw(self.rng, these)
            yield self._own(drawn, len(these)), Targets(None)

    def _own(self, drawn: Episodes, n: int) -> EpisodeBatch:
        if self.ranks is None:
            return self.data.batch(drawn)
        start, stop = self.ranks.share(0, n)
        if start == stop:
            return EpisodeBatch([])
        return self.data.batch(_take(drawn, np.arange(start, stop)))

    @property
    def _size(self) -> int:
        size = 1 if self.ranks is None else self.ranks.size
        return self.data.pace.meta_batch_size * size

    @property
    def _n_episodes(self) -> int:
        return self.data.pace.episodes_per_epoch or len(self.data.tasks)

    def _tasks(self) -> Array:
        """Return the task of each episode: every one once, or as often as needed."""
        tasks, n = self.data.tasks, self._n_episodes
        if len(tasks) == 1:
            return np.repeat(tasks, n)
        rounds = -(-n // len(tasks))
        orders = [self.rng.permutation(tasks) for _ in range(rounds)]
        return np.concatenate(orders)[:n]


def _take(drawn: Episodes, these: Array) -> Episodes:
    return Episodes(
        drawn.support[these],
        drawn.query[these],
        drawn.classes[these],
        drawn.tasks[these],
    )
