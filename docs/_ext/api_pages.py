"""The pages of the reference that list its objects, and links to them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from api_names import ROOT, by_section, canonical_name, resolve
from api_sections import SECTIONS, Section
from docutils import nodes
from sklearn.base import BaseEstimator
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

__all__ = ["kind_of", "section_page", "setup"]

KINDS = ("Estimators", "Displays", "Classes", "Functions", "Exceptions", "Data")
TABLE = (".. autosummary::", "   :toctree: generated/", "   :nosignatures:", "")


# -- pages -----------------------------------------------------------------------------


def write_pages(app: Sphinx) -> None:
    """Write one page a section; autosummary makes those of the objects from it."""
    for section in SECTIONS:
        path = Path(app.srcdir) / "api" / f"{section.page}.rst"
        text = section_page(section, by_section()[section.page])
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def section_page(section: Section, names: list[str]) -> str:
    """Return the source of a page: a table of names for each kind of object."""
    title = [section.title, "=" * len(section.title), "", section.lead, ""]
    return "\n".join([*title, *_tables(names)])


def _tables(names: list[str]) -> Iterator[str]:
    kinds = {kind: [n for n in names if kind_of(resolve(n)) == kind] for kind in KINDS}
    for kind, members in kinds.items():
        if members:
            yield from (kind, "-" * len(kind), "")
            yield from TABLE
            yield from (f"   ~{name}" for name in sorted(members, key=_shown))
            yield ""


def _shown(name: str) -> str:
    return name.rpartition(".")[2].lower()


def kind_of(value: Any) -> str:
    """Return the heading under which an object stands."""
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            return "Exceptions"
        if value.__name__.endswith("Display"):
            return "Displays"
        return "Estimators" if issubclass(value, BaseEstimator) else "Classes"
    return "Functions" if inspect.isroutine(value) else "Data"


# -- links -----------------------------------------------------------------------------


def link_alias(
    app: Sphinx, env: Any, node: pending_xref, content: nodes.Element
) -> nodes.Node | None:
    """Lead a link that uses another name of an object, or its module, to its page."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    for full in other_names(target):
        found = env.get_domain("py").resolve_xref(
            env, node["refdoc"], app.builder, "obj", full, node, content
        )
        if found is not None:
            return found
    return _link_section(app, node, content)


def other_names(target: str) -> list[str]:
    """Return the names under which what a docstring calls `target` has its page."""
    if target.count(".") < 2 and not target.startswith(f"{ROOT}."):
        # A name without its module, or a member of a class without it.
        name, dot, member = target.partition(".")
        names = chain(*by_section().values())
        return [n + dot + member for n in names if n.endswith(f".{name}")]
    if not target.startswith(f"{ROOT}."):
        return []
    owner, _, member = target.rpartition(".")
    found = [canonical_name(target), f"{canonical_name(owner)}.{member}"]
    return [name for name in found if name != target]


def _link_section(
    app: Sphinx, node: pending_xref, content: nodes.Element
) -> nodes.Node | None:
    page = section_of(node["reftarget"])
    if page is None:
        return None
    address = app.builder.get_relative_uri(node["refdoc"], page)
    return nodes.reference("", "", content, internal=True, refuri=address)


def section_of(module: str) -> str | None:
    """Return the page of the reference that a module belongs to."""
    if module == ROOT:
        return "api/index"
    if inspect.ismodule(resolve(module)):
        for section in SECTIONS:
            if any(f"{module}.".startswith(f"{own}.") for own in section.modules):
                return f"api/{section.page}"
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the pages and links."""
    app.connect("builder-inited", write_pages, priority=100)
    app.connect("missing-reference", link_alias)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
