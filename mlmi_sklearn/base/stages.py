"""The single stages of a fit and a prediction, as they are for plain samples.

A family changes those in which it differs: what an input is, which parts a model has
and how they fit together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import _num_samples
from torch import nn

from ..components.doclink import DocumentationLink
from ..containers import Stream
from ..nn.models import Predictor
from ..training.data import Rows, TensorRows, TrainingData
from ..training.sparse import SparseRows
from .footprint import widest
from .inputs import as_tensor, read_array, require_shape
from .netbuild import row_scorer
from .parts import Recipe, build_backbone
from .scale import warn_of_scale
from .streams import as_stream, read_stream, stream_rows
from .targets import Encoded

__all__ = ["Stages"]

Array = NDArray[Any]

# Elements of the largest result within a net in one batch of a prediction: enough to
# keep the processor busy, little enough for its cache, and for the heap to keep the
# memory, which if given back and asked for again may take half of the time.
# Accelerators want more.
_PREDICTION_ELEMENTS = 2**19
_MORE_ON_ACCELERATORS = 8
# Elements of input below which it does not matter by how much a net widens them.
_FEW_ELEMENTS = 2**16


class Stages(DocumentationLink, BaseEstimator):
    """Base of :class:`~.estimator.TorchEstimator` with all that a family may change."""

    _recipe: Recipe
    # Whether X may be sparse; a batch at a time is then made dense.
    _accepts_sparse: ClassVar[bool] = False
    # Whether X may be a stream, of which a batch at a time is read.
    _accepts_streams: ClassVar[bool] = False

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._accepts_sparse
        return tags

    def _read_inputs(self, X: Any, *, reset: bool) -> Any:
        """Validate X; by default samples as one array, or a stream of them."""
        X = as_stream(X) if self._accepts_streams else X
        if isinstance(X, Stream) and self._accepts_streams:
            shape = None if reset else self._recipe.input_shape
            return read_stream(self, X, shape, reset=reset)
        sparse = self._accepts_sparse
        if reset:
            return read_array(self, X, reset=True, accept_sparse=sparse)
        # Before scikit-learn's check, which would call the height of images features.
        require_shape(self, X, self._recipe.input_shape)
        X = read_array(self, X, reset=False, accept_sparse=sparse)
        require_shape(self, X, self._recipe.input_shape)
        return X

    def _sample_shape(self, inputs: Any) -> tuple[int, ...]:
        """Return the shape of one sample or instance."""
        if isinstance(inputs, Stream):  # its length may not be known
            return inputs.sample_shape
        return tuple(inputs.shape[1:])

    def _input_dtype(self, inputs: Any) -> torch.dtype:
        """Return the floating-point type of validated inputs."""
        return torch.float64 if inputs.dtype == np.float64 else torch.float32

    def _rows(self, inputs: Any, dtype: torch.dtype) -> Rows:
        """Turn validated inputs into tensors."""
        if isinstance(inputs, Stream):
            return stream_rows(inputs, dtype)
        if issparse(inputs):
            return SparseRows(inputs, dtype)
        return TensorRows(as_tensor(inputs, dtype))

    def _groups(self, inputs: Any) -> Array | None:
        """Return groups that a validation split must not tear apart."""
        return None

    def _rows_per_batch(self, inputs: Any) -> int:
        """Return the number of rows in a training batch."""
        return int(self.batch_size)

    def _rows_per_prediction(self, inputs: Any) -> int:
        """Return the number of rows in a batch of a prediction."""
        net = getattr(self, "net_", None)
        return self._rows_at_once(inputs, None if net is None else net.module_)

    def _rows_at_once(self, inputs: Any, module: nn.Module | None) -> int:
        """Return the number of rows that a module computes at once, without training.

        At least as many as in training, which takes more memory.
        """
        fewest = self._rows_per_batch(inputs)
        n_rows = _num_samples(inputs)
        if n_rows <= fewest:
            return fewest
        shape = self._sample_shape(inputs)
        elements = math.prod(shape) or 1
        backbone = getattr(module, "backbone", None)
        large = n_rows * elements > _FEW_ELEMENTS
        if large and isinstance(backbone, nn.Module) and not backbone.training:
            elements = max(elements, widest(backbone, shape))
        # What is read for a batch comes on top of the results within the net.
        share = 4 if isinstance(inputs, Stream) else 1
        budget = _PREDICTION_ELEMENTS
        if not _is_on_cpu(module):
            budget *= _MORE_ON_ACCELERATORS
        return max(budget // share // elements, fewest)

    def _checkpoint_folder(self) -> Any:
        """Return where to write the state of a training, or None."""
        return self.checkpoint

    def _learning_rate(self) -> float:
        """Return the rate that training begins with."""
        return float(self.lr)

    def _epochs(self) -> int:
        """Return the passes of a fit over the training data."""
        return int(self.max_epochs)

    def _advice_on_lengths(self, inputs: Any, n_targets: int) -> str:
        """Say what to do when X and y have different lengths."""
        return "Pass one target for each sample."

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        """Return what else :meth:`_assemble` and the outputs need to know."""
        return {}

    def _choice(self, component: str) -> Any:
        """Return the component that the parameters ask for, under its parameter."""
        return getattr(self, component)

    @staticmethod
    def _auto_defaults(shape: tuple[int, ...]) -> Mapping[str, Mapping[str, Any]]:
        """Return parameters, by name, of the backbone that "auto" chooses."""
        return {}

    def _calibrate(self, module: nn.Module, inputs: Any, encoded: Encoded) -> None:
        """Set what a new module takes from the training data before it is trained.

        By default it takes nothing, so that the scale of the data matters.
        """
        warn_of_scale(type(self).__name__, getattr(inputs, "values", inputs), module)

    def _net_options(self) -> dict[str, Any]:
        """Return further arguments of :attr:`_net_class`."""
        return {}

    def _epoch_scorer(self, data: TrainingData) -> Any:
        """Return net -> score on data after an epoch; None if there is no such."""
        return row_scorer(self, data)

    def _training_rows(self, inputs: Any, encoded: Encoded, dtype: torch.dtype) -> Rows:
        """Turn validated inputs of a fit into tensors."""
        if isinstance(inputs, Stream):
            return stream_rows(inputs, dtype, encoded)
        return self._rows(inputs, dtype)

    def _assemble(self, recipe: Recipe) -> nn.Module:
        """Build the module of a recipe."""
        backbone = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        return Predictor(backbone, recipe.n_outputs)


def _is_on_cpu(module: nn.Module | None) -> bool:
    parameter = None if module is None else next(module.parameters(), None)
    return parameter is None or parameter.device.type == "cpu"
