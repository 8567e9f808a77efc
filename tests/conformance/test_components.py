"""Every built-in component under the conformance kit."""

import pytest

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.testing import parametrize_with_component_checks
from mlmi_sklearn.testing._losses import LossSubject

KINDS = ["backbone", "loss", "pooling", "divergence", "generator", "meta-method"]
KINDS += ["adversarial-loss", "augmentation"]
LOSSES = list_components("loss", builtin=True, task="classification")


@parametrize_with_component_checks(KINDS)
def test_components(component, check):
    check(component)


def test_all_of_them_are_here():
    test = test_components.pytestmark[0]
    checked = {case.values[0].qualified_name for case in test.args[1]}
    for kind in KINDS:
        names = {part.qualified_name for part in list_components(kind, builtin=True)}
        assert names
        assert names <= checked


@pytest.mark.parametrize("name", [part.name for part in LOSSES])
def test_our_losses_read_several_labels(name):
    """The kit lets others refuse them; ours may not."""
    part = find_component("loss", name)
    raw, target = LossSubject(part).labels()
    assert part.build()(raw, target).shape == (len(raw),)
