"""The tables for programs: CSV with means, and every single score for JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from .content import Chapter

__all__ = ["all_scores", "as_csv"]


def as_csv(chapters: Mapping[str, Chapter]) -> str:
    """Return means and deviations, one line for each method and metric.

    Parameters
    ----------
    chapters : mapping of str to Chapter
        By family.

    Returns
    -------
    str
        With the columns family, experiment, method, ours, metric, mean, sd and n.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ("family", "experiment", "method", "ours", "metric", "mean", "sd", "n")
    )
    for family, table, row in _rows(chapters):
        for key, values in row.values.items():
            means = (f"{row.mean(key):.6g}", f"{row.sd(key):.6g}")
            writer.writerow(
                (family, table.key, row.method, row.ours, key, *means, len(values))
            )
    return file.getvalue()


def all_scores(chapters: Mapping[str, Chapter]) -> list[dict[str, Any]]:
    """Return every repetition of every method, ready for JSON.

    Parameters
    ----------
    chapters : mapping of str to Chapter
        By family.

    Returns
    -------
    list of dict
        With the keys family, experiment, method, ours and scores.
    """
    return [
        {
            "family": family,
            "experiment": table.key,
            "method": row.method,
            "ours": row.ours,
            "scores": {key: values.tolist() for key, values in row.values.items()},
        }
        for family, table, row in _rows(chapters)
    ]


def _rows(chapters: Mapping[str, Chapter]) -> list[tuple[str, Any, Any]]:
    """List the rows of all tables."""
    return [
        (family, section.table, row)
        for family, chapter in chapters.items()
        for section in chapter.sections
        for row in section.table.rows
    ]
