"""Decorators that make one pytest case of each check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..components import KINDS, Component, find_component, list_components
from ._core import Check
from .components import component_checks
from .estimators import mlmi_estimator_checks
from .plugins import plugin_components

__all__ = ["parametrize_with_component_checks", "parametrize_with_mlmi_checks"]


def parametrize_with_component_checks(
    components: Any = None, *, distribution: str | None = None
) -> Any:
    """Parametrise a test with components and the checks for them.

    The test takes two arguments, ``component`` and ``check``, and calls the second
    with the first. Cases are called ``pooling-max-check_weights`` and so on. Of an
    estimator that a distribution registers, all checks of
    :func:`check_mlmi_estimator` are run, scikit-learn's among them, on an instance.

    Parameters
    ----------
    components : str, Component, (kind, name) or list of these, default=None
        Kinds, such as ``"pooling"``, stand for all built-in components of the kind
        (for those of `distribution`, if it is given). None stands for all kinds.
    distribution : str, default=None
        Check what this distribution registers.

    Returns
    -------
    callable
        Decorator for a test function.

    Raises
    ------
    ContractError
        If the distribution has no working plugin.
    ImportError
        If pytest is not installed.

    Examples
    --------
    A whole test file for a plugin:

    >>> from mlmi_sklearn.testing import parametrize_with_component_checks
    >>> @parametrize_with_component_checks(distribution="mlmi-sklearn")
    ... def test_components(component, check):
    ...     check(component)
    >>> test_components.pytestmark[0].name
    'parametrize'
    """
    chosen = _chosen(components, distribution)
    parts = [one for part in chosen for one in part.members()]
    cases = [
        (f"{part.kind}-{part.name}-{check.name}", subject, check)
        for part in parts
        for subject, check in component_checks(part)
    ]
    return _mark("component", cases)


def parametrize_with_mlmi_checks(
    estimators: Iterable[Any],
    *,
    family: str | None = None,
    sklearn_checks: bool = True,
) -> Any:
    """Parametrise a test with estimators and the checks for them.

    The test takes two arguments, ``estimator`` and ``check``, and calls the second
    with the first.

    Parameters
    ----------
    estimators : iterable of estimator
        Instances.
    family : str or None, default=None
        As for :func:`check_mlmi_estimator`.
    sklearn_checks : bool, default=True
        As for :func:`check_mlmi_estimator`.

    Returns
    -------
    callable
        Decorator for a test function.

    Raises
    ------
    ImportError
        If pytest is not installed.

    Examples
    --------
    >>> from mlmi_sklearn import MILClassifier
    >>> from mlmi_sklearn.testing import parametrize_with_mlmi_checks
    >>> @parametrize_with_mlmi_checks([MILClassifier()])
    ... def test_estimators(estimator, check):
    ...     check(estimator)
    >>> test_estimators.pytestmark[0].name
    'parametrize'
    """
    cases: list[tuple[str, Any, Check]] = [
        (f"{type(estimator).__name__}-{check.name}", subject, check)
        for estimator in estimators
        for subject, check in mlmi_estimator_checks(
            estimator, family=family, sklearn_checks=sklearn_checks
        )
    ]
    return _mark("estimator", cases)


def _mark(argument: str, cases: list[tuple[str, Any, Check]]) -> Any:
    try:
        import pytest
    except ImportError as error:
        raise ImportError(
            "parametrising tests needs pytest: pip install pytest. Without it, call "
            "check_component, check_plugin or check_mlmi_estimator."
        ) from error
    params = [pytest.param(subject, check, id=name) for name, subject, check in cases]
    return pytest.mark.parametrize((argument, "check"), params)


def _chosen(components: Any, distribution: str | None) -> Iterable[Component]:
    """Yield the components that were asked for."""
    if components is None:
        components = list(KINDS)
        if distribution is None:
            components.remove("estimator")  # those have a decorator of their own
    elif isinstance(components, str | Component) or _is_pair(components):
        components = [components]
    known = None if distribution is None else plugin_components(distribution)
    for item in components:
        if isinstance(item, Component):
            yield item
        elif _is_pair(item):
            yield find_component(*item)
        elif known is not None:
            yield from (part for part in known if part.kind == item)
        else:
            yield from list_components(item, builtin=True)


def _is_pair(item: Any) -> bool:
    """Tell (kind, name) from a list of kinds."""
    return isinstance(item, tuple) and len(item) == 2 and item[1] not in KINDS
