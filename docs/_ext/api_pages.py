"""The reference: which public objects there are, and the pages that list them.

Everything in `__all__` of a public module has a page. An object that several modules
offer has one page, under its shortest name; links that use another name end there too.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from api_sections import SECTIONS, Section
from docutils import nodes
from sklearn.base import BaseEstimator
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

__all__ = ["by_section", "canonical_name", "setup"]

ROOT = "mlmi_sklearn"
KINDS = ("Estimators", "Displays", "Classes", "Functions", "Exceptions", "Data")
TABLE = (".. autosummary::", "   :toctree: generated/", "   :nosignatures:", "")


@cache
def by_section() -> dict[str, list[str]]:
    """Return the public names of each section; every object is named once."""
    found: dict[str, list[str]] = {section.page: [] for section in SECTIONS}
    named: set[str] = set()
    places = [(s.page, module) for s in SECTIONS for module in s.modules]
    # What only the root offers comes last.
    for page, module in [*places, ("utilities", ROOT)]:
        for name in offered(module):
            full = canonical_name(f"{module}.{name}")
            if full not in named:
                named.add(full)
                found[page].append(full)
    return found


def offered(module: str) -> list[str]:
    """Return the public names of a module; none where there is no such module."""
    if find_spec(module) is None:
        return []
    found = import_module(module)
    names = [*found.__all__]
    if module == f"{ROOT}.specs":
        names += found.spec_names()
    return [name for name in names if not name.startswith("__")]


def canonical_name(full: str) -> str:
    """Return the name under which an object has its page; its own if it has none."""
    return _pages().get(_key(full, resolve(full)), full)


@cache
def _pages() -> dict[object, str]:
    modules = [ROOT, *(module for section in SECTIONS for module in section.modules)]
    found: dict[object, str] = {}
    for module in modules:
        # Classes of parts can be had from the root, though it does not list them.
        shown = ROOT if module == f"{ROOT}.specs" else module
        for name in offered(module):
            place = module if name in import_module(module).__all__ else shown
            full = f"{place}.{name}"
            found.setdefault(_key(full, resolve(full)), full)
    return found


def _key(full: str, value: Any) -> object:
    plain = value is None or isinstance(value, (str, int, float, tuple))
    return full if plain else id(value)


def resolve(full: str) -> Any:
    """Return the object of a dotted name, or None."""
    parts = full.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
            for part in parts[end:]:
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError):
            continue
    return None


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
            yield from (f"   ~{name}" for name in members)
            yield ""


def kind_of(value: Any) -> str:
    """Return the heading under which an object stands."""
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            return "Exceptions"
        if value.__name__.endswith("Display"):
            return "Displays"
        return "Estimators" if issubclass(value, BaseEstimator) else "Classes"
    return "Functions" if inspect.isroutine(value) else "Data"


# -- members and links -----------------------------------------------------------------


def skip_member(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what a class inherits from other packages: they document it."""
    value = getattr(value, "fget", None) or getattr(value, "__func__", value)
    value = getattr(value, "func", value)  # cached properties
    home = getattr(value, "__module__", None)
    if what == "class" and home and not home.startswith(ROOT):
        return True
    return None


def link_alias(
    app: Sphinx, env: Any, node: pending_xref, content: nodes.Element
) -> nodes.Node | None:
    """Lead a link that uses another name of an object, or its module, to its page."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith(ROOT):
        return None
    for full in _other_names(target):
        if full != target:
            found = env.get_domain("py").resolve_xref(
                env, node["refdoc"], app.builder, "obj", full, node, content
            )
            if found is not None:
                return found
    return _link_section(app, node, content)


def _other_names(target: str) -> Iterator[str]:
    yield canonical_name(target)
    owner, _, member = target.rpartition(".")
    if owner:
        yield f"{canonical_name(owner)}.{member}"


def _link_section(
    app: Sphinx, node: pending_xref, content: nodes.Element
) -> nodes.Node | None:
    for section in SECTIONS:
        if node["reftarget"] in section.modules or node["reftarget"] == ROOT:
            page = "api/index" if node["reftarget"] == ROOT else f"api/{section.page}"
            address = app.builder.get_relative_uri(node["refdoc"], page)
            return nodes.reference("", "", content, internal=True, refuri=address)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the pages and links."""
    app.connect("builder-inited", write_pages, priority=100)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", link_alias)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
