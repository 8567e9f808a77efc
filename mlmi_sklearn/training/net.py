"""The skorch net behind every estimator, with an epoch loop that costs little.

skorch notifies its callbacks before and after each batch and reads each loss back
from the device. For nets of the size used on tables and bags that is more work than
the training. :class:`LeanNet` runs an epoch as a bare loop as long as no callback
listens to batches, and takes skorch's own path as soon as one does, so that both
kinds of users get what they came for.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from torch import Tensor

from ..nn.norms import WeightedNorm, row_weights
from .backward import RowGradients, run_backward
from .batches import TensorBatches, joined, writes_to_input
from .data import Batch, Targets, TrainingData
from .device import autocast
from .distributed import Ranks
from .diverging import diverged_error
from .interrupts import StopTraining, ctrl_c_apart
from .losslog import LossLog, weighted_mean
from .optim import Schedule
from .ragged import RaggedTensor
from .resuming import Resumable
from .shared_fit import epoch_mean, shared_fit, stop_together
from .snapshot import Snapshot
from .stepping import Stepper
from .uncompiled import without_compiler

__all__ = ["LeanNet", "StopTraining", "diverged_error"]

_BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class LeanNet(Resumable, NeuralNet):
    """A skorch net that trains on :class:`~mlmi_sklearn.training.TrainingData`.

    Parameters
    ----------
    module : nn.Module
        An instance, taken as it is.
    criterion : callable
        Maps ``(raw, target)`` to one loss a row.
    *args
        As in :class:`skorch.NeuralNet`.
    schedule : callable or None, default=None
        Share of training done -> factor on ``lr``, applied before every step.
    generator : torch.Generator or None, default=None
        Source of the order of the batches.
    amp_dtype : torch.dtype or None, default=None
        Type for automatic mixed precision; None for full precision.
    epochs_before, epochs_planned : int or None, default=0, None
        Where this training stands in a longer one, such as a series of
        ``partial_fit``; None for the whole of it.
    **kwargs
        As in :class:`skorch.NeuralNet`.

    Attributes
    ----------
    interrupted_ : bool
        Whether Ctrl-C ended the last training.
    ranks_ : Ranks or None
        During training, the processes that share it.

    Examples
    --------
    >>> from mlmi_sklearn.training import LeanNet, Targets, TensorRows, TrainingData
    >>> x = torch.linspace(-1, 1, 32)[:, None]
    >>> data = TrainingData(TensorRows(x), Targets(3 * x))
    >>> loss = lambda raw, y: (raw - y).square().mean(1)
    >>> net = LeanNet(torch.nn.Linear(1, 1), loss, lr=0.6, train_split=None, verbose=0)
    >>> net.fit(data, y=None).history[-1, "train_loss"] < 1e-3
    True
    """

    # Whether processes may share a fit; and whether normalisation sees whole batches.
    shares_batches: ClassVar[bool] = True
    measures_batches: ClassVar[bool] = True
    ranks_: Ranks | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)  # a subclass answers for itself
        cls.shares_batches = vars(cls).get("shares_batches", False)

    def __init__(
        self,
        module: Any,
        criterion: Any,
        *args: Any,
        schedule: Schedule | None = None,
        generator: torch.Generator | None = None,
        amp_dtype: torch.dtype | None = None,
        epochs_before: int = 0,
        epochs_planned: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.schedule = schedule
        self.generator = generator
        self.amp_dtype = amp_dtype
        self.epochs_before = epochs_before
        self.epochs_planned = epochs_planned
        super().__init__(module, criterion, *args, **kwargs)

    # -- skorch's construction points ---------------------------------------------

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer())]

    def initialize_module(self) -> LeanNet:
        """Take the module as it is: the estimator has built and seeded it."""
        self.module_ = self.module
        return self

    def initialize_criterion(self) -> LeanNet:
        """Take the criterion as it is, module or plain callable."""
        self.criterion_ = self.criterion
        return self

    @without_compiler()
    def initialize_optimizer(self, triggered_directly: Any = None) -> LeanNet:
        """Build the optimiser; remember its rates for the schedule."""
        super().initialize_optimizer()
        self.base_rates_ = [group["lr"] for group in self.optimizer_.param_groups]
        return self

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batch whole tensors without a DataLoader; anything else as skorch does."""
        if not isinstance(dataset, TrainingData):
            return super().get_iterator(dataset, training)
        return TensorBatches(
            dataset,
            self.batch_size,
            shuffle=training,
            generator=self.generator if training else None,
            device=torch.device(self.device),
            copy=self._copies_input,
            ranks=self.ranks_ if training else None,
        )

    @cached_property
    def _copies_input(self) -> bool:
        return writes_to_input(self.module_)

    # -- the loop -----------------------------------------------------------------

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any
    ) -> LeanNet:
        """Train; a callback may end it early with :class:`StopTraining`."""
        self.interrupted_, self.steps_done_, self.steps_in_epoch_ = False, 0, 0
        self.best_losses_: dict[str, float] = {}
        self.row_gradients_ = RowGradients()
        self.stepper_ = Stepper(self.optimizer_)
        groups = self.optimizer_.param_groups
        self.parameters_ = [p for group in groups for p in group["params"]]
        modules = self.module_.modules()
        self.weighted_norms_ = [m for m in modules if isinstance(m, WeightedNorm)]
        self.tell_module_ = getattr(self.module_, "set_progress", None)
        self.follows_progress_ = bool(self.tell_module_ or self.schedule)
        self.total_epochs_ = self.epochs_planned or self.max_epochs
        half = self.amp_dtype == torch.float16
        self.scaler_ = torch.amp.GradScaler(self.device) if half else None
        self.snapshot_ = Snapshot(self.module_)
        with shared_fit(self, X):
            try:
                super().fit_loop(X, y, epochs, **kwargs)
            except StopTraining:
                pass
            except KeyboardInterrupt:
                self.interrupted_ = True
                self._require_finite_weights()
                raise
            self._require_finite_weights()
        return self

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; skorch's ``EarlyStopping`` is not taken for Ctrl-C."""
        with stop_together(self.ranks_, method_name), ctrl_c_apart():
            super().notify(method_name, **cb_kwargs)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **kwargs: Any
    ) -> None:
        """Run one pass over the data and record its mean loss."""
        if iterator is None:
            return
        if training:
            self.epoch_is_fresh_ = True
            self.steps_in_epoch_ = len(iterator)
        notified = bool(kwargs) or self._has_batch_listeners()
        if notified:
            super().run_single_epoch(iterator, training, prefix, step_fn, **kwargs)
            log = LossLog.of_batches(self.history[-1]["batches"], prefix)
        else:
            log = self._train_epoch(iterator) if training else self._validate(iterator)
        mean = self._record_epoch(prefix, log)
        if not notified:
            # One row stands for the batches, as skorch's checkpoints look for one.
            self.history.new_batch()
            self.history.record_batch(f"{prefix}_loss", mean)

    def _train_epoch(self, iterator: Any) -> LossLog:
        self._set_training(True)
        log = LossLog(getattr(iterator, "is_read", False))
        self.stepper_.begin()
        try:
            for batch in iterator:
                losses, _ = self._gradients(batch)
                self._step(losses)
                log.add(losses, batch[1].weight, len(batch[0]))
        finally:
            self.stepper_.end()
        return log

    def _validate(self, iterator: Any) -> LossLog:
        self._set_training(False)
        log = LossLog(getattr(iterator, "is_read", False))
        with torch.no_grad():
            for batch in iterator:
                log.add(self.batch_loss(batch)[0], batch[1].weight, len(batch[0]))
        return log

    def _gradients(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute the gradients of one batch; return detached losses and output."""
        if self.follows_progress_:
            self._tell_progress()
        for parameter in self.parameters_:
            parameter.grad = None
        losses, raw = self.batch_loss(batch)
        scaled = losses if self.scaler_ is None else self.scaler_.scale(losses)
        run_backward(scaled, self.row_gradients_(losses, batch[1].weight))
        self.row_gradients_.average(self.parameters_)
        return losses.detach(), raw

    def _step(self, losses: Tensor) -> None:
        if self.epoch_is_fresh_:
            self.epoch_is_fresh_ = False
            # Weights are worth going back to only once a loss has shown that they
            # work: they can be finite and yet so large that every output overflows.
            self.snapshot_.take_if(torch.isfinite(losses).all())
        self.steps_done_ += 1
        if self.scaler_ is None:
            self.stepper_.step()
            return
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the losses of one batch and the raw output.

        Methods whose loss has more than one term override this.

        Parameters
        ----------
        batch : tuple
            Inputs and :class:`~.data.Targets`.

        Returns
        -------
        losses : Tensor of shape (n,) or ()
            One loss a row, not yet weighted; or the loss of the batch as a scalar.
        raw : Tensor of shape (n, n_outputs)
            Output of the module.
        """
        inputs, targets = batch
        if targets.weight is not None and self.weighted_norms_:
            raw = self._infer_weighted(inputs, targets.weight)
        else:
            raw = self.infer(inputs)
        return self.criterion_(raw, targets.y), raw

    def _infer_weighted(self, inputs: Any, weight: Tensor) -> Tensor:
        """Run the module with the weights of the batch in its normalisations."""
        if isinstance(inputs, RaggedTensor):  # they see instances, not bags
            weight = inputs.segments.broadcast(weight)
        with row_weights(self.weighted_norms_, weight):
            return self.infer(inputs)

    # -- skorch's path, when a callback listens to batches --------------------------

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Do one step of the optimiser, with skorch's gradient event."""
        self._set_training(True)
        losses, raw = self._gradients(batch)
        if self.scaler_ is not None:
            self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=list(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self._step(losses)
        return {"loss": weighted_mean(losses, batch[1].weight), "y_pred": raw}

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Compute loss and output of one batch in evaluation mode."""
        self._set_training(False)
        with torch.no_grad():
            losses, raw = self.batch_loss(batch)
        return {"loss": weighted_mean(losses, batch[1].weight), "y_pred": raw}

    def get_loss(
        self, y_pred: Tensor, y_true: Targets, X: Any = None, training: bool = False
    ) -> Tensor:
        """Return the weighted mean loss for given outputs."""
        return weighted_mean(self.criterion_(y_pred, y_true.y), y_true.weight)

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Return the module's output for one batch of inputs."""
        return self._call(self.module_, x)

    def _call(self, function: Any, x: Any) -> Tensor:
        """Compute in the precision of the net; return full precision."""
        if self.amp_dtype is None:
            return function(x)
        with autocast(torch.device(self.device), self.amp_dtype):
            return function(x).float()

    def _has_batch_listeners(self) -> bool:
        return any(
            getattr(type(callback), event) is not getattr(Callback, event)
            for _, callback in self.callbacks_
            for event in _BATCH_EVENTS
        )

    def raw_outputs(
        self, data: TrainingData, batch_size: int, method: str = "__call__"
    ) -> Tensor:
        """Return the outputs for a whole set in evaluation mode, on the CPU.

        Parameters
        ----------
        data : TrainingData
            The rows, on any device.
        batch_size : int
            Rows computed at once.
        method : str, default="__call__"
            Method of the module to compute with.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            In full precision.
        """
        if self.module_.training:  # a fitted one is not, and has many parts to tell
            self._set_training(False)
        compute = getattr(self.module_, method)
        device, copy = torch.device(self.device), self._copies_input
        batches = TensorBatches(data, batch_size, device=device, copy=copy)
        with torch.inference_mode():
            return joined((self._call(compute, x).cpu() for x, _ in batches), data)

    # -- bookkeeping ----------------------------------------------------------------

    def _tell_progress(self) -> None:
        """Tell the module, if it asks, and the schedule how far training is."""
        epochs = self.epochs_before + self.steps_done_ / self.steps_in_epoch_
        share = min(epochs / self.total_epochs_, 1.0)
        if self.tell_module_ is not None:
            self.tell_module_(share)
        if self.schedule is not None:
            self._set_rates(self.schedule(share))

    def _set_rates(self, factor: float) -> None:
        groups = self.optimizer_.param_groups
        for group, rate in zip(groups, self.base_rates_, strict=True):
            group["lr"] = rate * factor

    def _record_epoch(self, prefix: str, log: LossLog) -> float:
        ranks, training = self.ranks_, prefix == "train"
        mean = log.mean() if ranks is None else epoch_mean(ranks, log, training)
        if training:
            if not math.isfinite(mean):
                self._diverged(log.first_bad_step())
            self.history.record("lr", self.optimizer_.param_groups[0]["lr"])
        name = f"{prefix}_loss"
        best = self.best_losses_.get(name, math.inf)
        self.best_losses_[name] = min(best, mean)
        self.history.record(name, mean)
        self.history.record(f"{name}_best", mean < best)
        return mean

    def _diverged(self, step: int) -> None:
        self.snapshot_.restore()
        raise diverged_error(len(self.history), step)

    def _require_finite_weights(self) -> None:
        """Catch a last step that went wrong after its loss was computed."""
        if not self.snapshot_.is_finite():
            self._diverged(self.steps_in_epoch_)
