"""The picture of the layers, drawn from the contract that import-linter holds."""

from __future__ import annotations

import re
from configparser import ConfigParser
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

__all__ = ["draw", "read_layers", "setup"]

SETUP = Path(__file__).resolve().parents[2] / "setup.cfg"
CONTRACT = "importlinter:contract:layers"
ROW, GAP, WIDTH = 46, 12, 760


def read_layers(path: Path = SETUP) -> list[list[str]]:
    """Return the layers of the contract, highest first; each is a list of modules."""
    config = ConfigParser()
    config.read(path)
    lines = config[CONTRACT]["layers"].split("\n")
    return [re.findall(r"\w+", line) for line in lines if line.strip()]


def draw(layers: list[list[str]]) -> str:
    """Return an SVG with a row for each layer; colours come from the page."""
    height = len(layers) * (ROW + GAP)
    said = "Layers, highest first: " + "; ".join(", ".join(row) for row in layers)
    rows = "".join(_row(row, n * (ROW + GAP)) for n, row in enumerate(layers))
    return (
        f'<svg class="architecture" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(said)}</title>{rows}</svg>'
    )


def _row(modules: list[str], top: int) -> str:
    width = (WIDTH - GAP * (len(modules) - 1)) / len(modules)
    boxes = [_box(m, n * (width + GAP), top, width) for n, m in enumerate(modules)]
    return "".join(boxes)


def _box(module: str, left: float, top: int, width: float) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="6"/>'
        f'<text x="{left + width / 2:.1f}" y="{top + ROW / 2:.1f}">{module}</text>'
    )


class ArchitecturePicture(Directive):
    """``architecture-picture``: the layers of the package as a picture."""

    def run(self) -> list[nodes.Node]:
        """Return the picture, and the page's dependency on the contract."""
        self.state.document.settings.record_dependencies.add(str(SETUP))
        return [nodes.raw("", draw(read_layers()), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("architecture-picture", ArchitecturePicture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
