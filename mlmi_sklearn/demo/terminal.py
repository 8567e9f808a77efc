"""A chapter as lines of text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from .content import Chapter, Metric, Scores, Section, Table

__all__ = ["WIDTH", "cell", "chapter_lines", "table_lines"]

WIDTH = 96


def chapter_lines(chapter: Chapter) -> Iterator[str]:
    """Write the results of a chapter.

    Parameters
    ----------
    chapter : Chapter
        What to write.

    Yields
    ------
    str
        One line at a time.
    """
    yield chapter.title
    yield "=" * len(chapter.title)
    for section in chapter.sections:
        yield ""
        yield from _section_lines(section)


def table_lines(table: Table) -> list[str]:
    """Write a table with aligned columns.

    Parameters
    ----------
    table : Table
        What to write.

    Returns
    -------
    list of str
        Head, rule and rows.

    Examples
    --------
    >>> import numpy as np
    >>> rows = (Scores("guess", False, {"auc": np.array([0.4, 0.6])}),)
    >>> print(*table_lines(Table("t", "", (Metric("auc", "AUC"),), rows)), sep="|")
    method            AUC|------  -------------|guess   0.500 ± 0.141
    """
    head = ["method", *(metric.title for metric in table.metrics)]
    body = [[row.method, *(cell(row, m) for m in table.metrics)] for row in table.rows]
    columns = list(zip(head, *body, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = [head, ["-" * width for width in widths], *body]
    return ["  ".join(_aligned(line, widths)).rstrip() for line in lines]


def cell(scores: Scores, metric: Metric) -> str:
    """Write the mean, and the deviation where it is shown.

    Parameters
    ----------
    scores : Scores
        A row.
    metric : Metric
        A column.

    Returns
    -------
    str
        Such as ``"0.914 ± 0.102"``.
    """
    mean = f"{scores.mean(metric.key):.{metric.decimals}f}"
    if not metric.spread:
        return mean
    return f"{mean} ± {scores.sd(metric.key):.{metric.decimals}f}"


def _section_lines(section: Section) -> Iterator[str]:
    """Write title, table and findings."""
    yield f"{section.title} ({section.table.caption})"
    yield ""
    yield from table_lines(section.table)
    yield ""
    for finding in section.findings:
        yield from textwrap.wrap(finding.headline, WIDTH)
        for sentence in finding.details:
            yield from textwrap.wrap(
                sentence, WIDTH, initial_indent="  * ", subsequent_indent="    "
            )


def _aligned(cells: list[str], widths: list[int]) -> list[str]:
    """Put names to the left, numbers to the right."""
    name, *numbers = cells
    first, *others = widths
    right = [text.rjust(width) for text, width in zip(numbers, others, strict=True)]
    return [name.ljust(first), *right]
