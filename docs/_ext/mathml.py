"""Formulas as MathML: every current browser shows it, with no script and no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils import math as docutils_math
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

__all__ = ["convert", "setup"]

# Browsers choose the size of brackets by what is inside.
SIZES = re.compile(r"\\(?:big|Big|bigg|Bigg)(?![a-zA-Z])")
logger = logging.getLogger(__name__)


def convert(latex: str, block: bool = False) -> str:
    r"""Return MathML for LaTeX; a `MathError` names what is not understood.

    >>> convert(r"x_i").startswith("<math")
    True
    """
    latex = SIZES.sub("", latex.replace("…", r"\ldots "))
    return str(tex2mathml(latex, as_block=block))


def visit_math(translator: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    translator.body.append(_or_warn(node, block=False))
    raise nodes.SkipNode


def visit_displaymath(translator: Any, node: nodes.math_block) -> None:
    """Write a formula of its own, which scrolls where the screen is narrow."""
    name = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    translator.body.append(f'<div class="math-block"{name} tabindex="0">')
    translator.body.append(_or_warn(node, block=True))
    number = node.get("number")
    if number:
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def _or_warn(node: nodes.Element, block: bool) -> str:
    latex = node.astext()
    try:
        return convert(latex, block)
    except docutils_math.MathError as error:
        logger.warning("No MathML for %r: %s", latex, error, location=node)
        return f"<code>{nodes.unescape(latex)}</code>"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
