"""Where the parts of an estimator came from, and whether they are here."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import warnings
from functools import lru_cache
from typing import Any

from ..components import (
    Component,
    PluginInfo,
    find_component,
    list_components,
    list_plugins,
)
from ..components.naming import BUILTIN_DIST, USER_DIST, canonical_dist
from ..exceptions import (
    ComponentNotFoundError,
    PersistenceError,
    PersistenceWarning,
    PluginError,
)
from .codec import Writer

__all__ = ["collect", "require_parts", "versions"]

_PACKAGES = (
    "torch",
    "scikit-learn",
    "skorch",
    "numpy",
    "scipy",
    "pandas",
    "safetensors",
)
_DIST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9.+!_-]{0,60}")


def versions() -> dict[str, str]:
    """Return the versions with which a file is written."""
    found = {
        "mlmi-sklearn": _version(BUILTIN_DIST),
        "python": platform.python_version(),
    }
    return found | {name: _version(name) for name in _PACKAGES}


def collect(writer: Writer) -> list[dict[str, str]]:
    """Return kind, name, distribution and version of all that was written.

    Parameters
    ----------
    writer : Writer
        After it has packed an estimator.

    Returns
    -------
    list of dict
        Sorted; estimators have the kind ``"estimator"``.
    """
    found = [_entry(part, name) for (_, name), part in writer.components.items()]
    for name, cls in writer.sources.items():
        if not name.startswith("inner:"):
            found.append(_source(name, cls))
    return sorted(found, key=lambda entry: (entry["kind"], entry["name"]))


def _entry(part: Component, name: str) -> dict[str, str]:
    version = _version(BUILTIN_DIST) if part.dist == BUILTIN_DIST else part.version
    return {"kind": part.kind, "name": name, "dist": part.dist, "version": version}


def _source(name: str, cls: type[Any]) -> dict[str, str]:
    root = cls.__module__.partition(".")[0]
    known = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}
    if root in known:
        dist = known[root]
        entry = {"kind": "estimator", "name": name, "dist": dist}
        return {**entry, "version": _version(dist)}
    return _entry(find_component("estimator", name), name)


def require_parts(entries: Any) -> None:
    """Raise unless all that a file refers to is installed.

    Parameters
    ----------
    entries : list of dict
        From :func:`collect`, or from anybody.

    Raises
    ------
    PluginError
        If a plugin is missing, switched off or broken; says what to install.
    PersistenceError
        If the entries are malformed, or a built-in part is unknown.

    Warns
    -----
    PersistenceWarning
        If a plugin has another version than the one the file was written with.
    """
    if not isinstance(entries, list):
        raise PersistenceError("its list of components is malformed.")
    for entry in entries:
        fields = [entry.get(key) for key in ("kind", "name", "dist", "version")]
        if not all(isinstance(value, str) and len(value) < 300 for value in fields):
            raise PersistenceError("its list of components is malformed.")
        kind, name, dist, version = fields
        if not (_DIST.fullmatch(dist) and _VERSION.fullmatch(version)):
            raise PersistenceError("its list of components is malformed.")
        if not name.startswith(("sklearn.", "imblearn.")):
            _require_part(kind, name, canonical_dist(dist), version)


def _require_part(kind: str, name: str, dist: str, version: str) -> None:
    # As it was written by users: with its distribution, or without.
    home, _, rest = name.partition(":")
    short = rest if rest and canonical_dist(home) == dist else name
    if dist == BUILTIN_DIST:
        _require_builtin(kind, short, version)
    elif dist == USER_DIST:
        _require_user(kind, short)
    else:
        _require_plugin(kind, short, dist, version)


def _require_builtin(kind: str, short: str, version: str) -> None:
    if _found_in(list_components(kind, builtin=True), short):
        return
    raise PersistenceError(
        f"it needs the {kind} {short!r} of mlmi-sklearn {version}, which mlmi-sklearn "
        f"{_version(BUILTIN_DIST)} does not have. pip install mlmi-sklearn=={version}"
    )


def _require_user(kind: str, short: str) -> None:
    try:
        find_component(kind, f"{USER_DIST}:{short}")
    except PluginError:
        registered = short.partition(":")[0] + ":*" if ":" in short else short
        raise PluginError(
            f"the file needs the {kind} {short!r}, which the program that wrote it had "
            f"registered itself. Call register_component({kind!r}, {registered!r}, "
            "factory) before loading."
        ) from None


def _require_plugin(kind: str, short: str, dist: str, version: str) -> None:
    what = f"the {kind} {short!r} of {dist!r} {version}".rstrip()
    order = f"pip install {dist}=={version}" if version else f"pip install {dist}"
    infos = [info for info in list_plugins() if canonical_dist(info.dist) == dist]
    own = [p for p in list_components(kind) if canonical_dist(p.dist) == dist]
    found = _found_in(own, short)
    if found is None:
        raise PluginError(_missing(infos, what, order))
    if found.member:
        _require_member(found, what, order)
    if found.version != version:
        warnings.warn(
            f"The file was written with {what}; version {found.version} is "
            f"installed. If predictions differ: {order}",
            PersistenceWarning,
            stacklevel=5,
        )


def _found_in(parts: list[Component], short: str) -> Component | None:
    """Return the part of that name, or the member of a family."""
    return next((found for part in parts if (found := part.named(short))), None)


def _require_member(part: Component, what: str, order: str) -> None:
    """Raise unless a family, which alone can say, has a member."""
    try:
        part.load()
    except ComponentNotFoundError as error:
        raise PluginError(
            f"the file needs {what}; the installed version {part.version} does not "
            f"have it ({error}) {order}"
        ) from error


def _missing(infos: list[PluginInfo], what: str, order: str) -> str:
    """Say why a part of a plugin is not there, and what to do."""
    if not infos:
        return f"the file needs {what}, which is not installed. {order}"
    if infos[0].status != "ok":
        return (
            f"the file needs {what}, but that plugin is {infos[0].status}: "
            f"{infos[0].error}"
        )
    return (
        f"the file needs {what}; the installed version {infos[0].version} does not "
        f"have it. {order}"
    )


@lru_cache(maxsize=64)
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
