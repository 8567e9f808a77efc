"""Checks of the finished pages: links lead somewhere, nothing comes from elsewhere.

They run at the end of each build of HTML; what they find are warnings, and so errors
under `make docs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

__all__ = ["Page", "broken_links", "foreign_in_css", "foreign_in_page", "setup"]

logger = logging.getLogger(__name__)
# What a browser fetches by itself, by tag; links of <a> are followed by people.
FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
}
FETCHED |= {"video": "src", "audio": "src", "embed": "src", "object": "data"}
NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author", "copyright"}
CSS_ADDRESS = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What a page has: ids, links and addresses that a browser fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        links = given.get("href") or given.get("xlink:href")
        if tag == "a" and links:
            self.links.append(links)
        elif tag in FETCHED and given.get("rel") not in NOT_FETCHED:
            self.fetched += filter(None, [given.get(FETCHED[tag])])
        if "srcset" in given:
            self.fetched += [part.split()[0] for part in given["srcset"].split(",")]


def foreign_in_page(page: Page) -> list[str]:
    """Return the addresses on other hosts that a browser would fetch for a page."""
    return [address for address in page.fetched if urlsplit(address).netloc]


def foreign_in_css(text: str) -> list[str]:
    """Return the addresses on other hosts that a style sheet names."""
    return CSS_ADDRESS.findall(text)


def broken_links(pages: dict[Path, Page]) -> Iterator[tuple[Path, str]]:
    """Yield page and link for each link within the site that leads nowhere."""
    for path, page in pages.items():
        for link in {*page.links, *page.fetched}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            if not target.exists() or _lacks(pages.get(target), parts.fragment):
                yield path, link


def _target(path: Path, link: str) -> Path:
    return (path.parent / link).resolve() if link else path


def _lacks(page: Page | None, fragment: str) -> bool:
    return bool(page and fragment and unquote(fragment) not in page.ids)


class Finding(NamedTuple):
    """Something wrong with a file of the site."""

    file: Path
    said: str


def findings(site: Path) -> Iterator[Finding]:
    """Yield all that is wrong with a folder of pages."""
    site = site.resolve()
    files = sorted(site.rglob("*.html"))
    # The theme leaves a template among its scripts.
    files = [path for path in files if "_static" not in path.parts]
    pages = {path: Page(path.read_text()) for path in files}
    for path, page in pages.items():
        for address in foreign_in_page(page):
            yield Finding(path, f"fetches {address}")
    for path in sorted(site.rglob("*.css")):
        for address in foreign_in_css(path.read_text()):
            yield Finding(path, f"fetches {address}")
    for path, link in broken_links(pages):
        yield Finding(path, f"links to {link}, which is not there")


def check_site(app: Sphinx, error: Exception | None) -> None:
    """Warn of all that is wrong with a finished site."""
    if error is None and app.builder.format == "html":
        for found in findings(Path(app.outdir)):
            logger.warning("%s %s", found.file.relative_to(app.outdir), found.said)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the checks."""
    app.connect("build-finished", check_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
