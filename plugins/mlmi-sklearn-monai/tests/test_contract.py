"""The conformance kit, on all that this distribution registers, and on volumes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlmi_sklearn import find_component
from mlmi_sklearn.testing import parametrize_with_component_checks


@parametrize_with_component_checks(distribution="mlmi-sklearn-monai")
def test_contract(component, check):
    check(component)


def on_volumes(name, shape, **params):
    part = find_component("backbone", name)
    return replace(part, example={**part.example, "input_shape": shape, **params})


SMALL = on_volumes("monai-unet", (2, 8, 8, 12))
LARGE = [
    on_volumes("monai-densenet121", (1, 32, 32, 32)),
    on_volumes("monai-swin-unetr", (1, 32, 32, 32), window_size=4),
    on_volumes("monai-efficientnet", (1, 32, 32, 32)),
]


@parametrize_with_component_checks(SMALL)
def test_contract_on_volumes(component, check):
    check(component)


@pytest.mark.slow
@parametrize_with_component_checks(LARGE)
def test_contract_on_large_volumes(component, check):
    check(component)
