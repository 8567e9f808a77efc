"""Types of parameters as numpydoc can read them.

A type may go on in the next line, and shapes have stars and fitted sizes, as in ``(B,
*shape)`` and ``(n, width_)``. reStructuredText would read emphasis and links there.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

__all__ = ["escape_shapes", "join_types", "setup"]

STAR = re.compile(r"(?<=[\s(])\*(?=\w+(?:\[[^\]]*\])?[),])")
SHAPE = re.compile(r"\([^()`]*\)")
FITTED = re.compile(r"(?<=\w)_(?=[,)])")
LITERAL = re.compile(r"(``.*?``)")
DOCTEST = re.compile(r"\s*(>>>|\.\.\.) ")
TYPE = re.compile(r"(\s*)\S.* : ")


def join_types(lines: list[str]) -> list[str]:
    r"""Return lines with types that go on in the next line joined to it.

    >>> join_types(["x : int, \\", "        default=1", "    A number."])
    ['x : int, default=1', '    A number.']
    """
    found: list[str] = []
    for line in lines:
        if found and _goes_on(found[-1], line):
            found[-1] = found[-1].rstrip(" \\") + " " + line.strip()
        else:
            found.append(line)
    return found


def _goes_on(line: str, after: str) -> bool:
    kind = TYPE.match(line)
    if kind is None or not after.strip():
        return False
    # A description is four columns in.
    return line.endswith("\\") or after.startswith(kind[1] + 8 * " ")


def escape_shapes(line: str) -> str:
    r"""Return a line whose shapes are read as they stand; code stays as it is.

    >>> escape_shapes("x : Tensor of shape (B, *shape)")
    'x : Tensor of shape (B, \\*shape)'
    >>> escape_shapes(">>> f(*names)")
    '>>> f(*names)'
    """
    if DOCTEST.match(line):
        return line
    parts = LITERAL.split(line)
    parts[::2] = [SHAPE.sub(_fitted, STAR.sub(r"\\*", part)) for part in parts[::2]]
    return "".join(parts)


def _fitted(shape: re.Match[str]) -> str:
    return FITTED.sub(r"\\_", shape[0])


def mend(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: Any) -> None:
    """Change the lines of a docstring in place."""
    lines[:] = map(escape_shapes, join_types(list(lines)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Have docstrings mended before numpydoc reads them."""
    app.connect("autodoc-process-docstring", mend, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
