"""Learning several tasks at once, on features that they share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import (
    CLASS_WEIGHT,
    TRAINING_CONSTRAINTS,
    ClassifierOutputs,
    RegressorOutputs,
    with_training_parameters,
)
from .fine_tuning import FineTuneClassifier
from .fine_tuning_regressor import FineTuneRegressor
from .fine_tuning_source import snapshot
from .multi_task_outputs import MultiTaskModel, has_quantiles, is_classifier_with
from .tasks import take_task_column

__all__ = ["MultiTaskEstimator"]

Array = NDArray[Any]

# What an adaptation has in common with the estimator it comes from.
_COMMON = (
    "optimizer",
    "weight_decay",
    "lr_schedule",
    "batch_size",
    "device",
    "precision",
)


@with_training_parameters(lr="3e-3", weight_decay="1e-4", max_epochs="100")
class MultiTaskEstimator(MultiTaskModel):
    r"""Learn several tasks with one backbone and a head for each.

    Minimises the weighted mean of :math:`l(H_{t_i}(B(x_i)), y_i)` over all rows i: the
    backbone B is trained by every task, the linear head :math:`H_t` by the rows of
    task t alone (hard parameter sharing, Caruana 1997); without tasks, a plain net.

    Parameters
    ----------
    kind : {"classification", "regression"}, default="classification"
        What the targets are.
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetClassifier`.
    task : str, int or None, default=None
        Name or position of a column of ``X`` with the task of each row, which the net
        does not see. None: pass ``groups``.
    adapt_lr : float, default=0.01
        Learning rate of :meth:`adapt`.
    adapt_epochs : int, default=100
        Passes of :meth:`adapt` over its rows.
    loss : str, spec or callable, default="auto"
        A registered loss for the kind; ``"auto"`` is ``"cross-entropy"`` or ``"mse"``.
    {training_parameters}

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Ids of the tasks; empty if none were passed.
    n_tasks_ : int
        Number of tasks, 1 if none were passed.
    classes_ : ndarray of shape (n_classes,)
        The classes of all tasks together; only for a classification.
    y_mean_, y_scale_ : float or ndarray of shape (n_outputs,)
        Mean and standard deviation of all targets; only for a regression.
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` has ``backbone`` and ``heads``.
    history_ : DataFrame
        Loss, learning rate and duration, one row an epoch.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Features of a sample, the column of the task not counted.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    link_ : str
        How scores become probabilities.
    device_ : str
        Where the net is.

    See Also
    --------
    MAMLEstimator : Weights that are good to begin from, in place of shared ones.
    FineTuneClassifier : One task after another.

    Notes
    -----
    ``predict`` uses the head of the task of each row. If no task is named, and there
    are several, it averages over the heads: their probabilities, or their numbers.

    Inside ``GridSearchCV`` or a ``Pipeline``, ``groups`` arrive only with
    ``sklearn.set_config(enable_metadata_routing=True)``; a column of ``X`` always does.

    References
    ----------
    Caruana, *Multitask learning*, Machine Learning 28, 1997.

    Examples
    --------
    >>> from mlmi_sklearn.meta_learning.multi_task import MultiTaskEstimator
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> site = np.arange(300) % 3
    >>> y = X[:, 0] * np.array([1, -1, 2])[site]
    >>> model = MultiTaskEstimator("regression", random_state=0).fit(X, y, groups=site)
    >>> model.n_tasks_, model.score(X, y, groups=site) > 0.9
    (3, True)

    A task that was not among them gets a head of its own:

    >>> model.adapt(X[:20], 3 * X[:20, 0]).score(X, 3 * X[:, 0]) > 0.8
    True
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": True}
    __metadata_request__partial_fit: ClassVar[dict[str, Any]] = {"groups": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TRAINING_CONSTRAINTS,
        "class_weight": CLASS_WEIGHT,
        "kind": [StrOptions({"classification", "regression"})],
        "task": [str, Integral, None],
        "adapt_lr": [Interval(Real, 0, None, closed="neither")],
        "adapt_epochs": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        kind: str = "classification",
        backbone: Any = "auto",
        *,
        task: Any = None,
        adapt_lr: float = 1e-2,
        adapt_epochs: int = 100,
        loss: Any = "auto",
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
        self.kind = kind
        self.backbone = backbone
        self.task = task
        self.adapt_lr = adapt_lr
        self.adapt_epochs = adapt_epochs
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

    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train the backbone and all heads.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
            Vectors, with the column ``task`` if there is one, images or volumes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, or numbers.
        groups : array-like of shape (n_samples,), default=None
            Id of the task of each row, of any type; goes before the column.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        MultiTaskEstimator
            The fitted estimator.

        Raises
        ------
        TaskError
            If an id is missing, or the column is not there.
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.
        """
        return self._fit_tasks(X, y, groups, sample_weight, resume=self.warm_start)

    def partial_fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        classes: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train for one more epoch on the given data.

        Parameters
        ----------
        X, y : array-like
            As in :meth:`fit`. The first call fixes tasks, and classes or the unit.
        groups, classes, sample_weight : array-like, default=None
            As in :meth:`fit`; ``classes`` are all that will ever occur, if the first
            ``y`` does not hold them.

        Returns
        -------
        MultiTaskEstimator
            The estimator itself.
        """
        return self._fit_one_epoch(X, y, groups, sample_weight, classes)

    def adapt(self, X_support: Any, y_support: Any, **overrides: Any) -> Any:
        """Train a head for a new task on the features that all tasks share.

        Nothing of this estimator changes, nor does any random number generator.

        Parameters
        ----------
        X_support : array-like of shape (n_support, ...)
            Samples of the new task, with or without the column ``task``.
        y_support : array-like of shape (n_support,)
            Their targets; classes may be new.
        **overrides
            Parameters of the result, such as ``lr``, ``max_epochs``, ``freeze`` (which
            is "backbone.*") or ``head``.

        Returns
        -------
        FineTuneClassifier or FineTuneRegressor
            A new fitted estimator for that task alone.

        Raises
        ------
        ValueError
            If the rows are unusable, or there is no parameter of such a name.
        """
        check_is_fitted(self)
        X, _ = take_task_column(X_support, self._column_of(X_support))
        params = {name: getattr(self, name) for name in _COMMON}
        params |= {"lr": self.adapt_lr, "max_epochs": self.adapt_epochs}
        params |= {"freeze": "backbone.*", "keep_head": False}
        params |= {"loss": self._choice("loss"), "dtype": self._recipe.dtype}
        params |= {"random_state": 0, "pretrained": snapshot(self)}
        build: Any = FineTuneClassifier if self._is_classifier else FineTuneRegressor
        adapted = build(**params).set_params(**overrides)
        return adapted.fit(X, y_support)

    def predict(self, X: Any, groups: Any = None) -> Array:
        """Predict by the head of the task of each row.

        Parameters
        ----------
        X : array-like
            Samples, as in :meth:`fit`.
        groups : array-like of shape (n_samples,), default=None
            Ids of tasks, each of which was in :meth:`fit`. Without them, and without
            the column ``task``, all heads are averaged.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Classes, or numbers in the unit of ``y``.

        Raises
        ------
        TaskError
            If a task was not in :meth:`fit`.
        """
        return self._predict(X, groups)

    @available_if(is_classifier_with("decision_function"))
    def decision_function(self, X: Any, groups: Any = None) -> Array:
        """Compute raw scores.

        Parameters
        ----------
        X, groups : array-like
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Two classes have one score, above zero for ``classes_[1]``.
        """
        check_is_fitted(self)
        return ClassifierOutputs.decision_function(self, self._pass(X, groups))

    @available_if(is_classifier_with("predict_proba"))
    def predict_proba(self, X: Any, groups: Any = None) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        X, groups : array-like
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self._to_probabilities(self._raw(self._pass(X, groups)))

    @available_if(is_classifier_with("predict_log_proba"))
    def predict_log_proba(self, X: Any, groups: Any = None) -> Array:
        """Predict the logarithm of probabilities.

        Parameters
        ----------
        X, groups : array-like
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Natural logarithm of :meth:`predict_proba`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X, groups))

    @available_if(has_quantiles)
    def predict_quantiles(self, X: Any, groups: Any = None) -> Array:
        """Predict every quantile that ``loss="quantile"`` was asked for.

        Parameters
        ----------
        X, groups : array-like
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_levels) or (n_samples, n_outputs, n_levels)
            Quantiles in ascending order.
        """
        check_is_fitted(self)
        return RegressorOutputs.predict_quantiles(self, self._pass(X, groups))

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the accuracy, or R2 for a regression, over all rows.

        Parameters
        ----------
        X, y : array-like
            As in :meth:`predict`, and the true targets.
        sample_weight, groups : array-like of shape (n_samples,), default=None
            Weights and, as in :meth:`predict`, tasks.

        Returns
        -------
        float
            Higher is better.
        """
        return self._score(X, y, sample_weight, groups)
