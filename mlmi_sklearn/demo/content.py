"""What a chapter is made of: scores, tables, pictures and sentences.

Chapters build these objects; they know nothing of terminals, HTML or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Chapter",
    "Figure",
    "Finding",
    "Metric",
    "Panel",
    "Scores",
    "Section",
    "Table",
]


@dataclass(frozen=True)
class Metric:
    """A column of a table.

    Parameters
    ----------
    key : str
        Name in :attr:`Scores.values` and in the files.
    title : str
        Name for readers.
    decimals : int, default=3
        Digits after the point.
    spread : bool, default=True
        Whether the standard deviation is shown beside the mean.
    """

    key: str
    title: str
    decimals: int = 3
    spread: bool = True


@dataclass(frozen=True)
class Scores:
    """What one method scored in each repetition of an experiment.

    Parameters
    ----------
    method : str
        Name for readers.
    ours : bool
        Whether it is one of the methods in question, or a simple baseline.
    values : mapping of str to ndarray of shape (n_repetitions,)
        One entry a metric. Repetition i is the same for all methods, so differences
        are paired.

    Examples
    --------
    >>> scores = Scores("guessing", False, {"auc": np.array([0.4, 0.6])})
    >>> round(scores.mean("auc"), 3), round(scores.sd("auc"), 3)
    (0.5, 0.141)
    """

    method: str
    ours: bool
    values: Mapping[str, NDArray[np.float64]]

    def mean(self, key: str) -> float:
        """Return the mean over the repetitions."""
        return float(np.mean(self.values[key]))

    def sd(self, key: str) -> float:
        """Return the sample standard deviation over the repetitions."""
        return float(np.std(self.values[key], ddof=1))


@dataclass(frozen=True)
class Table:
    """Methods by metrics.

    Parameters
    ----------
    key : str
        Short name for files.
    caption : str
        What was repeated, as in "mean ± sd over 10 folds".
    metrics : tuple of Metric
        The columns.
    rows : tuple of Scores
        The rows, in the order to be shown.
    """

    key: str
    caption: str
    metrics: tuple[Metric, ...]
    rows: tuple[Scores, ...]


@dataclass(frozen=True)
class Panel:
    """One picture, a few hundred pixels wide, so that panels wrap on a phone.

    Parameters
    ----------
    key : str
        Short name for files.
    alt : str
        What the picture says, for those who cannot see it.
    draw : callable
        Takes a :class:`~.pictures.Theme` and returns a matplotlib figure.
    """

    key: str
    alt: str
    draw: Callable[[Any], Any]


@dataclass(frozen=True)
class Figure:
    """Panels that share a caption."""

    caption: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Finding:
    """What is honest to conclude: a headline, and sentences that bear it out."""

    headline: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One experiment.

    Parameters
    ----------
    title : str
        Heading.
    question : str
        What the experiment asks, and of which data.
    table : Table
        What came out.
    findings : tuple of Finding
        What is honest to conclude, made from the numbers.
    figures : tuple of Figure
        Pictures.
    protocol : tuple of str
        How it was done, with seeds; one sentence or two each.
    """

    title: str
    question: str
    table: Table
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    protocol: tuple[str, ...]


@dataclass(frozen=True)
class Chapter:
    """What the demo says about one family of methods.

    Parameters
    ----------
    title : str
        Heading.
    question : str
        What the family is for.
    code : str
        A few lines of Python that a reader can run.
    sections : tuple of Section
        The experiments.
    sources : tuple of str
        Where data and methods come from, with licences.
    """

    title: str
    question: str
    code: str
    sections: tuple[Section, ...]
    sources: tuple[str, ...]
