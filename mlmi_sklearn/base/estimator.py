"""The one ``fit`` and ``predict`` behind every deep estimator.

``fit`` reads as its stages: read the data, plan, build the net, train it, publish the
result. A family changes single stages: what an input is
(:meth:`TorchEstimator._read_inputs`, :meth:`~TorchEstimator._rows`), which parts a
model has and how they fit together (:meth:`~TorchEstimator._assemble`), and how raw
outputs become predictions (the mixins of :mod:`.targets`).

Fitted attributes are written when training has ended, and whatever was written before
an error is taken back: a failed fit leaves the estimator as it was.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples
from skorch.helper import predefined_split

from ..containers import Stream
from ..exceptions import FitInterruptedWarning, TrainingDivergedError
from ..nn.initial import weights_follow
from ..training.callbacks import SklearnBridge
from ..training.data import Targets, TrainingData
from ..training.device import device_or_cpu, fits_on
from ..training.net import LeanNet
from ..training.seeding import borrowed_generator, draws_random_numbers
from ..training.streams import BlockRows
from .checkpoints import checkpointed
from .compat import CallbackSupportMixin, with_callbacks
from .constraints import TRAINING_CONSTRAINTS
from .inputs import as_tensor, read_weight, require_finite_outputs
from .later import Later, finish, recall
from .nested import NestedParams
from .netbuild import build_module, make_callbacks, make_net, prediction_net
from .parts import Part, Recipe, require_same_model, resolve_part
from .plan import FitJob, Plan, make_plan, split_rows
from .prefit import take_prefitted
from .stages import Stages
from .state import (
    history_frame,
    load_weights,
    pack_history,
    resume_optimizer,
    rollback,
    unpack_history,
    weights_of,
)
from .streams import stream_targets
from .targets import Encoded, drop_weightless

__all__ = ["TorchEstimator"]

Array = NDArray[Any]


class TorchEstimator(NestedParams, CallbackSupportMixin, Stages):
    """Base of all deep estimators; see the module's text for what to override.

    Attributes
    ----------
    net_ : LeanNet
        The trained skorch net.
    history_ : DataFrame
        One row an epoch.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_iter_ : int
        Epochs trained.
    device_ : str
        Where the net is.

    Examples
    --------
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.base import TorchEstimator
    >>> issubclass(NetRegressor, TorchEstimator)
    True
    >>> model = NetRegressor(max_epochs=3).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> model.n_iter_, len(model.history_), len(model.loss_curve_)
    (3, 3, 3)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = TRAINING_CONSTRAINTS
    _components: ClassVar[dict[str, str]] = {"backbone": "backbone", "loss": "loss"}
    _net_class: ClassVar[type[LeanNet]] = LeanNet
    device_: str
    # Made when somebody asks, where many nets were trained together.
    history_: Any = Later()
    loss_curve_: Any = Later()
    n_iter_: Any = Later()
    net_: Any = Later()

    # -- fit ------------------------------------------------------------------------

    @with_callbacks
    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        resume: bool,
        epochs: int | None = None,
        encode: Callable[[Array, Array | None], Encoded] | None = None,
    ) -> Any:
        """Run all stages; ``resume`` continues from the present weights if any.

        ``epochs`` is the number of epochs of a ``partial_fit``, which also continues
        with the state of the optimiser; ``encode`` replaces the usual encoding.
        """
        self._validate_params()
        if take_prefitted(self, X, y, sample_weight):
            return self
        fitted_before = hasattr(self, "net_")
        diverged: TrainingDivergedError | None = None
        with rollback(self):
            job = self._prepare(X, y, sample_weight, resume, epochs, encode)
            try:
                self._train(
                    job.net, job.inputs, job.encoded, job.plan, job.attributes, (X, y)
                )
            except TrainingDivergedError as error:
                if fitted_before:
                    raise
                diverged = error
            self._publish(job.net, job.attributes, job.resume)
        if diverged is not None:
            raise diverged
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        resume: bool,
        epochs: int | None = None,
        encode: Callable[[Array, Array | None], Encoded] | None = None,
    ) -> FitJob:
        """Run all stages up to training."""
        resume = resume and hasattr(self, "net_")
        encode = encode or (self._encode_again if resume else self._encode)
        inputs, encoded, plan = self._read_and_plan(X, y, sample_weight, resume, encode)
        fitted = self._recipe if resume else None
        recipe = self._make_recipe(inputs, encoded, plan, fitted)
        if fitted is not None:
            require_same_model(self, fitted, recipe)
            recipe = fitted
        net = self._start_net(inputs, recipe, plan, resume, epochs)
        if not resume:
            self._calibrate(net.module_, inputs, encoded)
        attributes = self._attributes(recipe, net, encoded, plan)
        return FitJob(net, inputs, encoded, plan, attributes, resume)

    def _read_and_plan(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        resume: bool,
        encode: Callable[[Array, Array | None], Encoded],
    ) -> tuple[Any, Encoded, Plan]:
        """Return all of the data that counts, as the net wants it, and the plan."""
        inputs, y, weight = self._read(X, y, sample_weight, resume)
        encoded = encode(y, weight)
        kept = getattr(torch, self._recipe.dtype) if resume else None
        plan = make_plan(self, self._input_dtype(inputs), kept)
        return *drop_weightless(inputs, encoded, plan.dtype_name), plan

    def _attributes(
        self, recipe: Recipe, net: LeanNet, encoded: Encoded, plan: Plan
    ) -> dict[str, Any]:
        """Return the fitted attributes that are known before training."""
        return {
            **encoded.attributes,
            "_recipe": recipe,
            "device_": str(plan.device),
            "link_": self._link_of(net.criterion_, encoded),
        }

    def _read(
        self, X: Any, y: Any, sample_weight: Any, resume: bool
    ) -> tuple[Any, Array, Array | None]:
        """Validate the data and drop rows of weight zero: they are not there."""
        inputs = self._read_inputs(X, reset=not resume)
        if isinstance(inputs, Stream):
            y = stream_targets(inputs, y)
        y = self._read_targets(y)
        n = _num_samples(inputs)
        if n != len(y):
            raise ValueError(
                f"X and y have inconsistent numbers of samples: X has {n}, "
                f"but y has {len(y)}. {self._advice_on_lengths(inputs, len(y))}"
            )
        weight = read_weight(sample_weight, len(y))
        if weight is not None and not weight.all():
            keep = np.flatnonzero(weight)
            inputs, y, weight = inputs[keep], y[keep], weight[keep]
        return inputs, y, weight

    def _make_recipe(
        self, inputs: Any, encoded: Encoded, plan: Plan, fitted: Recipe | None
    ) -> Recipe:
        """Resolve the components for this data; ``fitted`` is what training resumes."""
        shape = self._sample_shape(inputs)
        defaults = self._auto_defaults(shape)
        parts: dict[str, Part] = {
            name: resolve_part(kind, self._choice(name), shape, defaults)
            for name, kind in self._components.items()
        }
        # A loss with several quantiles wants several columns for each target.
        columns = getattr(parts["loss"].build(), "outputs_per_target", 1)
        n_outputs = columns * encoded.n_outputs
        options = self._options(encoded)
        return Recipe(parts, shape, n_outputs, plan.dtype_name, options)

    def _start_net(
        self, inputs: Any, recipe: Recipe, plan: Plan, resume: bool, epochs: int | None
    ) -> LeanNet:
        """Build the net, with fresh weights or a copy of the present ones."""
        module = build_module(self, recipe, plan.init_seed)
        if resume:
            module.load_state_dict(self.net_.module_.state_dict())
        before = self.n_iter_ if resume and epochs is not None else 0
        net = make_net(
            self,
            module,
            recipe,
            plan,
            epochs=self._epochs() if epochs is None else epochs,
            batch_size=self._rows_per_batch(inputs),
            epochs_before=before,
            epochs_planned=self._epochs(),
        )
        if resume and epochs is not None:
            resume_optimizer(net.optimizer_, self.net_.optimizer_)
        return net

    def _train(
        self,
        net: LeanNet,
        inputs: Any,
        encoded: Encoded,
        plan: Plan,
        attributes: dict[str, Any],
        data: tuple[Any, Any],
    ) -> None:
        """Train the net on the rows of this fit."""
        train, valid = self._training_data(net, inputs, encoded, plan)
        bridge = self._open_bridge(net, attributes, data)
        net.callbacks = make_callbacks(self, train, valid, bridge)
        net.train_split = None if valid is None else predefined_split(valid)
        net.initialize_callbacks()
        noisy = draws_random_numbers(net.module_)
        turn = borrowed_generator(plan.noise_seed, plan.device) if noisy else None
        net.borrows_generator_ = noisy
        known = (inputs, encoded.y, encoded.weight)
        with turn or nullcontext(), checkpointed(self, net, plan, known) as options:
            net.partial_fit(train, **options)
        if bridge is not None:
            bridge.close()
        if net.interrupted_:
            warnings.warn(
                f"{type(self).__name__}.fit was interrupted in epoch "
                f"{len(net.history)} of {net.max_epochs}; the model trained so far is "
                "kept and can predict.",
                FitInterruptedWarning,
                stacklevel=4,
            )

    def _training_data(
        self, net: LeanNet, inputs: Any, encoded: Encoded, plan: Plan
    ) -> tuple[TrainingData, TrainingData | None]:
        """Turn the data into tensors and set some aside for early stopping."""
        rows = self._training_rows(inputs, encoded, plan.dtype)
        y = as_tensor(encoded.y)
        if y.is_floating_point():
            y = y.to(plan.dtype)
        weight = encoded.weight
        targets = Targets(
            y,
            None if weight is None else as_tensor(weight, plan.dtype, "sample_weight"),
        )
        whole = TrainingData(rows, targets)
        if fits_on(plan.device, rows.nbytes):
            whole = whole.to(plan.device)
        if not self.early_stopping:
            return whole, None
        parts = split_rows(
            len(rows),
            self.validation_fraction,
            plan.split_seed,
            encoded.strata,
            self._groups(inputs),
        )
        if isinstance(rows, BlockRows):  # they cannot be put in another order
            parts = (np.sort(parts[0]), np.sort(parts[1]))
        train, valid = (whole.take(torch.from_numpy(part)) for part in parts)
        return train, valid

    def _open_bridge(
        self, net: LeanNet, attributes: dict[str, Any], data: tuple[Any, Any]
    ) -> SklearnBridge | None:
        """Connect epochs to scikit-learn's callbacks, if there are any."""
        context = self._init_callback_context(max_subtasks=net.max_epochs)
        if context is None:
            return None

        def snapshot() -> dict[str, Any]:
            module = copy.deepcopy(net.module_)
            copied = prediction_net(self, module, attributes["_recipe"], net.device)
            return {**attributes, "net_": copied}

        return SklearnBridge(self, context, *data, snapshot)

    def _publish(self, net: LeanNet, attributes: dict[str, Any], resume: bool) -> None:
        """Write the fitted attributes."""
        history = history_frame(net)
        if resume:
            history = pd.concat([self.history_, history], ignore_index=True)
            history["epoch"] = np.arange(1, len(history) + 1)
        net.module_.eval()
        for name, value in attributes.items():
            setattr(self, name, value)
        self.net_ = net
        self._set_history(history)

    def _set_history(self, history: pd.DataFrame) -> None:
        self.history_ = history
        self.loss_curve_ = history["train_loss"].tolist()
        self.n_iter_ = len(history)

    # -- predict --------------------------------------------------------------------

    def _raw(self, X: Any) -> Array:
        """Return raw outputs of shape (n_samples, n_outputs) for validated X."""
        known = recall(self, X)
        if known is not None:
            return known
        return self._outputs(self._read_inputs(X, reset=False))

    def _outputs(self, inputs: Any, method: str = "__call__") -> Array:
        """Run the module, or another method of it, over validated inputs."""
        rows = self._rows(inputs, getattr(torch, self._recipe.dtype))
        data, size = (
            TrainingData(rows, Targets(None)),
            self._rows_per_prediction(inputs),
        )
        return require_finite_outputs(self.net_.raw_outputs(data, size, method).numpy())

    # -- pickling -------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return plain containers and arrays in place of objects, ours and torch's.

        A pickle is then a tenth of the size, independent of the device, and does not
        depend on how PyTorch lays out its modules.
        """
        from ..persistence.flat import flatten  # which knows this class

        finish(self)
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = weights_of(state["net_"].module_)
            state["history_"] = pack_history(state["history_"])
        return flatten(state, self.get_params(deep=False))

    def __setstate__(self, state: dict[str, Any]) -> None:
        from ..persistence.flat import expand, with_new_params

        state = with_new_params(type(self), expand(state))
        weights = state.pop("net_", None)
        history = state.pop("history_", None)
        super().__setstate__(state)
        if weights is None:
            return
        self.history_ = unpack_history(history)
        with weights_follow():
            module = build_module(self, self._recipe, seed=0)
        load_weights(module, weights)
        self.device_ = device_or_cpu(state["device_"])
        self.net_ = prediction_net(self, module.eval(), self._recipe, self.device_)
