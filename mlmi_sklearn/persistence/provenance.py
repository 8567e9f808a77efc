"""Where the parts of an estimator came from, and whether they are here."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import warnings
from functools import lru_cache
from typing import Any

from ..components import Component, find_component, list_components, list_plugins
from ..components.naming import BUILTIN_DIST, USER_DIST, canonical_dist
from ..exceptions import PersistenceError, PersistenceWarning, PluginError
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
    what = f"the {kind} {name.rpartition(':')[2]!r} of {dist!r} {version}".rstrip()
    if dist == BUILTIN_DIST:
        _require_builtin(kind, name, version)
    elif dist == USER_DIST:
        _require_user(kind, name)
    else:
        _require_plugin(kind, name, dist, version, what)


def _require_builtin(kind: str, name: str, version: str) -> None:
    short = name.rpartition(":")[2]
    if any(part.name == short for part in list_components(kind, builtin=True)):
        return
    raise PersistenceError(
        f"it needs the {kind} {short!r} of mlmi-sklearn {version}, which mlmi-sklearn "
        f"{_version(BUILTIN_DIST)} does not have. pip install mlmi-sklearn=={version}"
    )


def _require_user(kind: str, name: str) -> None:
    short = name.rpartition(":")[2]
    try:
        find_component(kind, f"{USER_DIST}:{short}")
    except PluginError:
        raise PluginError(
            f"the file needs the {kind} {short!r}, which the program that wrote it had "
            f"registered itself. Call register_component({kind!r}, {short!r}, factory) "
            "before loading."
        ) from None


def _require_plugin(kind: str, name: str, dist: str, version: str, what: str) -> None:
    short = name.rpartition(":")[2]
    order = f"pip install {dist}=={version}" if version else f"pip install {dist}"
    infos = [info for info in list_plugins() if canonical_dist(info.dist) == dist]
    found = [
        part
        for part in list_components(kind)
        if part.name == short and canonical_dist(part.dist) == dist
    ]
    if found and found[0].version == version:
        return
    if found:
        warnings.warn(
            f"The file was written with {what}; version {found[0].version} is "
            f"installed. If predictions differ: {order}",
            PersistenceWarning,
            stacklevel=5,
        )
    elif not infos:
        raise PluginError(f"the file needs {what}, which is not installed. {order}")
    elif infos[0].status != "ok":
        raise PluginError(
            f"the file needs {what}, but that plugin is {infos[0].status}: "
            f"{infos[0].error}"
        )
    else:
        raise PluginError(
            f"the file needs {what}; the installed version {infos[0].version} does "
            f"not have it. {order}"
        )


@lru_cache(maxsize=64)
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
