"""What a checkpoint is not for, and data that it cannot be told from by content."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch.utils.data import TensorDataset

from mlmi_sklearn import NetClassifier
from mlmi_sklearn.exceptions import TrainingDivergedError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6)).astype(np.float32)
Y = np.arange(48) % 2
BEGUN: list[int] = []  # callbacks are copied


class Death(BaseException):
    """Ends a training as nothing in it expects."""


class Dying(Callback):
    """Count epochs, and raise as one begins after so many of this process."""

    def __init__(self, after=99):
        self.after = after

    def on_train_begin(self, net, **kwargs):
        BEGUN.clear()

    def on_epoch_begin(self, net, **kwargs):
        if len(BEGUN) == self.after:
            raise Death
        BEGUN.append(len(net.history))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nobody_goes_on_with_a_training_that_diverged(tmp_path):
    model = NetClassifier(
        max_epochs=9, lr=1e30, optimizer="sgd", random_state=0, checkpoint=tmp_path
    )
    with pytest.raises(TrainingDivergedError):
        model.fit(100 * X, Y)
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_yields_its_rows_goes_on_where_it_was(tmp_path):
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    expected = NetClassifier(max_epochs=5, random_state=0).fit(data)
    model = NetClassifier(max_epochs=5, random_state=0, checkpoint=tmp_path)
    with pytest.raises(Death):
        model.set_params(callbacks=[Dying(2)]).fit(data)
    [_] = tmp_path.iterdir()
    model.set_params(callbacks=[Dying()]).fit(data)
    assert len(BEGUN) == 3
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
