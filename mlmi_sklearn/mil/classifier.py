"""Classification of bags of instances."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import CLASS_WEIGHT, ClassifierOutputs, with_training_parameters
from ..base.partial import encode_partly, read_partly
from ..base.targets import Encoded
from .base import BAG_CONSTRAINTS, BATCH_SIZE, BagEstimator
from .docs import with_bag_parameters
from .fields import LabelledInstances, encode_classes
from .instances import InstanceClasses
from .objective import BagObjective

__all__ = ["MILClassifier"]

Array = NDArray[Any]


@with_bag_parameters
@with_training_parameters(
    lr="1e-3",
    weight_decay="1e-4",
    max_epochs="100",
    batch_size=BATCH_SIZE,
)
class MILClassifier(InstanceClasses, ClassifierOutputs, BagEstimator):
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
        What turns an instance into features: ``"mlp"`` for vectors, with layers of 128
        and 64 units, each step of training dropping 40 % of 32 input features or more;
        ``"conv"`` for images. Parameters are reached as ``backbone__hidden`` and so on.
    pooling : str, spec or callable, default="max"
        ``"max"``, ``"mean"``, ``"attention"``, ``"gated-attention"`` or another name
        in ``list_components("pooling")``. Parameters are reached as ``pooling__*``.
    level : {"instance", "embedding"}, default="instance"
        Whether scores of instances are pooled or their features.
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss, on the scores of bags. Against wrong labels
        ``"generalised-cross-entropy"``, or ``loss__label_smoothing=0.1``.
    {bag_parameters}
    balanced_batches : bool, default=False
        Whether every batch holds equally many bags of each class, rare ones repeated.
        Unlike ``class_weight`` it does not make single bags weigh a lot.
    noise_rate : float, default=0.0
        Share of bag labels that may be wrong, 0 to below 1. In each batch the bags of
        largest loss, up to this share, are left out, more of them as training goes on.
    unlabelled_weight : float, default=0.1
        Weight of the term that asks for confident predictions on unlabelled bags
        (entropy minimisation), phased in over the first half of training. At least 0.
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

    Labels may be weak in more ways than one. A bag without a label carries the marker
    -1 (integers, beside at least two classes), NaN (floats) or None (objects) in
    ``y``, a single unknown entry of a multi-label ``y`` likewise. Known labels of
    instances go into ``y_instances``. Labels that may be wrong are met by
    ``noise_rate`` and by the loss. All of these can be combined.

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
        **BAG_CONSTRAINTS,
        "balanced_batches": ["boolean"],
        "noise_rate": [Interval(Real, 0, 1, closed="left")],
        "unlabelled_weight": [Interval(Real, 0, None, closed="left")],
        "class_weight": CLASS_WEIGHT,
    }

    _minus_one_marks: ClassVar[bool] = True

    def __init__(
        self,
        backbone: Any = "auto",
        pooling: Any = "max",
        level: str = "instance",
        *,
        loss: Any = "cross-entropy",
        scale_inputs: bool = True,
        max_instances: int | None = None,
        instance_labels: str = "ignore",
        instance_weight: float = 1.0,
        smoothness: float = 0.0,
        balanced_batches: bool = False,
        noise_rate: float = 0.0,
        unlabelled_weight: float = 0.1,
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
        checkpoint: Any = None,
        checkpoint_every: int = 1,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.pooling = pooling
        self.level = level
        self.loss = loss
        self.scale_inputs = scale_inputs
        self.max_instances = max_instances
        self.instance_labels = instance_labels
        self.instance_weight = instance_weight
        self.smoothness = smoothness
        self.balanced_batches = balanced_batches
        self.noise_rate = noise_rate
        self.unlabelled_weight = unlabelled_weight
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
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, y_instances: Any = None
    ) -> MILClassifier:
        """Train on labelled bags.

        Parameters
        ----------
        X : Bags, list of arrays of shape (n_instances, n_features), 3-D or 2-D array
            Bags; see :func:`~mlmi_sklearn.check_bags`. Groups of :class:`Bags`, such
            as patients, are kept together when early stopping sets bags aside.
        y : array-like of shape (n_bags,) or (n_bags, n_labels)
            Classes of bags, or an indicator matrix of 0 and 1; see the notes for
            unlabelled bags.
        sample_weight : array-like of shape (n_bags,), default=None
            Non-negative weights of bags.
        y_instances : list of arrays, or array of shape (n_instances,), default=None
            Known classes of instances, or 0 and 1 for the first and second of two
            classes; -1 where unknown. Under cross-validation pass a list with one
            array a bag, or keep them in the bags: ``instance_labels="use"``.

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
        if y_instances is not None:
            X = LabelledInstances(X, y_instances)
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

    # -- stages of the template --------------------------------------------------------

    def _read_targets(self, y: Any) -> Any:
        read = super()._read_targets
        return read_partly(read, y, integers=self._minus_one_marks)

    def _encode(self, y: Any, weight: Array | None) -> Encoded:
        return encode_partly(super()._encode, y, weight)

    def _encode_again(self, y: Any, weight: Array | None) -> Encoded:
        return encode_partly(super()._encode_again, y, weight)

    def _encode_known(self, classes: Array, y: Any, weight: Array | None) -> Encoded:
        encode: Callable[..., Encoded] = partial(super()._encode_known, classes)
        return encode_partly(encode, y, weight)

    def _encode_instances(self, labels: Array, encoded: Encoded) -> Array:
        if not encoded.attributes["_multi_label"]:
            return encode_classes(labels, encoded.attributes["classes_"])
        if labels.shape[1:] != encoded.y.shape[1:]:
            raise ValueError(
                f"y_instances has shape {labels.shape}; for {encoded.n_outputs} labels "
                f"pass shape (n_instances, {encoded.n_outputs}) of 0, 1 and -1."
            )
        return np.where(labels == -1, np.nan, labels)

    def _objective(self) -> BagObjective:
        return BagObjective(
            self.instance_weight,
            self.smoothness,
            self.noise_rate,
            self.unlabelled_weight,
        )
