"""Conformance kit: checks for components, plugins and estimators, and strategies.

A plugin is checked by three lines::

    from mlmi_sklearn.testing import parametrize_with_component_checks


    @parametrize_with_component_checks(distribution="my-plugin")
    def test_my_plugin(component, check):
        check(component)

Without pytest, :func:`check_plugin`, :func:`check_component` and
:func:`check_mlmi_estimator` run all checks and list what failed, what it means and
how to mend it. The hypothesis strategies :func:`bags`, :func:`labelled_bags`,
:func:`labelled_data`, :func:`domain_data` and :func:`tasks` draw data for property
tests; they need hypothesis, the rest of the kit does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._core import Check, CheckResult, ContractError
from ._pytest import parametrize_with_component_checks, parametrize_with_mlmi_checks
from .components import check_component, component_checks
from .estimators import check_mlmi_estimator, mlmi_estimator_checks
from .plugins import check_plugin

if TYPE_CHECKING:
    from .strategies import bags as bags
    from .strategies import domain_data as domain_data
    from .strategies import labelled_bags as labelled_bags
    from .strategies import labelled_data as labelled_data
    from .strategies import tasks as tasks

_STRATEGIES = ("bags", "domain_data", "labelled_bags", "labelled_data", "tasks")

__all__ = [
    "Check",
    "CheckResult",
    "ContractError",
    "check_component",
    "check_mlmi_estimator",
    "check_plugin",
    "component_checks",
    "mlmi_estimator_checks",
    "parametrize_with_component_checks",
    "parametrize_with_mlmi_checks",
]


def __getattr__(name: str) -> Any:
    if name not in (*_STRATEGIES, "strategies"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(".strategies", __name__)
    return module if name == "strategies" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_STRATEGIES})
