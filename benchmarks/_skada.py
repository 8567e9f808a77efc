"""skada's nets with the same layers as ours; without skada, both names are None.

``import skada`` switches scikit-learn's metadata routing on for the whole process;
this module switches it back to what it was.
"""

from __future__ import annotations

from typing import Any

import sklearn
import torch
from _da import discriminator, encoder
from skorch.callbacks import LRScheduler
from torch import nn

_ROUTING = sklearn.get_config()["enable_metadata_routing"]
try:
    from skada import deep
    from skada.deep.modules import GradientReversalLayer
except ImportError:
    deep = None
finally:
    sklearn.set_config(enable_metadata_routing=_ROUTING)


class _Net(nn.Module):
    """Encoder and head; skada collects the features by the name of the layer."""

    def __init__(self, n_features, n_classes, hidden):
        super().__init__()
        self.encoder = encoder(n_features, hidden)
        self.head = nn.Linear(hidden[-1], n_classes)

    def forward(self, X, sample_weight=None):
        return self.head(self.encoder(X))


class _Critic(nn.Module):
    """A discriminator that has a gradient: one unit behind a sigmoid, for BCELoss.

    skada's own ends in a softmax over one unit, which is 1 whatever comes in. As in
    ours, lambda multiplies the reversed gradient only.
    """

    def __init__(self, n_features, hidden, lambda_):
        super().__init__()
        self.net = discriminator(n_features, hidden)
        self.lambda_ = lambda_

    def forward(self, x, sample_weight=None):
        reversed_ = GradientReversalLayer.apply(x, self.lambda_)
        return torch.sigmoid(self.net(reversed_))[:, 0]


def _settings(epochs, batch, lr, n_steps) -> dict[str, Any]:
    decay = LRScheduler(
        torch.optim.lr_scheduler.LambdaLR,
        lr_lambda=lambda step: (1 + 10 * min(step / n_steps, 1)) ** -0.75,
        step_every="batch",
    )
    return {
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "lr": lr,
        "max_epochs": epochs,
        "batch_size": batch,
        "iterator_train__max_samples": "source",
        "train_split": None,
        "callbacks": [("decay", decay)],
        "verbose": 0,
    }


def _working_dann(
    n_features, n_classes, hidden, critic, epochs, *, batch, lr, lambda_, steps=14
):
    """Return skada's DANN with a discriminator that has a gradient.

    It gets the same net, optimiser and decay of the rate; a schedule of lambda it does
    not have, nor separate passes of the domains.
    """
    return deep.DANN(
        _Net(n_features, n_classes, hidden),
        "encoder",
        domain_classifier=_Critic(hidden[-1], critic, lambda_),
        **_settings(epochs, batch, lr, steps * epochs),
    )


def _default_dann(n_features, n_classes, hidden, epochs, *, batch, lr, steps=14):
    """Return skada's DANN as it comes, but for net, optimiser and decay."""
    return deep.DANN(
        _Net(n_features, n_classes, hidden),
        "encoder",
        num_features=hidden[-1],
        **_settings(epochs, batch, lr, steps * epochs),
    )


working_dann = None if deep is None else _working_dann
default_dann = None if deep is None else _default_dann
