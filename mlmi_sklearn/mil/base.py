"""What the deep estimators for bags share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from ..base import (
    COMPONENT,
    TRAINING_CONSTRAINTS,
    Part,
    Recipe,
    build_backbone,
    resolve_part,
)
from ..base.inputs import as_tensor, require_shape
from ..base.plan import Plan
from ..base.targets import Encoded
from ..containers import Bags
from ..exceptions import BagError
from ..nn.models import BagPredictor
from ..training.data import TrainingData
from ..training.net import LeanNet
from ..training.ragged import RaggedTensor
from .fields import LabelledInstances, attach, neighbours, positions
from .inputs import holds_bags, read_bags
from .instances import InstanceOutputs
from .net import BagNet
from .objective import Y_INSTANCES, BagObjective
from .parts import build_pooling, fields_used, name_of
from .scaling import calibrate, scale_layer
from .streaming import StreamedBags, streams

__all__ = ["BAG_CONSTRAINTS", "BATCH_SIZE", "BagEstimator"]

Array = NDArray[Any]

# A step on few instances wastes its overhead; one on many bags leaves few steps in an
# epoch. Rows that are bags of one come in the usual 128 a batch this way. Whole slides
# come one by one, since the activations of a batch must fit in memory.
_INSTANCES_PER_BATCH = 128
_FEWEST_BAGS = 8
_MOST_INSTANCES = 2**16

_INPUT_DROPOUT = 0.4
_MANY_FEATURES = 32

BATCH_SIZE = """"auto" or int, default="auto"
    Bags in a batch. ``"auto"`` takes as many as hold about 128 instances, at least 8
    of ordinary bags, fewer of bags with thousands of instances. A lone last bag joins
    the batch before it."""

_WEIGHT = Interval(Real, 0, None, closed="left")

BAG_CONSTRAINTS: dict[str, list[Any]] = {
    **TRAINING_CONSTRAINTS,
    "pooling": COMPONENT,
    "level": [StrOptions({"instance", "embedding"})],
    "scale_inputs": ["boolean"],
    "max_instances": [Interval(Integral, 1, None, closed="left"), None],
    "instance_labels": [StrOptions({"ignore", "use"})],
    "instance_weight": [_WEIGHT],
    "smoothness": [_WEIGHT],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
}


class BagEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, InstanceOutputs):
    """Base of estimators that learn from bags."""

    _parameter_constraints: ClassVar[dict[str, Any]] = BAG_CONSTRAINTS
    _components: ClassVar[dict[str, str]] = {
        "backbone": "backbone",
        "pooling": "pooling",
        "loss": "loss",
    }
    _net_class: ClassVar[type[LeanNet]] = BagNet
    # Brings labels of instances into the form of encoded targets of bags.
    _encode_instances: Callable[[Array, Encoded], Array]

    def transform(self, X: Any) -> Array:
        """Compute embeddings of bags: what the head sees, or would see.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags, n_embedding)
            Pooled features. Where scores are pooled, features of the instances by
            their share in the score of the bag.
        """
        return self._compute(X, "embed")[0]

    def _objective(self) -> BagObjective:
        return BagObjective(self.instance_weight, self.smoothness)

    @staticmethod
    def _auto_defaults(shape: tuple[int, ...]) -> dict[str, dict[str, Any]]:
        # Chosen in benchmarks/bench_mil_sets.py and the science tests. Of few features
        # none can be spared.
        rate = _INPUT_DROPOUT if np.prod(shape) >= _MANY_FEATURES else 0.0
        return {"mlp": {"hidden": (128, 64), "input_dropout": rate}}

    # -- stages of the template --------------------------------------------------------

    def _read_inputs(self, X: Any, *, reset: bool) -> Bags:
        labels = None
        if isinstance(X, LabelledInstances):
            X, labels = X.X, X.y_instances
        groups_rows = holds_bags(X)
        bags = read_bags(self, X, reset=reset, stream=True)
        if labels is not None or self.instance_labels == "ignore":
            bags = bags.with_fields(y_instances=labels)
        if reset:
            self._saw_bags = groups_rows
            return bags
        # Without touching the numbers, which may be on disk.
        require_shape(self, _OfShape(bags), self._recipe.input_shape)
        if self._saw_bags and not groups_rows:
            warnings.warn(
                f"X is a table, so each of its {len(bags)} rows is read as a bag of "
                "one instance, but the model was fitted on bags. For a single bag pass "
                "[X]; for instances use predict_instances.",
                UserWarning,
                stacklevel=4,
            )
        return bags

    def _sample_shape(self, inputs: Bags) -> tuple[int, ...]:
        return tuple(inputs.instance_shape)

    def _input_dtype(self, inputs: Bags) -> torch.dtype:
        wide = inputs.instance_dtype == np.float64
        return torch.float64 if wide else torch.float32

    def _rows(self, inputs: Bags, dtype: torch.dtype) -> RaggedTensor | StreamedBags:
        return self._rows_for(self._recipe.parts["pooling"], inputs, dtype)

    def _rows_for(
        self, pooling: Part, inputs: Bags, dtype: torch.dtype
    ) -> RaggedTensor | StreamedBags:
        """Turn bags into tensors, with what the pooling has to know of instances."""
        rows: RaggedTensor | StreamedBags
        if streams(inputs):
            rows = StreamedBags(inputs, dtype)
        else:
            # Row by row in memory, so that the layout of X cannot change a rounding.
            values = as_tensor(inputs.values, dtype).contiguous()
            lengths = torch.from_numpy(np.array(inputs.lengths))
            rows = RaggedTensor(values, lengths)
        if "coords" not in fields_used(pooling):
            return rows
        wanted_by = f"pooling={name_of(pooling)!r}"
        coords = positions(inputs, wanted_by, "choose a pooling that needs none")
        return attach(rows, {"coords": as_tensor(coords, dtype, "coords")})

    def _training_rows(
        self, inputs: Bags, encoded: Encoded, dtype: torch.dtype
    ) -> RaggedTensor | StreamedBags:
        fields: dict[str, Tensor] = {}
        if inputs.y_instances is not None:
            labels = self._encode_instances(inputs.y_instances, encoded)
            tensor = as_tensor(labels)
            floats = tensor.is_floating_point()
            fields[Y_INSTANCES] = tensor.to(dtype) if floats else tensor
        elif self.instance_labels == "use":
            raise BagError(
                "instance_labels='use' needs labels of instances: pass Bags with "
                "y_instances=, or y_instances= to fit."
            )
        if self.smoothness > 0:
            fields |= neighbours(inputs)
        # Not of the recipe, which in a new fit is still that of the last.
        pooling = resolve_part("pooling", self._choice("pooling"))
        rows = self._rows_for(pooling, inputs, dtype)
        return attach(rows, fields) if fields else rows

    def _training_data(
        self, net: LeanNet, inputs: Bags, encoded: Encoded, plan: Plan
    ) -> tuple[TrainingData, TrainingData | None]:
        y = encoded.y
        partly = bool(np.isnan(y).any() if y.dtype.kind == "f" else (y < 0).any())
        objective = self._objective()
        net.has_auxiliary_loss_ = net.module_.has_auxiliary_loss
        net.has_weak_labels_ = (
            partly
            or objective.noise_rate > 0
            or objective.smoothness > 0
            or inputs.y_instances is not None
        )
        return super()._training_data(net, inputs, encoded, plan)

    def _net_options(self) -> dict[str, Any]:
        return {
            "max_instances": self.max_instances,
            "balanced": getattr(self, "balanced_batches", False),
            "objective": self._objective(),
        }

    def _groups(self, inputs: Bags) -> Array | None:
        return inputs.groups

    def _rows_per_batch(self, inputs: Bags) -> int:
        if self.batch_size != "auto":
            return int(self.batch_size)
        mean_length = inputs.n_instances / len(inputs)
        if self.max_instances is not None:
            mean_length = min(mean_length, self.max_instances)
        few = min(_FEWEST_BAGS, max(1, round(_MOST_INSTANCES / mean_length)))
        return max(few, round(_INSTANCES_PER_BATCH / mean_length))

    def _rows_per_prediction(self, inputs: Bags) -> int:
        mean_length = inputs.n_instances / len(inputs)
        return max(1, round(super()._rows_per_prediction(inputs) / mean_length))

    def _assemble(self, recipe: Recipe) -> nn.Module:
        return BagPredictor(
            build_backbone(recipe.parts["backbone"], recipe.input_shape),
            partial(build_pooling, recipe.parts["pooling"]),
            recipe.n_outputs,
            recipe.options["level"],
            scale_layer(recipe.input_shape) if recipe.options["scale_inputs"] else None,
        )

    def _calibrate(self, module: nn.Module, inputs: Bags, encoded: Encoded) -> None:
        scale: Any = module.scale
        if scale is not None:
            calibrate(scale, inputs, encoded.weight)

    def _advice_on_lengths(self, inputs: Bags, n_targets: int) -> str:
        if n_targets == inputs.n_instances > len(inputs):
            return (
                "y has one entry for each instance; pass one for each bag, and labels "
                "of instances as y_instances=."
            )
        if inputs.n_instances == len(inputs):
            return (
                "The rows of a 2-D array are bags of one instance; to group rows, pass "
                "Bags(X, lengths=...) or Bags.from_frame(df, bag=..., y=...)."
            )
        return "Pass one target for each bag."

    def _options(self, encoded: Any) -> dict[str, Any]:
        return {"level": self.level, "scale_inputs": bool(self.scale_inputs)}

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.out_features


class _OfShape:
    """Stands for an array of which only the shape matters."""

    def __init__(self, bags: Bags) -> None:
        self.shape = (bags.n_instances, *bags.instance_shape)
