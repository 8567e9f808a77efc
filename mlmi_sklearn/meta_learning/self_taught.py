"""Self-taught learning: features from data without labels."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array, check_is_fitted
from torch import nn

from ..base import (
    TRAINING_CONSTRAINTS,
    TorchEstimator,
    build_backbone,
    with_training_parameters,
)
from ..base.host import on_host
from ..base.inputs import as_tensor
from ..base.parts import Recipe
from ..base.targets import Encoded, require_task
from ..training.data import Targets, TensorRows, TrainingData
from ..training.net import LeanNet
from .self_taught_module import Autoencoder
from .self_taught_net import AutoencoderNet

__all__ = ["SelfTaughtTransformer"]

Array = NDArray[Any]


@with_training_parameters(
    lr="1e-3", weight_decay="1e-4", max_epochs="100", classifier=False
)
class SelfTaughtTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchEstimator
):
    r"""Learn features from samples without labels, for a task that has few.

    The samples need not be of the classes, nor from the place, of the task: that is
    what sets self-taught learning apart from semi-supervised learning. Features are
    the code of an autoencoder, trained to bring back its standardised input x from an
    input :math:`\tilde x` of which a share is masked:

    .. math:: \min \frac1n \sum_i l(D(E(\tilde x_i)), x_i)
        + \frac{\lambda}{k} \lVert E(\tilde x_i) \rVert_1,

    where :math:`\lambda` is ``sparsity`` and k is ``code_size``.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        First part of the encoder E, as in :class:`~mlmi_sklearn.NetClassifier`.
    code_size : int, default=64
        Features.
    denoising : float, default=0.1
        Share of the input that is set to its mean in training, in [0, 1) (Vincent et
        al. 2008).
    sparsity : float, default=0.0
        Weight of the absolute values of the code, at least 0 (the penalty of Raina et
        al. 2007).
    loss : str, spec or callable, default="mse"
        A registered regression loss, in units of standard deviations.
    {training_parameters}

    Attributes
    ----------
    mean_, deviation_ : ndarray
        By which inputs are standardised: one number a feature for vectors, one a
        channel for images and volumes.
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` has ``scale``, ``backbone``, ``code`` and
        ``decoder``.
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
    link_, device_ : str
        What outputs are, the identity, and where the net is.

    See Also
    --------
    FineTuneClassifier : Takes the whole backbone with ``pretrained=``.

    Notes
    -----
    In a ``Pipeline`` for the task, put the fitted transformer into a
    :class:`sklearn.frozen.FrozenEstimator`; the pipeline would else train it again on
    the few rows of the task.

    References
    ----------
    Raina, Battle, Lee, Packer and Ng, *Self-taught learning: transfer learning from
    unlabeled data*, ICML 2007. Vincent, Larochelle, Bengio and Manzagol, *Extracting
    and composing robust features with denoising autoencoders*, ICML 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from mlmi_sklearn.meta_learning.self_taught import SelfTaughtTransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> taught = SelfTaughtTransformer(random_state=0).fit(X[y < 5])
    >>> model = make_pipeline(FrozenEstimator(taught), LogisticRegression())
    >>> rows = (y >= 5).nonzero()[0]
    >>> model.fit(X[rows[:50]], y[rows[:50]]).score(X[rows[50:]], y[rows[50:]]) > 0.7
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TRAINING_CONSTRAINTS,
        "code_size": [Interval(Integral, 1, None, closed="left")],
        "denoising": [Interval(Real, 0, 1, closed="left")],
        "sparsity": [Interval(Real, 0, None, closed="left")],
    }
    _net_class: ClassVar[type[LeanNet]] = AutoencoderNet

    def __init__(
        self,
        backbone: Any = "auto",
        code_size: int = 64,
        denoising: float = 0.1,
        sparsity: float = 0.0,
        *,
        loss: Any = "mse",
        optimizer: Any = "adamw",
        lr: float = 1e-3,
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
        self.code_size = code_size
        self.denoising = denoising
        self.sparsity = sparsity
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

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
            Samples without labels.
        y : object, default=None
            Not read; there so that the transformer fits into a ``Pipeline``.

        Returns
        -------
        SelfTaughtTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.
        """
        return self._fit(X, None, None, resume=self.warm_start)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one more epoch on the given samples.

        Parameters
        ----------
        X : array-like
            As in :meth:`fit`. The first call fixes how inputs are standardised.
        y : object, default=None
            Not read.

        Returns
        -------
        SelfTaughtTransformer
            The transformer itself.
        """
        return self._fit(X, None, None, resume=True, epochs=1)

    def transform(self, X: Any) -> Array:
        """Compute features.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as in :meth:`fit`; those of the task.

        Returns
        -------
        ndarray of shape (n_samples, code_size)
            Codes.
        """
        check_is_fitted(self)
        return self._outputs(self._read_inputs(X, reset=False), "embed")

    def inverse_transform(self, X: Any) -> Array:
        """Decode features.

        Parameters
        ----------
        X : array-like of shape (n_samples, code_size)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            Samples in the unit and of the shape of those in :meth:`fit`.

        Raises
        ------
        ValueError
            If codes have another width.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=[np.float32, np.float64], estimator=self)
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} features, but the codes of "
                f"{type(self).__name__} have {self._n_features_out}."
            )
        rows = TensorRows(as_tensor(codes, getattr(torch, self._recipe.dtype)))
        like = np.broadcast_to(codes[0, 0], (len(codes), *self._recipe.input_shape))
        size = self._rows_per_prediction(like)
        data = TrainingData(rows, Targets(None))
        return self.net_.raw_outputs(data, size, "decode").numpy()

    def reconstruction_error(self, X: Any) -> Array:
        """Compute how badly each sample comes back.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Mean squared error in units of the variance of the training data: about 1
            for a code that says nothing.
        """
        check_is_fitted(self)
        return self._outputs(self._read_inputs(X, reset=False), "errors")[:, 0]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return how well samples come back; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as in :meth:`fit`.
        y : object, default=None
            Not read.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; a Pipeline passes them on.

        Returns
        -------
        float
            1 minus the mean of :meth:`reconstruction_error`: at most 1.
        """
        errors = self.reconstruction_error(X)
        return 1.0 - float(np.average(errors, weights=on_host(sample_weight)))

    @property
    def _n_features_out(self) -> int:
        return int(self._recipe.options["code_size"])

    # -- stages of the template -----------------------------------------------------

    def _read(
        self, X: Any, y: Any, sample_weight: Any, resume: bool
    ) -> tuple[Any, Array, Array | None]:
        inputs = self._read_inputs(X, reset=not resume)
        return inputs, inputs, None

    def _encode(self, y: Array, weight: Array | None) -> Encoded:
        """Measure mean and deviation; ``y`` holds the inputs."""
        axes = (0,) if y.ndim == 2 else (0, *range(2 if y.ndim > 3 else 1, y.ndim))
        mean = y.mean(axis=axes, dtype=np.float64)
        deviation = y.std(axis=axes, dtype=np.float64)
        # What is constant has a deviation of rounding errors only.
        negligible = deviation <= len(y) * np.finfo(np.float64).eps * np.abs(mean)
        deviation = np.where(negligible, 1.0, deviation)
        return self._as_encoded(y, {"mean_": mean, "deviation_": deviation})

    def _encode_again(self, y: Array, weight: Array | None) -> Encoded:
        return self._as_encoded(y, {"mean_": self.mean_, "deviation_": self.deviation_})

    @staticmethod
    def _as_encoded(y: Array, attributes: dict[str, Any]) -> Encoded:
        # A place-holder: the target of a row is the row.
        return Encoded(np.zeros((len(y), 1)), 1, None, None, attributes)

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        return {"code_size": int(self.code_size), "denoising": float(self.denoising)}

    def _net_options(self) -> dict[str, Any]:
        return {"sparsity": self.sparsity}

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        require_task(self.loss, "regression")
        if getattr(criterion, "outputs_per_target", 1) != 1 or hasattr(criterion, "q"):
            raise ValueError(
                f"loss={self.loss!r} is not for an autoencoder. Use 'mse' or 'huber'."
            )
        return "identity"

    def _assemble(self, recipe: Recipe) -> nn.Module:
        backbone = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        options = recipe.options
        return Autoencoder(
            backbone, recipe.input_shape, options["code_size"], options["denoising"]
        )

    def _calibrate(self, module: Any, inputs: Any, encoded: Encoded) -> None:
        for name in ("mean", "deviation"):
            buffer = getattr(module.scale, name)
            values = np.asarray(encoded.attributes[f"{name}_"])
            buffer.copy_(as_tensor(values, buffer.dtype).reshape(buffer.shape))

    def _epoch_scorer(self, data: TrainingData) -> Any:
        """Return net -> score of :meth:`score`, on a set in training."""

        def score(net: LeanNet) -> float:
            errors = net.raw_outputs(data, net.batch_size, "errors")
            return 1.0 - float(errors.mean())

        return score
