"""The picture of the layers, drawn from the contract that import-linter holds."""

from __future__ import annotations

import re
from configparser import ConfigParser
from html import escape
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

__all__ = ["Layer", "draw", "read_layers", "setup"]

SETUP = Path(__file__).resolve().parents[2] / "setup.cfg"
CONTRACT = "importlinter:contract:layers"
ROW, GAP, WIDTH = 36, 14, 760


class Layer(NamedTuple):
    """Modules of one layer, and whether they must not import each other."""

    modules: tuple[str, ...]
    apart: bool


def read_layers(path: Path = SETUP) -> list[Layer]:
    """Return the layers of the contract, highest first."""
    config = ConfigParser()
    config.read(path)
    lines = config[CONTRACT]["layers"].split("\n")
    return [_layer(line) for line in lines if line.strip()]


def _layer(line: str) -> Layer:
    return Layer(tuple(re.findall(r"\w+", line)), apart="|" in line)


def draw(layers: list[Layer]) -> str:
    """Return an SVG with a row for each layer; colours come from the page."""
    height = len(layers) * (ROW + GAP) - GAP + 2
    said = "Layers, highest first: " + "; ".join(", ".join(r.modules) for r in layers)
    rows = "".join(_row(row, 1 + n * (ROW + GAP)) for n, row in enumerate(layers))
    return (
        f'<svg class="architecture" viewBox="0 0 {WIDTH + 2} {height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(said)}</title>{rows}</svg>'
    )


def _row(layer: Layer, top: int) -> str:
    gap = GAP if layer.apart else 0
    width = (WIDTH - gap * (len(layer.modules) - 1)) / len(layer.modules)
    places = enumerate(layer.modules)
    return "".join(_box(m, 1 + n * (width + gap), top, width) for n, m in places)


def _box(module: str, left: float, top: int, width: float) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="4"/>'
        f'<text x="{left + width / 2:.1f}" y="{top + ROW / 2:.1f}">{module}</text>'
    )


class ArchitecturePicture(Directive):
    """``architecture-picture``: the layers of the package as a picture."""

    def run(self) -> list[nodes.Node]:
        """Return the picture, and the page's dependency on the contract."""
        self.state.document.settings.record_dependencies.add(str(SETUP))
        picture = f'<div class="wide">{draw(read_layers())}</div>'
        return [nodes.raw("", picture, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("architecture-picture", ArchitecturePicture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
