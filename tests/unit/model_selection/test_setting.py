"""The taxonomy of transfer learning, in flags and from data."""

import numpy as np
import pytest

import mlmi_sklearn
from mlmi_sklearn import transfer_setting
from mlmi_sklearn.model_selection.setting import _CASES


@pytest.mark.parametrize(
    ("flags", "setting", "name"),
    [
        ({}, "transductive", "domain adaptation"),
        ({"same_domain": True}, "transductive", "sample selection bias"),
        ({"labelled_target": True}, "inductive", "semi-supervised domain adaptation"),
        (
            {"labelled_target": True, "same_task": False},
            "inductive",
            "multi-task learning",
        ),
        (
            {"labelled_source": False, "labelled_target": True},
            "inductive",
            "self-taught learning",
        ),
        ({"labelled_source": False}, "unsupervised", "unsupervised"),
        ({"labelled_target": True, "same_domain": True}, "traditional", "no transfer"),
        ({"same_task": False}, "inductive", "no labels for a new task"),
    ],
)
def test_flags(flags, setting, name):
    found = transfer_setting(**flags)
    assert (found.setting, found.name) == (setting, name)
    assert name in str(found) or found.setting in str(found).lower()
    assert found.advice in str(found)


@pytest.mark.parametrize(
    ("y", "domain", "name"),
    [
        ([0, 1, 0, -1, -1], None, "domain adaptation"),
        ([0.5, 1.5, np.nan], None, "domain adaptation"),
        (["a", "b", None], None, "domain adaptation"),
        ([0, 1, -1, -1], [0, 1, -1, -1], "domain adaptation"),
        ([0, 1, 0, -1], [0, 0, -1, -1], "semi-supervised domain adaptation"),
        ([0.1, 0.2, 0.3, np.nan], [0, 0, -1, -1], "semi-supervised domain adaptation"),
        ([0, 1, 2, 3], [0, 0, -1, -1], "multi-task learning"),
        ([-1, -1, 0, 1], [0, 0, -1, -1], "self-taught learning"),
        ([np.nan, np.nan], [0, -1], "unsupervised"),
    ],
)
def test_data(y, domain, name):
    assert transfer_setting(y=y, sample_domain=domain).name == name


def test_names_of_domains_and_flags_over_data():
    y, names = [0, 1, 0, 1], ["a", "a", "b", "b"]
    options = {"y": y, "sample_domain": names, "target_domains": ["b"]}
    assert transfer_setting(**options).setting == "inductive"
    assert transfer_setting(**options, labelled_target=False).setting == "transductive"


def test_estimators_named_are_there():
    assert "DANNClassifier" in transfer_setting().estimators
    assert "MMEClassifier" in transfer_setting(labelled_target=True).estimators
    for flags in ({}, {"same_domain": True}, {"labelled_target": True}):
        for name in transfer_setting(**flags).estimators:
            assert hasattr(mlmi_sklearn, name)
    assert {case[0] for case in _CASES.values()} == {
        "traditional",
        "inductive",
        "transductive",
        "unsupervised",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_domain": [0, -1]}, "sample_domain needs y"),
        ({"y": [0, 1, 0]}, "No row is of a target"),
        ({"y": [0, 1], "sample_domain": [0, 1]}, "No row is of a target"),
        ({"y": [0, 1], "sample_domain": ["a", "b"]}, "target_domains"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        transfer_setting(**options)
