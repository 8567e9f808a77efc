"""What the command line writes: aligned tables and JSON."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

__all__ = ["as_json", "as_table", "write"]


def as_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str | None] = (),
) -> str:
    """Return rows as aligned lines that fit the terminal.

    Parameters
    ----------
    head : sequence of str
        Titles of the columns.
    rows : sequence of sequence of str
        Cells. The last column wraps; an empty cell there is shown as a hyphen.
    notes : sequence of (str or None), default=()
        Text to show below each row.

    Returns
    -------
    str
        At most 100 characters wide, unless names need more.

    Examples
    --------
    >>> print(as_table(("NAME", "IS"), [("a", "first"), ("b", "")], [None, "Odd."]))
    NAME  IS
    a     first
    b     -
        Odd.
    """
    every = [head, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(head) - 1)]
    indent = sum(widths) + 2 * len(widths)
    lines = []
    for row, note in zip_longest(every, [None, *notes]):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        last = " ".join(row[-1].split()) or "-"
        # A last column squeezed by long names still gets a legible width.
        width = max(_width(), indent + 24)
        lines += _wrapped("  ".join([*cells, last]), width, "", " " * indent)
        lines += _wrapped(note or "", _width(), " " * 4, " " * 4)
    return "\n".join(lines)


def as_json(value: Any) -> str:
    """Return any value as JSON; what JSON has no notation for becomes a string.

    Parameters
    ----------
    value : object
        Mappings, sequences, sets, and what they hold.

    Returns
    -------
    str
        Indented, and ASCII only.

    Examples
    --------
    >>> print(as_json({1: (2, int)}))
    {
      "1": [
        2,
        "<class 'int'>"
      ]
    }
    """
    return json.dumps(_plain(value), indent=2, default=str)


def write(text: str) -> int:
    """Print, also where the terminal lacks some of the characters.

    Parameters
    ----------
    text : str
        What to print.

    Returns
    -------
    int
        0, the exit status of a command that has done its work.

    Examples
    --------
    >>> write("done")
    done
    0
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))
    return 0


def _width() -> int:
    """Return how wide the output may be: that of the terminal, within limits."""
    return min(max(shutil.get_terminal_size((88, 24)).columns, 80), 100)


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    """Break a text into lines, which begin with the given indentation."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    )


def _plain(value: Any) -> Any:
    """Make keys strings and sets lists, which the JSON module refuses to do."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value
