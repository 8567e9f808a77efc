"""The commands ``components`` and ``env``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .._text import as_json, as_table, write
from ..components import Component, list_components, list_plugins
from ..components.naming import BUILTIN_DIST
from ..exceptions import ComponentNotFoundError
from ._quiet import listing

__all__ = ["components", "env"]


def components(options: argparse.Namespace) -> int:
    """List the parts that estimators can take by name."""
    try:
        with listing():
            parts = list_components(options.kind)
            infos = list_plugins()
    except ComponentNotFoundError as error:
        print(f"mlmi-sklearn components: {error}", file=sys.stderr)
        return 2
    if options.json:
        return write(as_json([_component_record(part) for part in parts]))
    if parts:
        write(as_table(("KIND", "NAME", "FROM", "SUMMARY"), _component_rows(parts)))
    else:
        write(f"No {options.kind} is registered yet.")
    if any(info.error for info in infos):
        print("Some plugins need attention: mlmi-sklearn plugins", file=sys.stderr)
    return 0


def env(options: argparse.Namespace) -> int:
    """Show versions, devices and plugins."""
    from .._versions import collect_versions, format_versions

    with listing():
        report = collect_versions()
    if options.json:
        return write(as_json(report))
    return write(format_versions(report))


def _component_rows(parts: Sequence[Component]) -> list[tuple[str, ...]]:
    """Return the cells of all parts, with the name to use for each."""
    claims = Counter((part.kind, part.name) for part in parts)
    rows: list[tuple[str, ...]] = []
    for part in parts:
        clash = part.third_party and claims[part.kind, part.name] > 1
        name = part.qualified_name if clash else part.name
        origin = "built-in" if part.dist == BUILTIN_DIST else part.dist
        rows.append((part.kind, name, origin, part.summary))
    return rows


def _component_record(part: Component) -> dict[str, Any]:
    """Return what JSON says about one part."""
    factory = part.factory
    if not isinstance(factory, str):
        name = getattr(factory, "__qualname__", type(factory).__qualname__)
        factory = f"{getattr(factory, '__module__', '?')}:{name}"
    return {
        "kind": part.kind,
        "name": part.name,
        "qualified_name": part.qualified_name,
        "dist": part.dist,
        "version": part.version,
        "summary": part.summary,
        "factory": factory,
        "tags": dict(part.tags),
        "example": dict(part.example),
    }
