"""Parameters of parts that are no part of the model, such as augmentations."""

from __future__ import annotations

import pytest
from sklearn.base import clone

from mlmi_sklearn import (
    CGANSampler,
    ImageTranslator,
    MAMLClassifier,
    register_component,
)
from mlmi_sklearn.components import unregister_component
from mlmi_sklearn.nn.tasks import MetaMethod


@pytest.mark.parametrize("kind", [CGANSampler, ImageTranslator])
def test_parameters_of_an_augmentation(kind):
    model = kind(augment="flip").set_params(augment__probability=0.25)
    assert clone(model).get_params()["augment__probability"] == 0.25
    assert model.set_params(augment="noise", augment__sd=0.5).augment.sd == 0.5


def test_parameters_of_a_method():
    register_component("meta-method", "own-steps", MetaMethod, summary="A method.")
    try:
        model = MAMLClassifier(method="own-steps")
        model.set_params(method__second_order=False)
        assert clone(model).get_params()["method__second_order"] is False
    finally:
        unregister_component("meta-method", "own-steps")


@pytest.mark.parametrize("value", [None, ["flip", "noise"]])
def test_what_has_no_parameters_says_so(value):
    with pytest.raises(ValueError, match="no parameters to set with augment"):
        CGANSampler(augment=value).set_params(augment__probability=0.1)
