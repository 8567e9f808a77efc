"""Find plugins among the installed distributions, without importing any.

Environment variables decide which of them may be loaded, and how long that may take:

``MLMI_SKLEARN_PLUGINS``
    ``none``, or a comma-separated list of the only ones to load.
``MLMI_SKLEARN_DISABLE``
    Comma-separated list of ones not to load; it wins over the other.
``MLMI_SKLEARN_SLOW_SECONDS``
    A plugin that takes longer to load (5, if it is not set) is reported.

The first two accept names of distributions and of entry points. Built-in parts are no
plugin in this sense and are always there.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..exceptions import PluginError
from .component import describe_error
from .hookspecs import GROUP
from .naming import BUILTIN_DIST, canonical_dist

__all__ = [
    "BUILTIN_MODULE",
    "Candidate",
    "Switches",
    "discover",
    "package_version",
    "patience",
]

#: Where the built-in parts are registered, through the hooks that plugins use.
BUILTIN_MODULE = "mlmi_sklearn.components.builtins"

_ONLY = "MLMI_SKLEARN_PLUGINS"
_OFF = "MLMI_SKLEARN_DISABLE"
_SLOW = "MLMI_SKLEARN_SLOW_SECONDS"


@dataclass(frozen=True)
class Candidate:
    """An entry point that might become a plugin.

    Parameters
    ----------
    name : str
        Name of the entry point.
    dist, version : str
        Distribution that declares it.
    load : callable
        Imports it and returns the module or object it names.
    package : str, default=""
        Top-level module that it names.
    """

    name: str
    dist: str
    version: str
    load: Callable[[], object]
    package: str = ""

    @property
    def label(self) -> str:
        """Name, distribution and version as messages quote them."""
        return f"plugin {self.name!r} of {self.dist!r} {self.version}".rstrip()

    @property
    def names(self) -> frozenset[str]:
        """Names under which the environment variables know it."""
        return frozenset({canonical_dist(self.name), canonical_dist(self.dist)})


def package_version() -> str:
    """Return the version of mlmi_sklearn.

    Returns
    -------
    str
        ``"unknown"`` when the package runs from a plain folder, not installed.

    Examples
    --------
    >>> isinstance(package_version(), str)
    True
    """
    try:
        return importlib.metadata.version(BUILTIN_DIST) or "unknown"
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def discover() -> list[Candidate]:
    """Return all installed plugins but the built-in one.

    Returns
    -------
    list of Candidate
        Sorted by distribution and name, so that everything that depends on the order
        is the same on every machine.

    Examples
    --------
    >>> all(isinstance(found, Candidate) for found in discover())
    True
    """
    try:
        points = [
            _candidate(point)
            for point in importlib.metadata.entry_points(group=GROUP)
            if point.value != BUILTIN_MODULE
        ]
    # One unreadable distribution anywhere fails the call above for all of them.
    except Exception:
        points = list(_one_by_one())
    return sorted(points, key=lambda c: (canonical_dist(c.dist), c.name))


def _candidate(point: importlib.metadata.EntryPoint) -> Candidate:
    """Describe an entry point, even one whose metadata are incomplete."""

    def load() -> object:
        if not point.pattern.match(point.value):
            raise PluginError(
                f"its entry point {point.value!r} is neither 'module' nor "
                "'module:object'."
            )
        return point.load()

    package = point.value.partition(":")[0].partition(".")[0]
    return Candidate(
        name=point.name,
        dist=_field(point.dist, "Name") or package,
        version=_field(point.dist, "Version"),
        load=load,
        package=package,
    )


def _field(dist: importlib.metadata.Distribution | None, key: str) -> str:
    """Return one field of the metadata; empty when there is none to be read."""
    with contextlib.suppress(Exception):
        # Asking for a key that is missing warns or raises in newer Pythons.
        if dist is not None and key in dist.metadata:
            return dist.metadata[key]
    return ""


def _one_by_one() -> Iterator[Candidate]:
    """Read each distribution on its own, so that unreadable ones harm no other."""
    seen: set[str] = set()
    for dist in importlib.metadata.distributions():
        name = canonical_dist(_field(dist, "Name"))
        # The first on the path is the one that Python imports.
        if name in seen:
            continue
        seen.add(name)
        try:
            points = [p for p in dist.entry_points if p.group == GROUP]
            yield from (_candidate(p) for p in points if p.value != BUILTIN_MODULE)
        except Exception as error:
            # Faults of distributions that are no plugin are none of our business.
            if _mentions_us(dist):
                yield _unreadable(dist, error)


def _unreadable(dist: importlib.metadata.Distribution, error: Exception) -> Candidate:
    """Return a candidate that explains, when loaded, why there is none."""
    reason = f"its entry_points.txt cannot be read: {describe_error(error)}."

    def load() -> object:
        raise PluginError(reason)

    name = _field(dist, "Name") or "unknown"
    return Candidate(name, name, _field(dist, "Version"), load)


def _mentions_us(dist: importlib.metadata.Distribution) -> bool:
    """Say whether an unreadable distribution was meant to be a plugin."""
    with contextlib.suppress(Exception):
        return f"[{GROUP}]" in (dist.read_text("entry_points.txt") or "")
    return False


@dataclass(frozen=True)
class Switches:
    """Which plugins the environment allows.

    Parameters
    ----------
    only : tuple of str or None
        The only ones to load; None stands for all.
    off : tuple of str
        The ones not to load.

    Examples
    --------
    >>> Switches.read({"MLMI_SKLEARN_PLUGINS": "none"})
    Switches(only=(), off=())
    """

    only: tuple[str, ...] | None = None
    off: tuple[str, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Switches:
        """Read both variables; an empty one counts as not set."""
        only = _names(environ.get(_ONLY, ""))
        if only and [name.lower() for name in only] == ["none"]:
            return cls((), _names(environ.get(_OFF, "")))
        return cls(only or None, _names(environ.get(_OFF, "")))

    def reason_against(self, plugin: Candidate) -> str | None:
        """Say why a plugin may not be loaded; None when it may."""
        if self._hits(self.off, plugin):
            return f"switched off by {_OFF}={','.join(self.off)}"
        if self.only is None or self._hits(self.only, plugin):
            return None
        if not self.only:
            return f"switched off by {_ONLY}=none"
        return f"not among {_ONLY}={','.join(self.only)}"

    def unknown(self, plugins: Iterable[Candidate]) -> list[str]:
        """Return the names asked for that no installed plugin has."""
        known = {name for plugin in plugins for name in plugin.names}
        return [n for n in self.only or () if canonical_dist(n) not in known]

    @staticmethod
    def _hits(names: tuple[str, ...], plugin: Candidate) -> bool:
        """Say whether a plugin is meant by any of the names."""
        return not plugin.names.isdisjoint(map(canonical_dist, names))


def patience(environ: Mapping[str, str], default: float = 5.0) -> float:
    """Return how many seconds a plugin may take to load before that is reported.

    Parameters
    ----------
    environ : mapping
        Environment with the variable.
    default : float, default=5.0
        What holds if it is not set, or no number.

    Returns
    -------
    float
        Seconds.

    Examples
    --------
    >>> patience({"MLMI_SKLEARN_SLOW_SECONDS": "30"}), patience({})
    (30.0, 5.0)
    """
    try:
        return float(environ.get(_SLOW) or default)
    except ValueError:
        return default


def _names(value: str) -> tuple[str, ...]:
    """Split a list given in an environment variable."""
    return tuple(name for name in re.split(r"[,\s]+", value) if name)
