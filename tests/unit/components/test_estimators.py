"""All estimators as classes."""

from __future__ import annotations

import collections
import decimal
import fractions

import pytest

from mlmi_sklearn.components import Component, estimators
from mlmi_sklearn.exceptions import ComponentConflictError, PluginError, PluginWarning


@pytest.fixture
def listed(monkeypatch):
    """Return a function that replaces the registered estimators."""

    def use(*parts):
        def find(kind, name):
            fits = [part for part in parts if part.name == name]
            if len(fits) > 1 and all(part.third_party for part in fits):
                raise ComponentConflictError(name)
            return min(fits, key=lambda part: part.third_party)

        monkeypatch.setattr(estimators, "list_components", lambda kind: list(parts))
        monkeypatch.setattr(estimators, "find_component", find)
        return estimators.all_estimators

    return use


def part(name, target, dist="mlmi-sklearn", kind="classifier"):
    """Return an estimator's component."""
    return Component("estimator", name, target, tags={"type": kind}, dist=dist)


def test_sorted_pairs_of_name_and_class(listed):
    all_estimators = listed(
        part("OrderedDict", "collections:OrderedDict", dist="other"),
        part("Decimal", "decimal:Decimal"),
    )
    assert all_estimators() == [
        ("Decimal", decimal.Decimal),
        ("OrderedDict", collections.OrderedDict),
    ]


def test_filter_by_type(listed):
    all_estimators = listed(
        part("Decimal", "decimal:Decimal"),
        part("Fraction", "fractions:Fraction", kind="regressor"),
    )
    assert all_estimators("regressor") == [("Fraction", fractions.Fraction)]
    with pytest.raises(ValueError, match="there are: classifier, regressor"):
        all_estimators("clusterer")


def test_broken_plugin_is_left_out_with_a_warning(listed):
    all_estimators = listed(
        part("Absent", "no_such_module_zz:X", dist="mlmi-odd"),
        part("Decimal", "decimal:Decimal"),
    )
    with pytest.warns(PluginWarning, match="mlmi-odd") as caught:
        assert [name for name, _ in all_estimators()] == ["Decimal"]
    assert caught[0].filename == __file__


def test_broken_builtin_is_an_error(listed):
    with pytest.raises(PluginError):
        listed(part("Absent", "no_such_module_zz:X"))()


def test_names_are_unambiguous(listed):
    all_estimators = listed(
        part("Decimal", "decimal:Decimal"),
        part("Decimal", "decimal:Context", dist="a"),
        part("Fraction", "fractions:Fraction", dist="a"),
        part("Fraction", "decimal:Clamped", dist="b"),
    )
    assert [name for name, _ in all_estimators()] == [
        "Decimal",
        "a:Decimal",
        "a:Fraction",
        "b:Fraction",
    ]
