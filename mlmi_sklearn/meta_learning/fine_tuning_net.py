"""The net that trains a part of its weights, and knows for how many steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ..nn.transfer import Features
from ..training.batches import batch_bounds
from ..training.data import Batch, TrainingData
from ..training.distributed import current_ranks
from ..training.net import LeanNet
from .freezing import TrainingOrder

__all__ = ["FeatureRows", "TransferNet"]


class FeatureRows:
    """Rows that have been through the backbone already; a batch is ``Features``.

    Parameters
    ----------
    values : Tensor of shape (n, D)
        One row a sample.
    """

    __slots__ = ("values",)

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def take(self, index: Tensor) -> FeatureRows:
        """Gather the rows of ``index``, in that order."""
        return FeatureRows(self.values.index_select(0, index))

    def narrow(self, start: int, stop: int) -> Features:
        """Return rows ``start`` to ``stop`` as a view."""
        return Features(self.values[start:stop])

    def to(self, device: torch.device) -> FeatureRows:
        """Move to ``device``."""
        return FeatureRows(self.values.to(device))

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.values.numel() * self.values.element_size()


class TransferNet(LeanNet):
    """A net whose weights are trained in a :class:`.freezing.TrainingOrder`.

    Parameters
    ----------
    module, criterion, **kwargs
        As in :class:`~mlmi_sklearn.training.net.LeanNet`; the module is a
        :class:`~mlmi_sklearn.nn.transfer.TransferModule`.

    Notes
    -----
    A new net trains everything, which is all that a net for predictions needs;
    :meth:`follow` sets another order, :meth:`limit_steps` an end.
    """

    shares_batches = True

    # -- what is trained ------------------------------------------------------------

    def initialize_optimizer(self, triggered_directly: Any = None) -> TransferNet:
        """Build the optimiser of what is trained in the first epoch of this net."""
        self.max_steps_: int | None = None
        self.follow(TrainingOrder(self.module_, (), None, 1.0))
        return self

    def follow(self, order: TrainingOrder) -> None:
        """Train in another order, with a new optimiser.

        Parameters
        ----------
        order : TrainingOrder
            Of the module of this net.
        """
        self.order_ = order
        self._set_epoch(self.epochs_before + 1)
        super().initialize_optimizer()

    def get_params_for_optimizer(
        self, prefix: str, named_parameters: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return what is trained at first in groups of one learning rate each."""
        given = dict(named_parameters)
        _, options = super().get_params_for_optimizer(prefix, iter(given.items()))
        groups = self._groups(1, self.epochs_before + 1, given)
        # Weights of the loss, which are in no layer.
        known = {name for layer in self.order_.layers for name in layer.names}
        others = [p for name, p in given.items() if name not in known]
        if others:
            groups.append({"params": others})
        for group in groups:
            group["lr"] = options["lr"] * group.pop("factor", 1.0)
        return (groups,), options

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Add what is unfrozen in this epoch."""
        super().on_epoch_begin(net, *args, **kwargs)
        epoch = self.epochs_before + len(self.history)
        if epoch != self.epoch_:
            self._unfreeze(epoch)

    def _unfreeze(self, epoch: int) -> None:
        self._set_epoch(epoch)
        for group in self._groups(epoch, epoch, dict(self.module_.named_parameters())):
            rate = self.lr * group.pop("factor")
            self.optimizer_.add_param_group({**group, "lr": rate})
            self.base_rates_.append(rate)
            self.parameters_ += group["params"]

    def take_up(self, state: dict[str, Any]) -> None:
        """Unfreeze first what was unfrozen by then."""
        done = self.epochs_before + len(state["history"])
        for epoch in range(self.epoch_ + 1, done + 1):
            self._unfreeze(epoch)
        super().take_up(state)

    def _groups(
        self, first: int, last: int, table: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the groups that join from one epoch to another, both included."""
        return [
            {"params": [table[name] for name in g.names], "factor": g.factor}
            for g in self.order_.groups
            if first <= g.epoch <= last
        ]

    def _set_epoch(self, epoch: int) -> None:
        self.epoch_ = epoch
        trained = self.order_.trained(epoch)
        for name, parameter in self.module_.named_parameters():
            parameter.requires_grad_(name in trained)
        self.still_norms_: list[nn.Module] = self.order_.still_norms(epoch)

    def _set_training(self, training: bool = True) -> None:
        super()._set_training(training)
        if not training:
            return
        if self.order_.backbone_is_fixed:  # then it is a function, dropout included
            self.module_.backbone.eval()
        for norm in self.still_norms_:
            norm.eval()

    # -- how long -------------------------------------------------------------------

    def limit_steps(self, max_steps: int, n_rows: int) -> None:
        """Train for so many steps of the optimiser, not for a number of epochs.

        Parameters
        ----------
        max_steps : int
            Steps, at least 0.
        n_rows : int
            Rows in an epoch.
        """
        ranks = current_ranks()
        size = self.batch_size * (1 if ranks is None else ranks.size)
        in_epoch = len(batch_bounds(n_rows, size))
        self.max_steps_ = max_steps
        self.max_epochs = self.epochs_planned = -(-max_steps // in_epoch)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Stop training batches where the steps end."""
        batches = super().get_iterator(dataset, training)
        if not training or self.max_steps_ is None:
            return batches
        return _Limited(batches, self)

    def _tell_progress(self) -> None:
        super()._tell_progress()
        if self.max_steps_ and self.schedule is not None:
            self._set_rates(self.schedule(self.steps_done_ / self.max_steps_))

    # -- features -------------------------------------------------------------------

    def as_features(self, data: TrainingData, batch_size: int) -> TrainingData:
        """Send data through the backbone once and for all.

        Parameters
        ----------
        data : TrainingData
            Inputs and targets, on any device.
        batch_size : int
            Rows computed at once.

        Returns
        -------
        TrainingData
            Features in place of inputs.
        """
        device = data.device
        features = self.raw_outputs(data, batch_size, "features")
        # A copy, since what inference mode has made cannot be trained on.
        return TrainingData(FeatureRows(features.clone().to(device)), data.targets)


class _Limited:
    """Batches of one pass, as many as steps are left."""

    def __init__(self, batches: Any, net: TransferNet) -> None:
        self.batches = batches
        self.net = net

    def __len__(self) -> int:
        left = (self.net.max_steps_ or 0) - self.net.steps_done_
        return min(len(self.batches), left)

    def __iter__(self) -> Iterator[Batch]:
        return islice(iter(self.batches), len(self))
