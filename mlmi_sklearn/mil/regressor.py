"""Regression on bags of instances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import RegressorOutputs, with_training_parameters
from ..base.partial import encode_partly, read_partly
from ..base.targets import Encoded
from .base import BATCH_SIZE, BagEstimator
from .docs import with_bag_parameters
from .fields import LabelledInstances
from .instances import split

__all__ = ["MILRegressor"]

Array = NDArray[Any]


@with_bag_parameters
@with_training_parameters(
    lr="1e-3",
    weight_decay="1e-4",
    max_epochs="100",
    batch_size=BATCH_SIZE,
    classifier=False,
)
class MILRegressor(RegressorOutputs, BagEstimator):
    r"""Predict numbers for bags of instances from numbers for bags alone.

    A backbone B and an affine head H give every instance :math:`x_{ij}` a value, and
    a pooling makes the value of the bag. The default weighs instances by attention,

    .. math:: \hat y_i = \sum_j a_{ij} H(B(x_{ij})), \qquad \sum_j a_{ij} = 1,

    which covers both the mean of all instances and the value of a single prime one.
    Where the largest instance decides (the grade of the worst region, say) use
    ``pooling="max"``, for which :math:`\hat y_i = \max_j \hat y_{ij}` exactly.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        What turns an instance into features: ``"mlp"`` for vectors, with layers of 128
        and 64 units, each step of training dropping 40 % of 32 input features or more;
        ``"conv"`` for images. Parameters are reached as ``backbone__hidden`` and so on.
    pooling : str, spec or callable, default="attention"
        A name in ``list_components("pooling")``. Parameters are reached as
        ``pooling__*``.
    level : {"instance", "embedding"}, default="instance"
        Whether values of instances are pooled or their features.
    loss : str, spec or callable, default="mse"
        A registered regression loss. With ``"quantile"`` and several ``loss__q``, see
        :meth:`predict_quantiles`.
    {bag_parameters}
    {training_parameters}

    Attributes
    ----------
    y_mean_, y_scale_ : float or ndarray of shape (n_outputs,)
        Mean and standard deviation of the training targets, which are standardised
        inside.
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
        How raw outputs become predictions.
    device_ : str
        Where the net is.

    See Also
    --------
    MILClassifier : The same for classes.
    MILOrdinalClassifier : For grades, of which only the order has a meaning.

    Notes
    -----
    Several targets a bag are possible: pass ``y`` with two axes. A NaN in ``y`` marks
    what is unknown; it has no effect, but instances of such a bag may be labelled.

    References
    ----------
    Ray and Page, *Multiple instance regression*, ICML 2001.

    Ilse, Tomczak and Welling, *Attention-based deep multiple instance learning*, ICML
    2018.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import Bags, MILRegressor
    >>> rng = np.random.default_rng(0)
    >>> bags = Bags(rng.normal(size=(600, 3)), lengths=np.full(60, 10))
    >>> y = np.array([bag[:, 0].mean() for bag in bags])
    >>> model = MILRegressor(pooling="mean", random_state=0).fit(bags, y)
    >>> model.score(bags, y) > 0.9
    True
    >>> len(model.predict_instances(bags)[0])
    10
    """

    def __init__(
        self,
        backbone: Any = "auto",
        pooling: Any = "attention",
        level: str = "instance",
        *,
        loss: Any = "mse",
        scale_inputs: bool = True,
        max_instances: int | None = None,
        instance_labels: str = "ignore",
        instance_weight: float = 1.0,
        smoothness: float = 0.0,
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
    ) -> MILRegressor:
        """Train on bags with numbers.

        Parameters
        ----------
        X : Bags, list of arrays of shape (n_instances, n_features), 3-D or 2-D array
            Bags; see :func:`~mlmi_sklearn.check_bags`. Groups of :class:`Bags`, such
            as patients, are kept together when early stopping sets bags aside.
        y : array-like of shape (n_bags,) or (n_bags, n_outputs)
            Targets of bags, NaN where unknown.
        sample_weight : array-like of shape (n_bags,), default=None
            Non-negative weights of bags.
        y_instances : list of arrays, or array of shape (n_instances,), default=None
            Known targets of instances in the unit of ``y``, NaN where unknown (-1 is a
            number here). Under cross-validation pass a list with one array a bag, or
            keep them in the bags: ``instance_labels="use"``.

        Returns
        -------
        MILRegressor
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

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MILRegressor:
        """Train for one more epoch on the given bags.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        y : array-like of shape (n_bags,) or (n_bags, n_outputs)
            As in :meth:`fit`. The first call fixes ``y_mean_`` and ``y_scale_``.
        sample_weight : array-like of shape (n_bags,), default=None
            As in :meth:`fit`.

        Returns
        -------
        MILRegressor
            The estimator itself.
        """
        return self._fit(X, y, sample_weight, resume=True, epochs=1)

    def predict_instances(self, X: Any, *, flat: bool = False) -> Any:
        """Predict the target of every instance.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,) or (n_instances, n_outputs)
            One array a bag, in the unit of ``y``; one in all with ``flat=True``.
        """
        raw, bags = self._compute(X, "instance_scores")
        return split(self._in_unit_of_y(raw), bags, flat)

    # -- stages of the template --------------------------------------------------------

    def _as_scores(self, raw: Array) -> Array:
        return self._in_unit_of_y(raw)

    def _read_targets(self, y: Any) -> Any:
        return read_partly(super()._read_targets, y)

    def _encode(self, y: Any, weight: Array | None) -> Encoded:
        return encode_partly(super()._encode, y, weight)

    def _encode_again(self, y: Any, weight: Array | None) -> Encoded:
        return encode_partly(super()._encode_again, y, weight)

    def _encode_instances(self, labels: Array, encoded: Encoded) -> Array:
        attributes = encoded.attributes
        values = np.asarray(labels, dtype=float).reshape(len(labels), -1)
        if values.shape[1] != encoded.y.shape[1]:
            raise ValueError(
                f"y_instances has shape {labels.shape}, but a bag has "
                f"{encoded.y.shape[1]} targets. Pass one column for each."
            )
        return (values - attributes["y_mean_"]) / attributes["y_scale_"]
