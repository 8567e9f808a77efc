"""Pictures of methods at hospitals, and of class shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...content import Panel, Scores
from ...pictures import WIDTH, Theme
from .fitting import by_method
from .hospital_runs import Hospitals

__all__ = ["changes_panel", "levels_panel", "shares_panel"]

_MARKS = "oDs^vP"
_HEIGHT = 3.9


def levels_panel(found: Hospitals, kind: str, titles: Mapping[str, str]) -> Panel:
    """Show the mean score of all methods at each hospital.

    Parameters
    ----------
    found : Hospitals
        What came out.
    kind : {"accuracy", "balanced_accuracy"}
        Which score; beside accuracy stands the share of the more frequent diagnosis.
    titles : mapping of str to str
        Names for readers.

    Returns
    -------
    Panel
        With a text that lists the numbers.
    """
    parts = []
    for name in found.names:
        key = f"{name}_{kind}"
        values = ", ".join(f"{r.method} {r.mean(key):.2f}" for r in found.scores)
        constant = f"constant answer {found.majority.mean(key):.2f}"
        parts.append(f"{titles.get(name, name)}: {constant}, {values}")
    alt = f"Mean {_words(kind)} by hospital. {'. '.join(parts)}."
    return Panel(
        kind.replace("_", "-"), alt, partial(_draw_levels, found, kind, titles)
    )


def changes_panel(
    found: Hospitals,
    kind: str,
    pairs: Sequence[tuple[str, str]],
    titles: Mapping[str, str],
) -> Panel:
    """Show what methods change against their controls, for each seed.

    Parameters
    ----------
    found : Hospitals
        What came out.
    kind : {"accuracy", "balanced_accuracy"}
        Which score.
    pairs : sequence of (str, str)
        Name of a method, and of its control.
    titles : mapping of str to str
        Names for readers.

    Returns
    -------
    Panel
        With a text that lists the mean changes.
    """
    parts = []
    for name in found.names:
        means = ", ".join(
            f"{pair[0]} {_change(found, f'{name}_{kind}', pair).mean():+.2f}"
            for pair in pairs
        )
        parts.append(f"{titles.get(name, name)}: {means}")
    alt = f"Mean change of {_words(kind)} by adapting. {'. '.join(parts)}."
    draw = partial(_draw_changes, found, kind, pairs, titles)
    return Panel("changes", alt, draw)


def shares_panel(found: Hospitals, titles: Mapping[str, str]) -> Panel:
    """Show the true share of the sick beside the estimated one.

    Parameters
    ----------
    found : Hospitals
        What came out.
    titles : mapping of str to str
        Names for readers.

    Returns
    -------
    Panel
        With a text that lists the numbers.
    """
    text = "; ".join(
        f"{titles.get(name, name)} {found.sick[name]:.2f}, estimated "
        f"{np.mean(found.estimated[name]):.2f}"
        for name in found.names
    )
    alt = f"Share of the sick, true and estimated: {text}."
    return Panel("shares", alt, partial(_draw_shares, found, titles))


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _change(found: Hospitals, key: str, pair: tuple[str, str]) -> NDArray[np.float64]:
    """Return a method minus its control, one number a seed."""
    named = by_method(found.scores)
    return np.asarray(named[pair[0]].values[key] - named[pair[1]].values[key])


def _draw_levels(
    found: Hospitals, kind: str, titles: Mapping[str, str], theme: Theme
) -> Figure:
    """Draw one line a hospital, one mark a method."""
    figure = Figure(figsize=(WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    heights = np.arange(len(found.names), 0, -1)
    for rank, (row, colour) in enumerate(_coloured(found.scores, theme)):
        values = [row.mean(f"{name}_{kind}") for name in found.names]
        # A little apart, so that equal values do not hide each other.
        places = heights + 0.24 - 0.48 * rank / max(len(found.scores) - 1, 1)
        mark = _MARKS[rank % len(_MARKS)]
        axes.plot(values, places, mark, color=colour, ms=5, label=row.method)
    if kind == "accuracy":
        shares = [found.majority.mean(f"{name}_{kind}") for name in found.names]
        axes.vlines(shares, heights - 0.36, heights + 0.36, color=theme.text, lw=2.4)
    else:
        axes.axvline(0.5, color=theme.text, lw=1, ls="--")
    _name_hospitals(axes, found, titles)
    axes.set(title=_words(kind))
    figure.legend(loc="outside lower left", ncols=1, frameon=False, fontsize=7.5)
    return figure


def _draw_changes(
    found: Hospitals,
    kind: str,
    pairs: Sequence[tuple[str, str]],
    titles: Mapping[str, str],
    theme: Theme,
) -> Figure:
    """Draw one line a hospital, dots for the seeds and a bar for their mean."""
    figure = Figure(figsize=(WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    heights = np.arange(len(found.names), 0, -1)
    axes.axvline(0, color=theme.text, lw=1)
    for rank, (pair, colour) in enumerate(zip(pairs, theme.ours, strict=False)):
        for name, height in zip(found.names, heights, strict=True):
            values = _change(found, f"{name}_{kind}", pair)
            place = height + 0.26 - 0.52 * rank / max(len(pairs) - 1, 1)
            axes.scatter(
                values, np.full(len(values), place), s=12, color=colour, alpha=0.5, lw=0
            )
            label = pair[0] if height == 1 else None
            axes.plot(
                values.mean(), place, "|", color=colour, ms=9, mew=2.6, label=label
            )
    _name_hospitals(axes, found, titles)
    axes.set(title=f"change of {_words(kind)}")
    figure.legend(loc="outside lower left", ncols=1, frameon=False, fontsize=7.5)
    return figure


def _draw_shares(found: Hospitals, titles: Mapping[str, str], theme: Theme) -> Figure:
    """Draw one line a hospital, a bar for the truth and marks for estimates."""
    figure = Figure(figsize=(WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    for height, name in zip(range(len(found.names), 0, -1), found.names, strict=True):
        bounds = height - 0.36, height + 0.36
        truth = "true" if height == 1 else ""
        axes.vlines(found.sick[name], *bounds, color=theme.text, lw=2.4, label=truth)
        values = found.estimated[name]
        axes.plot(
            values,
            np.full(len(values), height),
            "D",
            color=theme.ours[1],
            ms=5,
            alpha=0.7,
            label="estimated by EM" if height == 1 else None,
        )
    _name_hospitals(axes, found, titles)
    axes.set(title="share of the sick", xlim=(0, 1.03))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=7.5)
    return figure


def _coloured(scores: tuple[Scores, ...], theme: Theme) -> list[tuple[Scores, str]]:
    """Give each method in question a colour of its own, others grey."""
    ours = iter(theme.ours)
    return [(row, next(ours) if row.ours else theme.baseline) for row in scores]


def _name_hospitals(axes: Axes, found: Hospitals, titles: Mapping[str, str]) -> None:
    """Name the lines, from top to bottom."""
    heights = range(len(found.names), 0, -1)
    axes.set_yticks(list(heights), [titles.get(name, name) for name in found.names])
    axes.set_ylim(0.5, len(found.names) + 0.5)
    axes.grid(axis="x", lw=0.6)
    axes.set_axisbelow(True)
