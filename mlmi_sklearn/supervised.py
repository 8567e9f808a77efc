"""Plain supervised learning with any backbone: the baseline of every family."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import (
    CLASS_WEIGHT,
    TRAINING_CONSTRAINTS,
    ClassifierOutputs,
    RegressorOutputs,
    TorchEstimator,
    with_training_parameters,
)

__all__ = ["NetClassifier", "NetRegressor"]


@with_training_parameters(lr="3e-3", weight_decay="1e-4", max_epochs="100")
class NetClassifier(ClassifierOutputs, TorchEstimator):
    """Classify vectors, images or volumes with a neural network.

    Minimises the weighted mean of a loss over mini-batches,
    sum_i w_i l(H(B(x_i)), y_i) / sum_i w_i, with a backbone B and a linear head H.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        What turns a sample into features. ``"auto"`` is ``"mlp"`` for vectors,
        ``"conv"`` for images and ``"conv3d"`` for volumes; see
        ``list_components("backbone")``. A callable takes ``(input_shape)``; a module
        is copied. Parameters are reached as ``backbone__hidden`` and so on.
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss. Parameters are reached as ``loss__*``.
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
        Size of the first dimension of a sample.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    link_ : str
        How scores become probabilities.
    device_ : str
        Where the net is.

    See Also
    --------
    NetRegressor : The same for numbers.
    MILClassifier : When labels sit on bags of samples.

    Notes
    -----
    Two classes share one logit, so ``decision_function`` is one-dimensional for them.
    Several binary labels a sample are possible too: pass an indicator matrix.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mlmi_sklearn import NetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NetClassifier(random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TRAINING_CONSTRAINTS,
        "class_weight": CLASS_WEIGHT,
    }
    _accepts_sparse: ClassVar[bool] = True
    _accepts_streams: ClassVar[bool] = True

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        loss: Any = "cross-entropy",
        optimizer: Any = "adamw",
        lr: float = 3e-3,
        weight_decay: float = 1e-4,
        lr_schedule: Any = "constant",
        max_epochs: int = 100,
        batch_size: int = 128,
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
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> NetClassifier:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
            Vectors (sparse ones too, of which a batch at a time is made dense), images
            (n, H, W) or (n, C, H, W), or volumes (n, C, D, H, W). A large memory map,
            a dask collection, a data set or loader of PyTorch or a
            :class:`~mlmi_sklearn.Stream` is read batch by batch.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, or an indicator matrix of 0 and 1. May be left out if X brings
            its targets along.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Within a batch, a row of weight 2 counts as the row
            given twice; one of weight 0 counts as not given.

        Returns
        -------
        NetClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.
        """
        return self._fit(X, y, sample_weight, resume=self.warm_start)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> NetClassifier:
        """Train for one more epoch on the given data.

        Parameters
        ----------
        X : array-like
            As in :meth:`fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Needed in the first call only, and only
            if its ``y`` does not hold them all.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        NetClassifier
            The estimator itself.
        """
        return self._partial_fit(X, y, classes, sample_weight)


@with_training_parameters(
    lr="3e-3", weight_decay="1e-4", max_epochs="100", classifier=False
)
class NetRegressor(RegressorOutputs, TorchEstimator):
    """Predict numbers from vectors, images or volumes with a neural network.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`NetClassifier`.
    loss : str, spec or callable, default="mse"
        A registered regression loss: ``"mse"``, ``"huber"``, ``"smooth-l1"``,
        ``"quantile"``. Its parameters are in units of the standard deviation of
        ``y`` (targets are standardised for training). ``loss__q`` may name several
        quantiles; ``predict_quantiles`` then returns them all.
    {training_parameters}

    Attributes
    ----------
    y_mean_, y_scale_ : float or ndarray of shape (n_outputs,)
        Mean and standard deviation of the training targets.
    net_ : skorch.NeuralNet
        The trained net.
    history_ : DataFrame
        Loss, learning rate and duration, one row an epoch. Losses are in standardised
        units.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Size of the first dimension of a sample.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    link_ : str
        How raw outputs become predictions.
    device_ : str
        Where the net is.

    See Also
    --------
    NetClassifier : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import NetRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> y = 1e4 * X[:, 0] ** 2
    >>> NetRegressor(lr=1e-2, random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    _accepts_sparse: ClassVar[bool] = True
    _accepts_streams: ClassVar[bool] = True

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        loss: Any = "mse",
        optimizer: Any = "adamw",
        lr: float = 3e-3,
        weight_decay: float = 1e-4,
        lr_schedule: Any = "constant",
        max_epochs: int = 100,
        batch_size: int = 128,
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

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> NetRegressor:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
            Vectors (sparse ones too, of which a batch at a time is made dense), images
            (n, H, W) or (n, C, H, W), or volumes (n, C, D, H, W). A large memory map,
            a dask collection, a data set or loader of PyTorch or a
            :class:`~mlmi_sklearn.Stream` is read batch by batch.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, in any unit. May be left out if X brings its targets along.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Within a batch, a row of weight 2 counts as the row
            given twice; one of weight 0 counts as not given.

        Returns
        -------
        NetRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.
        """
        return self._fit(X, y, sample_weight, resume=self.warm_start)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetRegressor:
        """Train for one more epoch on the given data.

        Parameters
        ----------
        X : array-like
            As in :meth:`fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            As in :meth:`fit`. The first call fixes the unit in which later ones
            train.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        NetRegressor
            The estimator itself.
        """
        return self._fit(X, y, sample_weight, resume=True, epochs=1)
