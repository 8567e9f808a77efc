"""Classification of bags of instances."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..base import (
    CLASS_WEIGHT,
    COMPONENT,
    TRAINING_CONSTRAINTS,
    ClassifierOutputs,
    Recipe,
    TorchEstimator,
    build_backbone,
    with_training_parameters,
)
from ..base.inputs import as_tensor, require_shape
from ..containers import Bags
from ..nn.models import BagPredictor
from ..training.ragged import RaggedTensor
from .inputs import holds_bags, read_bags
from .instances import InstanceOutputs
from .parts import build_pooling

__all__ = ["MILClassifier"]

Array = NDArray[Any]

# A step on few instances wastes its overhead; one on many bags leaves few steps in an
# epoch. Rows that are bags of one come in the usual 128 a batch this way.
_INSTANCES_PER_BATCH = 128
_FEWEST_BAGS = 8

_BATCH_SIZE = """"auto" or int, default="auto"
    Bags in a batch. ``"auto"`` takes as many as hold about 128 instances, at least 8.
    A lone last bag joins the batch before it."""


@with_training_parameters(
    lr="1e-3",
    weight_decay="1e-4",
    max_epochs="100",
    batch_size=_BATCH_SIZE,
)
class MILClassifier(
    InstanceOutputs,
    ClassNamePrefixFeaturesOutMixin,
    ClassifierOutputs,
    TransformerMixin,
    TorchEstimator,
):
    r"""Classify bags of instances from labels on bags alone.

    The standard assumption of multiple-instance learning is that a bag is positive if
    and only if it holds a positive instance, :math:`y_i = \max_j y_{ij}`. The default
    keeps it exactly: a backbone B and an affine head H score each instance, and the
    score of a bag is the maximum,

    .. math:: s_i = \max_j H(B(x_{ij})).

    During the first 80 % of training (``pooling__anneal``) a smooth maximum that
    sharpens step by step takes its place, since the maximum alone teaches one
    instance a bag and often settles on the wrong ones; predictions are never smooth.

    Other poolings trade the assumption for smoother training; attention finds
    evidence *against* a class too, and can then call a bag positive for what it lacks.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        What turns an instance into features: ``"mlp"`` for vectors, ``"conv"`` for
        images. Parameters are reached as ``backbone__hidden`` and so on.
    pooling : str, spec or callable, default="max"
        ``"max"``, ``"mean"``, ``"attention"``, ``"gated-attention"`` or another name
        in ``list_components("pooling")``. Parameters are reached as ``pooling__*``.
    level : {"instance", "embedding"}, default="instance"
        Whether scores of instances are pooled or their features.
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss, on the scores of bags.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes; for multi-label targets the label numbers.
    net_ : skorch.NeuralNet
        The trained net.
    history_ : DataFrame
        Loss, learning rate and duration, one row an epoch.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.
    link_ : str
        How scores become probabilities.
    device_ : str
        Where the net is.

    See Also
    --------
    Bags : The container for bags of different size.
    InstanceWise : Lifts a scikit-learn transformer to bags.

    Notes
    -----
    Bags of different size are batched without padding, so the prediction for a bag
    does not depend on the other bags. A plain table is read as bags of one instance,
    for which this is an ordinary classifier.

    References
    ----------
    Dietterich, Lathrop and Lozano-Perez, *Solving the multiple instance problem with
    axis-parallel rectangles*, Artificial Intelligence 89, 1997.

    Wang, Yan, Tang, Bai and Liu, *Revisiting multiple instance neural networks*,
    Pattern Recognition 74, 2018 (mi-Net is the default, MI-Net has
    ``level="embedding"``).

    Raff and Holt, *Reproducibility in multiple instance learning: a case for
    algorithmic unit tests*, NeurIPS 2023.

    Examples
    --------
    >>> from mlmi_sklearn import MILClassifier
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> bags, y = make_digit_bags(n_bags=60, random_state=0)
    >>> model = MILClassifier(max_epochs=60, random_state=0).fit(bags, y)
    >>> model.score(bags, y) > 0.9
    True
    >>> scores = model.instance_scores(bags)
    >>> bool(scores[0].max() == model.decision_function(bags)[0])
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TRAINING_CONSTRAINTS,
        "pooling": COMPONENT,
        "level": [StrOptions({"instance", "embedding"})],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "class_weight": CLASS_WEIGHT,
    }
    _components: ClassVar[dict[str, str]] = {
        "backbone": "backbone",
        "pooling": "pooling",
        "loss": "loss",
    }

    def __init__(
        self,
        backbone: Any = "auto",
        pooling: Any = "max",
        level: str = "instance",
        *,
        loss: Any = "cross-entropy",
        optimizer: Any = "adamw",
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        lr_schedule: Any = "constant",
        max_epochs: int = 100,
        batch_size: Any = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
        device: str = "auto",
        dtype: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.pooling = pooling
        self.level = level
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.precision = precision
        self.compile = compile
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MILClassifier:
        """Train on labelled bags.

        Parameters
        ----------
        X : Bags, list of arrays of shape (n_instances, n_features), 3-D or 2-D array
            Bags; see :func:`~mlmi_sklearn.check_bags`. Groups of :class:`Bags`, such
            as patients, are kept together when early stopping sets bags aside.
        y : array-like of shape (n_bags,) or (n_bags, n_labels)
            Classes of bags, or an indicator matrix of 0 and 1.
        sample_weight : array-like of shape (n_bags,), default=None
            Non-negative weights of bags.

        Returns
        -------
        MILClassifier
            The fitted estimator.

        Raises
        ------
        BagError
            If X cannot be read as bags.
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.
        """
        return self._fit(X, y, sample_weight, resume=self.warm_start)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> MILClassifier:
        """Train for one more epoch on the given bags.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        y : array-like of shape (n_bags,) or (n_bags, n_labels)
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Needed in the first call only, and only
            if its ``y`` does not hold them all.
        sample_weight : array-like of shape (n_bags,), default=None
            As in :meth:`fit`.

        Returns
        -------
        MILClassifier
            The estimator itself.
        """
        return self._partial_fit(X, y, classes, sample_weight)

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

    # -- stages of the template -------------------------------------------------------

    def _read_inputs(self, X: Any, *, reset: bool) -> Bags:
        groups_rows = holds_bags(X)
        bags = read_bags(self, X, reset=reset)
        if reset:
            self._saw_bags = groups_rows
            return bags
        require_shape(self, bags.values, self._recipe.input_shape)
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
        return torch.float64 if inputs.values.dtype == np.float64 else torch.float32

    def _rows(self, inputs: Bags, dtype: torch.dtype) -> RaggedTensor:
        # Row by row in memory, so that the layout of X cannot change a rounding.
        values = as_tensor(inputs.values, dtype).contiguous()
        return RaggedTensor(values, torch.from_numpy(np.array(inputs.lengths)))

    def _groups(self, inputs: Bags) -> Array | None:
        return inputs.groups

    def _rows_per_batch(self, inputs: Bags) -> int:
        if self.batch_size != "auto":
            return int(self.batch_size)
        mean_length = inputs.n_instances / len(inputs)
        return max(_FEWEST_BAGS, round(_INSTANCES_PER_BATCH / mean_length))

    def _rows_per_prediction(self, inputs: Bags) -> int:
        mean_length = inputs.n_instances / len(inputs)
        return max(1, round(super()._rows_per_prediction(inputs) / mean_length))

    def _assemble(self, recipe: Recipe) -> nn.Module:
        return BagPredictor(
            build_backbone(recipe.parts["backbone"], recipe.input_shape),
            partial(build_pooling, recipe.parts["pooling"]),
            recipe.n_outputs,
            recipe.options["level"],
        )

    def _advice_on_lengths(self, inputs: Bags, n_targets: int) -> str:
        if n_targets == inputs.n_instances > len(inputs):
            return (
                "y has one entry for each instance; pass one for each bag, and labels "
                "of instances as Bags(..., y_instances=...)."
            )
        if inputs.n_instances == len(inputs):
            return (
                "The rows of a 2-D array are bags of one instance; to group rows, pass "
                "Bags(X, lengths=...) or Bags.from_frame(df, bag=..., y=...)."
            )
        return "Pass one label for each bag."

    def _options(self, encoded: Any) -> dict[str, Any]:
        return {"level": self.level}

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.out_features
