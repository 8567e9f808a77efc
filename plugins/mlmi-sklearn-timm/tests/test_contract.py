"""The conformance kit, on one model of each kind of architecture."""

from __future__ import annotations

import pytest
from mlmi_sklearn_timm import MEMBERS

from mlmi_sklearn import find_component
from mlmi_sklearn.testing import parametrize_with_component_checks

QUICK = ("resnet18", "mobilenetv3_small_050")


def parts(names):
    return [find_component("backbone", f"timm:{name}") for name in names]


@parametrize_with_component_checks(parts(QUICK))
def test_contract(component, check):
    check(component)


@pytest.mark.slow
@parametrize_with_component_checks(parts(n for n in MEMBERS if n not in QUICK))
def test_contract_of_more(component, check):
    check(component)
