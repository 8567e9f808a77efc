"""Prototypical networks: a class is the mean of its features."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import from_numpy, nn

from ..base import Recipe, build_backbone, with_training_parameters
from ..base.inputs import (
    read_array,
    read_targets,
    require_finite_outputs,
    require_shape,
)
from ..base.naming import check_classes
from ..base.plan import Plan
from ..base.targets import Encoded
from ..exceptions import TaskError
from ..nn.tasks import PrototypeModel
from ..nn.tasks.prototype import prototype_scores
from ..training.data import Targets, TrainingData
from ..training.net import LeanNet
from .base import EpisodicEstimator
from .constraints import COUNT, EPISODE_CONSTRAINTS
from .docs import PACE, with_episode_parameters
from .tasks import TaskRows

__all__ = ["ProtoNetClassifier", "PrototypeClassifier"]

Array = NDArray[Any]


class PrototypeClassifier(ClassifierMixin, BaseEstimator):
    """Classify by the nearest mean of the features of a trained net.

    :meth:`ProtoNetClassifier.adapt` makes it.

    Parameters
    ----------
    prior : FrozenEstimator or ProtoNetClassifier
        A fitted estimator with the features.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    prototypes_ : ndarray of shape (n_classes, n_features)
        Mean feature of each of them.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mlmi_sklearn import ProtoNetClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> meta = ProtoNetClassifier(n_way=3, max_epochs=2, random_state=0)
    >>> model = meta.fit(X[y < 7], y[y < 7]).adapt(X[y > 6][:9], y[y > 6][:9])
    >>> model.prototypes_.shape
    (3, 100)
    """

    def __init__(self, prior: Any) -> None:
        self.prior = prior

    def fit(self, X: Any, y: Any) -> Self:
        """Compute the mean feature of each class.

        Parameters
        ----------
        X : array-like
            Samples, of the shape the prior was trained on.
        y : array-like of shape (n_samples,)
            Their classes.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        TypeError
            If the prior is not a ProtoNetClassifier.
        TaskError
            If samples have another shape than those of the prior.
        """
        z = self._features(X, reset=True)
        y = read_targets(self, y, numeric=False)
        check_classes(y)
        y = column_or_1d(y, warn=True)
        if len(y) != len(z):
            raise ValueError(
                f"X and y have inconsistent numbers of samples: {len(z)} and {len(y)}."
            )
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.prototypes_ = class_means(z, codes, len(self.classes_))
        return self

    def decision_function(self, X: Any) -> Array:
        """Compute scores.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Two classes have one score, above zero for ``classes_[1]``.
        """
        raw = self._scores(X)
        return raw[:, 1] - raw[:, 0] if raw.shape[1] == 2 else raw

    def predict(self, X: Any) -> Array:
        """Predict the class of the nearest prototype.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of ``classes_``.
        """
        raw = self._scores(X)
        return self.classes_[raw.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of the scores.
        """
        return softmax(self._scores(X).astype(np.float64), axis=1)

    def _scores(self, X: Any) -> Array:
        check_is_fitted(self)
        z = from_numpy(self._features(X, reset=False)).unsqueeze(0)
        means = from_numpy(self.prototypes_).to(z.dtype).unsqueeze(0)
        distance = self._meta()._recipe.options["distance"]
        raw = prototype_scores(z, means, distance)[0].numpy()
        unseen = np.isnan(self.prototypes_).any(axis=1)
        raw[:, unseen] = 0.0
        return np.where(unseen, -np.inf, require_finite_outputs(raw))

    def _meta(self) -> Any:
        meta = getattr(self.prior, "estimator", self.prior)
        check_is_fitted(meta)
        if not isinstance(meta, ProtoNetClassifier):
            raise TypeError(
                "prior must be a fitted ProtoNetClassifier, plain or in a "
                f"FrozenEstimator, got {meta!r:.80}."
            )
        return meta

    def _features(self, X: Any, *, reset: bool) -> Array:
        meta = self._meta()
        shape = tuple(meta._recipe.input_shape)
        X = meta._without_task(X)
        require_shape(self, X, shape)
        values = read_array(self, X, reset=reset)
        if values.shape[1:] != shape:
            raise TaskError(
                f"X has samples of shape {values.shape[1:]}, but the prior was trained "
                f"on samples of shape {shape}."
            )
        return meta._outputs(TaskRows(values, None), "embed")


def class_means(z: Array, codes: Array, n_classes: int) -> Array:
    """Return the mean row (n_classes, D) of each class, NaN for one without rows."""
    sums = np.zeros((n_classes, z.shape[1]), dtype=z.dtype)
    np.add.at(sums, codes, z)
    counts = np.bincount(codes, minlength=n_classes)[:, None].astype(z.dtype)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(z.dtype)


@with_episode_parameters(n_shot="5", meta_batch_size="1", max_grad_norm="10.0")
@with_training_parameters(**PACE)
class ProtoNetClassifier(EpisodicEstimator):
    r"""Learn features in which every class is near its mean: prototypical networks.

    A new class needs no training, only the mean :math:`c_k` of its features,

    .. math:: p(k \mid x) \propto \exp(-\lVert f(x) - c_k \rVert^2).

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetClassifier`.
    distance : {"euclidean", "cosine"}, default="euclidean"
        Squared Euclidean distance, or the cosine of the angle times ten.
    n_way : int, default=20
        Classes in a training episode. More than in the tasks to come is better (Snell
        et al., section 2.7); a set with fewer has them all in each episode.
    {episode_parameters}
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    prototypes_ : ndarray of shape (n_classes, n_features)
        Mean feature of each class of ``fit``. A class that the last ``partial_fit``
        had no row of keeps the one it had; NaN before the first, and the class is
        never predicted.
    {fitted}

    See Also
    --------
    MAMLClassifier : Adapts the features to a task as well.

    References
    ----------
    Snell, Swersky and Zemel, *Prototypical networks for few-shot learning*, NeurIPS
    2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mlmi_sklearn import ProtoNetClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> old, new = y < 7, y >= 7
    >>> meta = ProtoNetClassifier(max_epochs=2, random_state=0).fit(X[old], y[old])
    >>> model = meta.adapt(X[new][:15], y[new][:15])
    >>> model.classes_.tolist(), model.score(X[new], y[new]) > 0.8
    ([7, 8, 9], True)
    """

    kind = "classification"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **EPISODE_CONSTRAINTS,
        "distance": [StrOptions({"euclidean", "cosine"})],
        "n_way": [Interval(COUNT.type, 2, None, closed="left")],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        distance: str = "euclidean",
        n_way: int = 20,
        n_shot: int = 5,
        n_query: int = 15,
        meta_batch_size: int = 1,
        episodes: str = "auto",
        episodes_per_epoch: int = 1000,
        task: Any = None,
        task_chunk_size: Any = "auto",
        max_grad_norm: float | None = 10.0,
        loss: Any = "cross-entropy",
        optimizer: Any = "adam",
        lr: float = 3e-3,
        weight_decay: float = 0.0,
        lr_schedule: Any = "cosine",
        max_epochs: Any = "auto",
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
        self.distance = distance
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.meta_batch_size = meta_batch_size
        self.episodes = episodes
        self.episodes_per_epoch = episodes_per_epoch
        self.task = task
        self.task_chunk_size = task_chunk_size
        self.max_grad_norm = max_grad_norm
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        return tags

    def _model_options(self) -> dict[str, Any]:
        return {"distance": self.distance}

    def _assemble(self, recipe: Recipe) -> nn.Module:
        backbone = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        scale = self._make_scale(recipe.input_shape)
        return PrototypeModel(backbone, recipe.options["distance"], scale)

    def _final_attributes(
        self, net: LeanNet, inputs: TaskRows, encoded: Encoded, plan: Plan
    ) -> dict[str, Any]:
        rows = self._rows(inputs, plan.dtype)
        size = self._rows_at_once(inputs, net.module_.eval())
        z = net.raw_outputs(TrainingData(rows, Targets(None)), size, "embed").numpy()
        classes = encoded.attributes["classes_"]
        means = class_means(z, encoded.y, len(classes))
        if hasattr(self, "prototypes_"):
            old = np.isin(self.classes_, classes[np.isnan(means).any(axis=1)])
            places = np.searchsorted(classes, self.classes_[old])
            means[places] = self.prototypes_[old]
        return {"prototypes_": means}

    @property
    def model_(self) -> PrototypeClassifier:
        """The model behind :meth:`predict`."""
        if not hasattr(self, "prototypes_"):
            raise AttributeError(f"{type(self).__name__} is not fitted yet.")
        model = PrototypeClassifier(self)
        model.classes_, model.prototypes_ = self.classes_, self.prototypes_
        model.n_features_in_ = self.n_features_in_
        return model

    @property
    def adapt_estimator(self) -> PrototypeClassifier:
        """What :meth:`adapt` fits: an unfitted estimator around this one, frozen."""
        return PrototypeClassifier(FrozenEstimator(self))
