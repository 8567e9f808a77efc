"""Types of parameters as numpydoc can read them.

A type may go on in the next line after a backslash, and shapes have stars, as in
``(B, *shape)``; reStructuredText reads a star as the beginning of emphasis.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

__all__ = ["escape_stars", "join_types", "setup"]

STAR = re.compile(r"(?<=[\s(])\*(?=\w+[),])")
CODE = re.compile(r"^\s*(>>>|\.\.\. )|``")


def join_types(lines: list[str]) -> list[str]:
    r"""Return lines with those that end in a backslash joined to the next.

    >>> join_types(["x : int, \\", "        default=1", "    A number."])
    ['x : int, default=1', '    A number.']
    """
    found: list[str] = []
    for line in lines:
        if found and found[-1].endswith("\\") and " : " in found[-1]:
            found[-1] = found[-1].rstrip(" \\") + " " + line.strip()
        else:
            found.append(line)
    return found


def escape_stars(line: str) -> str:
    r"""Return a line whose shapes are read as they stand; code stays as it is.

    >>> escape_stars("x : Tensor of shape (B, *shape)")
    'x : Tensor of shape (B, \\*shape)'
    >>> escape_stars(">>> f(*names)")
    '>>> f(*names)'
    """
    return line if CODE.search(line) else STAR.sub(r"\\*", line)


def mend(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: Any) -> None:
    """Change the lines of a docstring in place."""
    lines[:] = map(escape_stars, join_types(list(lines)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Have docstrings mended before numpydoc reads them."""
    app.connect("autodoc-process-docstring", mend, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
