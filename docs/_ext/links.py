"""Links that work on the site as they do in the repository.

A page links to an example by the path of its program, `../examples/mil/plot_x.py`. On
the site that becomes the example's page.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from posixpath import normpath

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

__all__ = ["gallery_page", "setup"]


def gallery_page(target: str, page: str) -> str | None:
    """Return the page of an example that `page` links to by its path, or None.

    >>> gallery_page("../examples/mil/plot_x.py", "user_guide/mil")
    'auto_examples/mil/plot_x'
    >>> gallery_page("images/make.py", "user_guide/mil")
    """
    path = PurePosixPath(normpath(str(PurePosixPath(page).parent / target)))
    if path.parts[:1] != ("examples",) or path.suffix not in {".py", ""}:
        return None
    place = PurePosixPath("auto_examples", *path.parts[1:])
    return str(place.with_suffix("") if path.suffix else place / "index")


def link_examples(app: Sphinx, tree: nodes.document) -> None:
    """Turn links to programs of examples into links to their pages."""
    page = app.env.docname
    for link in list(tree.findall(addnodes.download_reference)):
        found = gallery_page(link["reftarget"], page)
        if found is None:
            continue
        new = addnodes.pending_xref(
            "",
            *link.children,
            refdomain="std",
            reftype="doc",
            reftarget=f"/{found}",
            refdoc=page,
            refexplicit=True,
            refwarn=True,
        )
        link.replace_self(new)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what happens to links."""
    app.connect("doctree-read", link_examples)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
