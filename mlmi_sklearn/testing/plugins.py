"""Checks of all that a distribution registers."""

from __future__ import annotations

from ..components import Component, did_you_mean, list_components, list_plugins
from ..components.naming import canonical_dist, check_kind
from ._core import CheckResult, ContractError, fail, run_checks
from .components import component_checks

__all__ = ["NothingToCheckError", "check_plugin", "plugin_components"]


class NothingToCheckError(ContractError):
    """Raised when there is no such plugin, it is switched off, or has no such part."""


def check_plugin(
    distribution: str, *, kind: str | None = None, on_fail: str | None = "raise"
) -> list[CheckResult]:
    """Check every component and estimator of an installed distribution.

    Parameters
    ----------
    distribution : str
        Name of the distribution, such as ``"mlmi-sklearn-timm"``.
    kind : str, default=None
        Check only parts of this kind, such as ``"loss"``.
    on_fail : {"raise", None}, default="raise"
        Whether to raise when all checks have run and some failed.

    Returns
    -------
    list of CheckResult
        One for each check of each component.

    Raises
    ------
    ContractError
        If the distribution has no plugin, its plugin is broken or disabled, or a
        component breaks its contract; every failure is listed.

    Examples
    --------
    >>> from mlmi_sklearn.testing import check_plugin
    >>> check_plugin("mlmi-sklearn-tmm")
    Traceback (most recent call last):
    mlmi_sklearn.testing.plugins.NothingToCheckError: no installed distribution is
    called 'mlmi-sklearn-tmm' and has an entry point in the group 'mlmi_sklearn'. ...
    """
    parts = plugin_components(distribution, kind)
    pairs = (pair for part in parts for pair in component_checks(part))
    return run_checks(pairs, on_fail)


def plugin_components(distribution: str, kind: str | None = None) -> list[Component]:
    """Return what a distribution has registered.

    Parameters
    ----------
    distribution : str
        Name of the distribution.
    kind : str, default=None
        Only parts of this kind.

    Returns
    -------
    list of Component
        At least one.

    Raises
    ------
    ContractError
        As in :func:`check_plugin`.

    Examples
    --------
    >>> from mlmi_sklearn.testing.plugins import plugin_components
    >>> plugin_components("mlmi-sklearn")[0].kind
    'backbone'
    """
    wanted = canonical_dist(distribution)
    _require_working(distribution, wanted)
    parts = [
        member
        for part in list_components()
        if canonical_dist(part.dist) == wanted
        for member in _members(part)
    ]
    if not parts:
        fail(f"{distribution!r} registers nothing.", "Call register(...) in its hooks.")
    if kind is None:
        return parts
    chosen = [part for part in parts if part.kind == check_kind(kind)]
    if not chosen:
        there = ", ".join(dict.fromkeys(part.kind for part in parts))
        raise NothingToCheckError(
            f"{distribution!r} registers no {check_kind(kind)}; its parts are of the "
            f"kinds {there}."
        )
    return chosen


def _require_working(distribution: str, wanted: str) -> None:
    """Fail unless all plugins of a distribution are there and loaded."""
    infos = list_plugins()
    plugins = [info for info in infos if canonical_dist(info.dist) == wanted]
    if not plugins:
        known = sorted({info.dist for info in infos})
        raise NothingToCheckError(
            f"no installed distribution is called {distribution!r} and has an entry "
            f"point in the group 'mlmi_sklearn'.{did_you_mean(distribution, known)} "
            f"Installed are: {', '.join(known)}."
        )
    for info in plugins:
        what = f"plugin {info.name!r} of {info.dist!r} is {info.status}: {info.error}"
        if info.status == "disabled":
            raise NothingToCheckError(what)
        if info.status != "ok":
            fail(what)


def _members(part: Component) -> list[Component]:
    """Return the part itself, or those that a family names to be tried."""
    if not part.is_family:
        return [part]
    prefix = part.name.removesuffix("*")
    found = [part.named(f"{prefix}{name}") for name in part.tags["members"]]
    return [member for member in found if member is not None]
