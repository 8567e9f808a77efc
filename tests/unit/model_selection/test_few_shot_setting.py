"""Few-shot learning in the taxonomy of transfer."""

import pytest

from mlmi_sklearn import transfer_setting
from mlmi_sklearn.model_selection import setting
from mlmi_sklearn.model_selection.setting import _CASES

Y = [0, 1, 2, 3, 4, 5]
IDS = [0, 0, 0, 0, -1, -1]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "few-shot learning"),
        ({"same_task": False}, "few-shot learning"),
        ({"same_task": True}, "semi-supervised domain adaptation"),
        ({"same_task": True, "same_domain": True}, "no transfer"),
        ({"same_domain": True}, "few-shot learning"),
        ({"labelled_source": False}, "self-taught learning"),
        ({"y": Y, "sample_domain": IDS}, "few-shot learning"),
        (
            {"y": [0, 1, 0, 1, 0, 1], "sample_domain": IDS},
            "semi-supervised domain adaptation",
        ),
    ],
)
def test_few_shot(options, name):
    found = transfer_setting(few_shot=True, **options)
    assert found.name == name
    assert found.name in str(found)


def test_without_the_flag_nothing_is_few_shot():
    assert transfer_setting(y=Y, sample_domain=IDS).name == "multi-task learning"
    assert transfer_setting(few_shot=False).name == "domain adaptation"


@pytest.mark.parametrize(
    "options",
    [
        {"labelled_target": False},
        {"y": [0, 1, 0, -1, -1]},
    ],
)
def test_a_target_without_labels_has_not_even_a_few(options):
    with pytest.raises(ValueError, match="few_shot=True says that"):
        transfer_setting(few_shot=True, **options)


def test_estimators_are_named_once_they_are_registered(monkeypatch):
    class Part:
        def __init__(self, name):
            self.name = name

    known = ["ProtoNetClassifier", "SelfTaughtTransformer", "MultiTaskEstimator"]
    monkeypatch.setattr(setting, "list_components", lambda _: list(map(Part, known)))
    assert transfer_setting(few_shot=True).estimators == ("ProtoNetClassifier",)
    other = transfer_setting(labelled_target=True, same_task=False)
    assert other.estimators == ("MultiTaskEstimator",)
    taught = transfer_setting(labelled_source=False, labelled_target=True)
    assert taught.estimators == ("SelfTaughtTransformer",)
    assert "Fits: ProtoNetClassifier." in str(transfer_setting(few_shot=True))


def test_the_family_has_its_rows():
    named = {case: set(found[-1]) for case, found in _CASES.items()}
    assert {"MAMLClassifier", "ProtoNetClassifier"} <= named["fewshot"]
    assert {"MultiTaskEstimator", "FineTuneClassifier"} <= named["multitask"]
    assert named["selftaught"] == {"SelfTaughtTransformer"}
