"""Factories are told when the weights they give a module are not needed."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
import torch

from mlmi_sklearn import NetClassifier
from mlmi_sklearn.nn.initial import weights_follow, weights_matter

ASKED: list[bool] = []


class Costly(torch.nn.Linear):
    """A backbone whose weights would have to be fetched."""

    def __init__(self, input_shape):
        super().__init__(*input_shape, 3)
        ASKED.append(weights_matter())


@pytest.fixture
def fitted(iris_like):
    ASKED.clear()
    model = NetClassifier(backbone=Costly, max_epochs=1).fit(*iris_like)
    assert ASKED == [True]
    return model


@pytest.fixture
def iris_like():
    rows = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).numpy()
    return rows, (rows[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_model_that_is_restored_needs_none(fitted, iris_like, again):
    twin = again(fitted)
    assert ASKED == [True, False]
    assert (
        twin.predict_proba(iris_like[0]) == fitted.predict_proba(iris_like[0])
    ).all()
    twin.fit(*iris_like)
    assert ASKED == [True, False, True]


def test_weights_do_not_matter_on_the_device_without_numbers():
    with torch.device("meta"):
        assert not weights_matter()
    assert weights_matter()


def test_an_error_ends_it():
    with pytest.raises(KeyError), weights_follow():
        raise KeyError
    assert weights_matter()


def test_other_threads_do_not_notice():
    seen = []
    with weights_follow():
        thread = threading.Thread(target=lambda: seen.append(weights_matter()))
        thread.start()
        thread.join()
    assert seen == [True]
