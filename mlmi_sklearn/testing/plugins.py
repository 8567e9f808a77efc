"""Checks of all that a distribution registers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..components import Component, did_you_mean, list_components, list_plugins
from ..components.component import describe_error
from ..components.naming import canonical_dist
from ._core import Check, CheckResult, ContractError, fail, run_checks
from .components import component_checks

__all__ = ["check_plugin", "plugin_components"]


def check_plugin(
    distribution: str, *, on_fail: str | None = "raise"
) -> list[CheckResult]:
    """Check every component and estimator of an installed distribution.

    Parameters
    ----------
    distribution : str
        Name of the distribution, such as ``"mlmi-sklearn-timm"``.
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
    mlmi_sklearn.testing._core.ContractError: no installed distribution is called
    'mlmi-sklearn-tmm' and has an entry point in the group 'mlmi_sklearn'. ...
    """
    return run_checks(_pairs(plugin_components(distribution)), on_fail)


def plugin_components(distribution: str) -> list[Component]:
    """Return what a distribution has registered.

    Parameters
    ----------
    distribution : str
        Name of the distribution.

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
    plugins = [i for i in list_plugins() if canonical_dist(i.dist) == wanted]
    if not plugins:
        known = sorted({info.dist for info in list_plugins()})
        fail(
            f"no installed distribution is called {distribution!r} and has an entry "
            f"point in the group 'mlmi_sklearn'.{did_you_mean(distribution, known)}",
            f"Installed are: {', '.join(known)}.",
        )
    for info in plugins:
        if info.status != "ok":
            fail(
                f"plugin {info.name!r} of {info.dist!r} is {info.status}: {info.error}"
            )
    parts = [p for p in list_components() if canonical_dist(p.dist) == wanted]
    if not parts:
        fail(f"{distribution!r} registers nothing.", "Call register(...) in its hooks.")
    return parts


def _pairs(parts: list[Component]) -> Iterator[tuple[Any, Check]]:
    """Yield the checks of all parts; one that cannot be listed fails as a check."""
    for part in parts:
        try:
            yield from list(component_checks(part))
        except Exception as error:
            yield part, _unbuildable(part, error)


def _unbuildable(part: Component, error: Exception) -> Check:
    def check_can_be_built(component: Component) -> None:
        """The checks can build it from its example."""
        raise ContractError(
            f"it cannot be built: {describe_error(error)}. Give register(...) an "
            "example with the arguments it needs."
        )

    return Check(check_can_be_built, label=lambda p: f"{p.label} of {p.dist!r}")
