"""What classifier and regressor share: a backbone from elsewhere, trained in part."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..base import TorchEstimator, build_backbone
from ..base.inputs import as_tensor
from ..base.parts import Part, Recipe
from ..base.plan import Plan
from ..base.state import resume_optimizer
from ..base.targets import Encoded
from ..nn.transfer import SphereHead, TransferModule
from ..training.batches import TensorBatches
from ..training.data import Targets, TrainingData
from ..training.net import LeanNet
from .fine_tuning_head import build_head, clear_head, imprint_classes
from .fine_tuning_net import TransferNet
from .fine_tuning_quick import adapt_quickly
from .fine_tuning_source import Source, read_source, snapshot
from .freezing import TrainingOrder

__all__ = ["FINE_TUNING_CONSTRAINTS", "FineTuned"]

Array = NDArray[Any]

_PATTERNS: list[Any] = [str, list, tuple]

FINE_TUNING_CONSTRAINTS: dict[str, Any] = {
    "pretrained": "no_validation",
    "freeze": _PATTERNS,
    "unfreeze": [StrOptions({"gradual"}), Mapping, None],
    "lr_decay": [Interval(Real, 0, 1, closed="right")],
    "keep_head": ["boolean", StrOptions({"auto"})],
    "max_steps": [Interval(Integral, 0, None, closed="left"), None],
    "adapt_freeze": _PATTERNS,
    "adapt_epochs": [Interval(Integral, 1, None, closed="left")],
    "adapt_lr": [Interval(Real, 0, None, closed="neither")],
}

# What an adaptation calls by another name than the fit that it is.
_ALIASES = {
    "adapt_freeze": "freeze",
    "adapt_epochs": "max_epochs",
    "adapt_lr": "lr",
    "adapt_head": "head",
}


class FineTuned(TorchEstimator):
    """Base of estimators that go on from a trained backbone."""

    _net_class: ClassVar[type[LeanNet]] = TransferNet
    _accepts_sparse: ClassVar[bool] = False
    _adapted_head: ClassVar[bool | str] = False
    net_: TransferNet
    pretrained: Any
    freeze: Any
    unfreeze: Any
    lr_decay: float
    keep_head: Any
    max_steps: int | None
    adapt_freeze: Any
    adapt_epochs: int
    adapt_lr: float
    _adapt_seed: int

    def __sklearn_clone__(self) -> Self:
        # A clone of a fitted estimator is not fitted, so that nothing would be left
        # to begin from; training never writes to it, so both may share it.
        copied = super().__sklearn_clone__()
        copied.pretrained = self.pretrained
        return copied

    # -- adaptation -----------------------------------------------------------------

    def adapt(self, X_support: Any, y_support: Any, **overrides: Any) -> Self:
        """Fine-tune a copy on the few labelled rows of a new task.

        Nothing of this estimator changes, nor does any random number generator; the
        same rows give the same result again.

        Parameters
        ----------
        X_support : array-like of shape (n_support, ...)
            Samples of the new task, of the shape of those in ``fit``.
        y_support : array-like of shape (n_support,)
            Their targets.
        **overrides
            Parameters of the result other than the ``adapt_*`` of this estimator say,
            with or without that prefix: ``lr=0.1`` is ``adapt_lr=0.1``.

        Returns
        -------
        estimator
            A new fitted estimator of the same class, whose ``pretrained`` is this one
            as it is now. A clone of it, fitted on other rows, adapts to those. A
            backbone that is frozen is shared with this estimator, which costs nothing.

        Raises
        ------
        ValueError
            If the rows are unusable, or there is no parameter of such a name.

        Examples
        --------
        >>> import numpy as np
        >>> from mlmi_sklearn.meta_learning.fine_tuning import FineTuneClassifier
        >>> X, y = np.eye(4)[np.arange(40) % 4], np.arange(40) % 4
        >>> source = FineTuneClassifier(random_state=0).fit(X[y < 2], y[y < 2])
        >>> task = source.adapt(X[:4], np.array(list("abcd")))
        >>> task.predict(X[:4]).tolist()
        ['a', 'b', 'c', 'd']
        """
        check_is_fitted(self)
        adapted = self._adaptation(overrides)
        if adapt_quickly(self, adapted, X_support, y_support):
            return adapted
        return adapted.fit(X_support, y_support)

    def _adaptation(self, overrides: dict[str, Any]) -> Self:
        """Return the unfitted estimator whose fit is the adaptation."""
        wanted = {_ALIASES.get(name, name): value for name, value in overrides.items()}
        if wanted:
            self._require_known(list(wanted))
        params = {**self.get_params(deep=False), **self._adaptation_params(), **wanted}
        specs = {k: clone(v) for k, v in params.items() if _is_spec(k, v)}
        adapted = type(self)(**{**params, **specs})
        if hasattr(self, "_metadata_request"):
            adapted._metadata_request = copy.deepcopy(self._metadata_request)
        return adapted

    def _adaptation_params(self) -> dict[str, Any]:
        """Return the parameters in which an adaptation differs from the fit."""
        return {
            "backbone": "auto",
            "pretrained": snapshot(self),
            "freeze": self.adapt_freeze,
            "unfreeze": None,
            "keep_head": self._adapted_head,
            "max_steps": None,
            "max_epochs": self.adapt_epochs,
            "lr": self.adapt_lr,
            "early_stopping": False,
            "warm_start": False,
            "callbacks": None,
            "compile": False,
            "checkpoint": None,
            "dtype": self._recipe.dtype,
            "random_state": self._adapt_seed,
            "verbose": 0,
        }

    # -- stages of the template -----------------------------------------------------

    def _source(self) -> Source | None:
        if self.pretrained is None:
            return None
        if not (isinstance(self.backbone, str) and self.backbone == "auto"):
            raise ValueError(
                f"backbone={self.backbone!r} and pretrained were both given, but the "
                "backbone is that of pretrained. Leave backbone='auto'."
            )
        return read_source(self.pretrained)

    def _make_recipe(
        self, inputs: Any, encoded: Encoded, plan: Plan, fitted: Recipe | None
    ) -> Recipe:
        recipe = super()._make_recipe(inputs, encoded, plan, fitted)
        source = self._source()
        parts = {**recipe.parts, "scale": Part("scale", None)}
        if source is not None:
            source.require_shape(recipe.input_shape)
            parts |= {"backbone": source.part(), "scale": Part("scale", source.scale)}
        return replace(recipe, parts=parts)

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        return {"head": "linear"}

    def _assemble(self, recipe: Recipe) -> nn.Module:
        backbone: Any = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        scale = recipe.parts["scale"]
        head = build_head(int(backbone.out_features), recipe)
        return TransferModule(
            backbone, head, None if scale.source is None else scale.build()
        )

    def _start_net(
        self, inputs: Any, recipe: Recipe, plan: Plan, resume: bool, epochs: int | None
    ) -> TransferNet:
        net: Any = super()._start_net(inputs, recipe, plan, resume, epochs)
        order = TrainingOrder(net.module_, self.freeze, self.unfreeze, self.lr_decay)
        net.follow(order)
        if epochs is None:
            net.max_steps_ = self.max_steps
        elif resume:
            resume_optimizer(net.optimizer_, self.net_.optimizer_)
        return net

    def _calibrate(self, module: Any, inputs: Any, encoded: Encoded) -> None:
        """Take over the weights of what was trained before."""
        source = self._source()
        if source is None:
            super()._calibrate(module, inputs, encoded)
            return
        module.backbone.load_state_dict(source.backbone.state_dict())
        like = next(module.head.parameters())
        head = self._head_of(source, module.head, encoded)
        if head is not None:
            # Into the head that is there, whose weights the optimiser holds.
            module.head.load_state_dict(head.state_dict())
            return
        if isinstance(module.head, SphereHead):
            features = self._features(module, inputs, like)
            y, weight = as_tensor(encoded.y), encoded.weight
            weights = None if weight is None else as_tensor(weight).to(like.device)
            imprint_classes(module.head, features, y.to(like.device), weights)
        else:
            clear_head(module.head)

    def _head_of(
        self, source: Source, like: nn.Module, encoded: Encoded
    ) -> nn.Module | None:
        """Return the head to begin with, or None for a new one."""
        if self.keep_head is False:
            return None
        attributes = encoded.attributes
        classes = None if attributes.get("_multi_label") else attributes.get("classes_")
        head = source.head_for(like, classes)
        if head is None and self.keep_head is True:
            raise ValueError(
                "keep_head=True, but pretrained has no head for these targets "
                f"({encoded.n_outputs} outputs, {like}): it has {source.head}, trained "
                f"for the classes {source.classes}. Set keep_head='auto' for a new one."
            )
        return head

    def _features(self, module: Any, inputs: Any, like: torch.Tensor) -> torch.Tensor:
        data = TrainingData(self._rows(inputs, like.dtype), Targets(None))
        module.eval()
        size = self._rows_at_once(inputs, module)
        batches = TensorBatches(data, size, device=like.device, copy=True)
        with torch.no_grad():
            return torch.cat([module.features(x) for x, _ in batches])

    def _training_data(
        self, net: Any, inputs: Any, encoded: Encoded, plan: Plan
    ) -> tuple[TrainingData, TrainingData | None]:
        train, valid = super()._training_data(net, inputs, encoded, plan)
        if net.order_.backbone_is_fixed:
            size = self._rows_at_once(inputs, net.module_.eval())
            train = net.as_features(train, size)
            valid = None if valid is None else net.as_features(valid, size)
        if net.max_steps_ is not None:
            net.limit_steps(net.max_steps_, len(train))
        return train, valid

    def _train(
        self,
        net: LeanNet,
        inputs: Any,
        encoded: Encoded,
        plan: Plan,
        attributes: dict[str, Any],
        data: tuple[Any, Any],
    ) -> None:
        attributes["_adapt_seed"] = plan.init_seed
        super()._train(net, inputs, encoded, plan, attributes, data)


def _is_spec(name: str, value: Any) -> bool:
    return name != "pretrained" and hasattr(value, "get_params")
