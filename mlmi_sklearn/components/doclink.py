"""Where the documentation of an estimator is, for its picture in notebooks."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, metadata

from .naming import BUILTIN_DIST

__all__ = ["DocumentationLink", "documentation_url"]

_PACKAGE = __name__.partition(".")[0]


@lru_cache(maxsize=1)
def documentation_url() -> str:
    """Return where the documentation is, as the package's metadata says.

    Returns
    -------
    str
        Ends with a slash; empty for a source folder that is not installed.

    Examples
    --------
    >>> documentation_url()
    'https://mlmi-sklearn.readthedocs.io/en/latest/'
    """
    try:
        lines = metadata(BUILTIN_DIST).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    urls = dict(line.split(", ", 1) for line in lines)
    found = urls.get("Documentation", "")
    return found if found.endswith("/") or not found else f"{found}/"


class DocumentationLink:
    """Mixin: the question mark beside an estimator's name leads to its page.

    scikit-learn's picture of an estimator asks for ``_get_doc_link``. Public classes of
    the package have a page each; subclasses of a user or a plugin have none here.

    Examples
    --------
    >>> from mlmi_sklearn import TileGrid
    >>> TileGrid()._get_doc_link().removeprefix(documentation_url())
    'api/generated/mlmi_sklearn.TileGrid.html'
    """

    _doc_link_module = _PACKAGE

    def _get_doc_link(self) -> str:
        """Return the address of the page, or nothing where there is none."""
        name, base = type(self).__name__, documentation_url()
        public = getattr(sys.modules[_PACKAGE], "__all__", ())
        own = type(self).__module__.partition(".")[0] == _PACKAGE
        if not (base and own and name in public):
            return ""
        return f"{base}api/generated/{_PACKAGE}.{name}.html"
