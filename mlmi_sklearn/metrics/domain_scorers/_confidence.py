"""Scores of how a classifier spreads the target over classes; no labels at all."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, softmax
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from mlmi_sklearn.metrics.domain_scorers._base import DomainScorer
from mlmi_sklearn.metrics.domain_scorers._domains import DomainRows
from mlmi_sklearn.metrics.domain_scorers._outputs import probabilities

__all__ = ["BNMScorer", "EntropyScorer", "IMScorer", "SNDScorer"]

# Entries of a similarity matrix that are held at a time.
BLOCK = 2**22


@dataclass(frozen=True, kw_only=True, repr=False)
class _TargetProbabilities(DomainScorer):
    """Scores the class probabilities of target rows."""

    needs: ClassVar[tuple[str, ...]] = ("target",)
    classifiers_only: ClassVar[bool] = True

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        return self._of(probabilities(estimator, rows.take(rows.target)))

    @abstractmethod
    def _of(self, p: NDArray[np.float64]) -> float:
        """Return the score of probabilities of shape (m, n_classes)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EntropyScorer(_TargetProbabilities):
    """Minus the mean entropy of predictions, in nats: how sure they are."""

    name: ClassVar[str] = "entropy"

    def _of(self, p: NDArray[np.float64]) -> float:
        return -float(entr(p).sum(axis=1).mean())


@dataclass(frozen=True, kw_only=True, repr=False)
class IMScorer(_TargetProbabilities):
    """Mutual information of row and class, in nats: sure, and of many classes."""

    name: ClassVar[str] = "im"

    def _of(self, p: NDArray[np.float64]) -> float:
        return float(entr(p.mean(axis=0)).sum() - entr(p).sum(axis=1).mean())


@dataclass(frozen=True, kw_only=True, repr=False)
class BNMScorer(_TargetProbabilities):
    """Nuclear norm of the predictions as a share of the largest one possible."""

    name: ClassVar[str] = "bnm"

    def _of(self, p: NDArray[np.float64]) -> float:
        # Rows have norm 1 at most, so the Frobenius norm is sqrt(m) at most and the
        # nuclear norm sqrt(rank) times that.
        largest = np.sqrt(len(p) * min(p.shape))
        return float(np.linalg.norm(p, ord="nuc") / largest)


@dataclass(frozen=True, kw_only=True, repr=False)
class SNDScorer(_TargetProbabilities):
    """Mean entropy of a row's similarities to the others, in nats."""

    temperature: float = 0.05

    name: ClassVar[str] = "snd"

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, got {self.temperature!r}.")

    def _of(self, p: NDArray[np.float64]) -> float:
        n_rows = len(p)
        if n_rows < 2:
            raise ValueError("The snd score compares target rows; it needs two.")
        directions = normalize(p)
        total = 0.0
        for block in gen_batches(n_rows, max(1, BLOCK // n_rows)):
            similarity = directions[block] @ directions.T / self.temperature
            here = np.arange(block.start, block.stop)
            similarity[here - block.start, here] = -np.inf
            total += entr(softmax(similarity, axis=1)).sum()
        return float(total / n_rows)
