"""Errors on new patients against the number of visits seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...content import Panel, Scores
from ...pictures import WIDTH, Theme
from .words import by_method, half_width

__all__ = ["gain_panel", "visits_panel"]

_MARKS = "oDs^vP"
_LINES = ("-", "-", "-", "--", ":", "-.")


def visits_panel(rows: Sequence[Scores], visits: Sequence[int]) -> Panel:
    """Show the mean error of each method by the number of visits seen.

    Parameters
    ----------
    rows : sequence of Scores
        One a method.
    visits : sequence of int
        Numbers of visits.

    Returns
    -------
    Panel
        With a text that lists the means.
    """
    keys = [f"visits_{n}" for n in visits]
    parts = [
        f"{row.method} {', '.join(f'{row.mean(key):.2f}' for key in keys)}"
        for row in rows
    ]
    counts = ", ".join(map(str, visits))
    alt = f"Mean absolute error after {counts} visits. {'. '.join(parts)}."
    return Panel("visits", alt, partial(_draw_visits, rows, visits))


def gain_panel(
    rows: Sequence[Scores],
    visits: Sequence[int],
    baseline: str,
    methods: Sequence[str],
) -> Panel:
    """Show how much less some methods err than a baseline.

    Parameters
    ----------
    rows : sequence of Scores
        One a method.
    visits : sequence of int
        Numbers of visits.
    baseline : str
        Name of what they are compared with.
    methods : sequence of str
        Names of those compared.

    Returns
    -------
    Panel
        With a text that lists the mean differences.
    """
    parts = []
    for name in methods:
        gains = [_gain(rows, baseline, name, n).mean() for n in visits]
        parts.append(f"{name} {', '.join(f'{gain:+.2f}' for gain in gains)}")
    counts = ", ".join(map(str, visits))
    alt = (
        f"Points less of error than {baseline.lower()}, after {counts} visits. "
        f"{'. '.join(parts)}."
    )
    return Panel("gain", alt, partial(_draw_gain, rows, visits, baseline, methods))


def _gain(
    rows: Sequence[Scores], baseline: str, method: str, visits: int
) -> np.ndarray:
    named, key = by_method(rows), f"visits_{visits}"
    return np.asarray(named[baseline].values[key] - named[method].values[key])


def _style(rows: Sequence[Scores], theme: Theme) -> dict[str, dict[str, Any]]:
    """Return colour, mark and line of each method, the same in both pictures."""
    colours = (
        theme.ours[0],
        theme.ours[1],
        theme.ours[2],
        theme.text,
        theme.baseline,
        theme.hot,
    )
    return {
        row.method: {
            "color": colours[k % 6],
            "marker": _MARKS[k % 6],
            "ls": _LINES[k % 6],
            "ms": 4.5,
            "lw": 1.4,
            "elinewidth": 1,
        }
        for k, row in enumerate(rows)
    }


def _draw_visits(rows: Sequence[Scores], visits: Sequence[int], theme: Theme) -> Figure:
    figure, axes = _canvas("error on later visits (points)", visits)
    styles = _style(rows, theme)
    for k, row in enumerate(rows):
        places = np.arange(len(visits)) + 0.06 * (k - (len(rows) - 1) / 2)
        values = [row.values[f"visits_{n}"] for n in visits]
        axes.errorbar(
            places,
            [v.mean() for v in values],
            yerr=[half_width(v) for v in values],
            label=row.method,
            **styles[row.method],
        )
    axes.set_ylim(0, None)
    figure.legend(loc="outside lower left", ncols=1, frameon=False, fontsize=7.5)
    return figure


def _draw_gain(
    rows: Sequence[Scores],
    visits: Sequence[int],
    baseline: str,
    methods: Sequence[str],
    theme: Theme,
) -> Figure:
    figure, axes = _canvas("error saved over the mean (points)", visits)
    styles = _style(rows, theme)
    axes.axhline(0, color=theme.text, lw=1, ls="--")
    for k, name in enumerate(methods):
        gains = [_gain(rows, baseline, name, n) for n in visits]
        places = np.arange(len(visits)) + 0.1 * (k - (len(methods) - 1) / 2)
        axes.errorbar(
            places,
            [gain.mean() for gain in gains],
            yerr=[half_width(gain) for gain in gains],
            label=name,
            **styles[name],
        )
    figure.legend(loc="outside lower left", ncols=1, frameon=False, fontsize=7.5)
    return figure


def _canvas(title: str, visits: Sequence[int]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xticks(range(len(visits)), [str(n) for n in visits])
    axes.set(title=title, xlabel="visits seen")
    axes.grid(axis="y", lw=0.6)
    axes.set_axisbelow(True)
    return figure, axes
