"""A conditional generative adversarial net as a sampler of scikit-learn's kind."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from .base import GenerativeEstimator
from .constraints import GAN_CONSTRAINTS
from .docs import with_gan_parameters
from .inputs import Passed
from .judging import Judging
from .resampling import Resampling, samples_to_add
from .tags import SamplerTags

__all__ = ["CGANSampler"]


@with_gan_parameters
class CGANSampler(SamplerTags, Resampling, Judging, GenerativeEstimator):
    r"""Learn to draw samples like those of a data set, for given conditions.

    A generator :math:`G(z, y)` makes samples of random numbers z and a condition y; a
    discriminator :math:`D(x, y)` learns to tell them from real ones. By default they
    minimise

    .. math::
        J_D = -\tfrac12 E \log D(x, y) - \tfrac12 E \log(1 - D(G(z, y), y)),
        \quad J_G = -\tfrac12 E \log D(G(z, y), y),

    with a penalty on the slope of D at real samples (R1) and a running mean of the
    generator, which make training stable. Tables, images and volumes come back in the
    units, types, columns and grids of values in which they were given.

    Parameters
    ----------
    generator : str, spec, callable or nn.Module, default="auto"
        Registered generator ("mlp", "conv", "unet"); "auto" takes "mlp" for tables,
        "conv" for images and volumes. ``generator__*`` reaches its parameters.
    discriminator : str, spec, callable or nn.Module, default="auto"
        Registered backbone; "auto" takes two layers of 256 units for tables,
        "strided-conv" for images and volumes. ``discriminator__*`` as above.
    condition : {{"auto", "class", "continuous", "none"}}, default="auto"
        What ``y`` is. "auto" decides column by column: strings, Booleans, integers and
        a few whole numbers are classes, anything else is a quantity.
    conditioning : {{"concat", "projection"}}, default="concat"
        How D sees ``y``: beside x, or projected onto its features, which suits many
        classes (Miyato and Koyama 2018).
    loss : str, spec or callable, default="nonsaturating"
        Registered pair of losses: "nonsaturating", "minimax", "lsgan", "hinge",
        "wgan-gp" or "acgan".
    {gan_parameters}

    Attributes
    ----------
    generator_, ema_generator_, discriminator_ : nn.Module
        The generator after the last step, the running mean that draws samples, and the
        discriminator.
    classes_ : ndarray of shape (n_classes,)
        Only where ``y`` is one column of classes.
    n_iter_ : int
        Steps of the generator.
    best_iter_ : int
        The step whose weights are kept.
    history_ : DataFrame
        One row for 100 steps: losses of both players and, with ``early_stopping``, the
        score of samples (``valid_score``) where it was computed.
    sampling_strategy_ : dict
        Class to number of samples that ``fit_resample`` adds.
    net_ : skorch.NeuralNet
        The trained net.
    n_features_in_ : int
        Size of the first dimension of a sample.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    loss_curve_ : list of float
        Loss of the generator, one a row of ``history_``.
    link_ : str
        How raw outputs become predictions.
    device_ : str
        Where the net is.

    See Also
    --------
    AugmentedClassifier : Trains any classifier on real and synthetic rows.
    ImageTranslator : Makes an image of another.

    Notes
    -----
    Synthetic samples are not anonymous: see
    :func:`~mlmi_sklearn.metrics.memorisation_report`. For rare classes, compare with
    ``class_weight="balanced"`` first: parity is what to expect.

    References
    ----------
    Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014. Mirza and Osindero,
    *Conditional generative adversarial nets*, 2014. Hu et al., *Freehand ultrasound
    image simulation with spatially-conditioned generative adversarial networks*,
    MICCAI RAMBO 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from mlmi_sklearn import CGANSampler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    >>> sampler = CGANSampler(max_iter=300, random_state=0).fit(X, y)
    >>> samples, labels = sampler.sample(100, y=1)
    >>> samples.shape, set(labels.tolist())
    ((100, 30), {{1}})
    >>> bool(sampler.score(X_test, y_test) > 0.8)  # trained on samples, tested on real
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = GAN_CONSTRAINTS
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"condition": True}
    __metadata_request__partial_fit: ClassVar[dict[str, Any]] = {"condition": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"condition": True}
    __metadata_request__fit_resample: ClassVar[dict[str, Any]] = {"condition": True}

    def __init__(
        self,
        generator: Any = "auto",
        discriminator: Any = "auto",
        *,
        condition: str = "auto",
        conditioning: str = "concat",
        loss: Any = "nonsaturating",
        r1: float = 0.1,
        spectral_norm: bool = False,
        gradient_penalty: float = 0.0,
        diversity: float = 0.0,
        minibatch_std: Any = "auto",
        ema: float = 0.999,
        augment: Any = None,
        latent_dim: int = 32,
        max_iter: int = 3000,
        batch_size: int = 128,
        n_critic: int = 1,
        optimizer: Any = "adam",
        lr: float = 1e-3,
        lr_discriminator: float | None = None,
        betas: Any = (0.5, 0.99),
        weight_decay: float = 0.0,
        lr_schedule: Any = "constant",
        balanced_batches: Any = "auto",
        preprocess: Any = "auto",
        categorical_features: Any = "from_dtype",
        sampling_strategy: Any = "auto",
        scoring: Any = "tstr",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        checkpoint: str = "best",
        warm_start: bool = False,
        callbacks: Any = None,
        device: str = "auto",
        dtype: str = "auto",
        precision: str = "auto",
        checkpoint_every: int = 1,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.condition = condition
        self.conditioning = conditioning
        self.loss = loss
        self.r1 = r1
        self.spectral_norm = spectral_norm
        self.gradient_penalty = gradient_penalty
        self.diversity = diversity
        self.minibatch_std = minibatch_std
        self.ema = ema
        self.augment = augment
        self.latent_dim = latent_dim
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.n_critic = n_critic
        self.optimizer = optimizer
        self.lr = lr
        self.lr_discriminator = lr_discriminator
        self.betas = betas
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.balanced_batches = balanced_batches
        self.preprocess = preprocess
        self.categorical_features = categorical_features
        self.sampling_strategy = sampling_strategy
        self.scoring = scoring
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.precision = precision
        self.checkpoint_every = checkpoint_every
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, *, condition: Any = None) -> Self:
        """Train the generator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features), \
(n_samples, [channels,] H, W) or (n_samples, channels, D, H, W)
            A table of numbers, categories and missing values, or images or volumes of
            any size and range of intensities.
        y : array-like of shape (n_samples,) or (n_samples, k), default=None
            Conditions: classes, quantities, or a table of both.
        condition : array-like of shape (n_samples, k) or (n_samples, channels, ...), \
default=None
            Further conditions: a row of numbers for each sample, or a map beside each
            image, such as the coordinates of its pixels (Hu et al. 2017).

        Returns
        -------
        CGANSampler
            The fitted sampler.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If a loss became NaN or infinite.
        """
        self._validate_params()
        return self._fit(Passed(X, y, condition), None, None, resume=self.warm_start)

    def partial_fit(
        self, X: Any, y: Any = None, *, condition: Any = None, classes: Any = None
    ) -> Self:
        """Train for one more pass over the given samples.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            As in :meth:`fit`. The first call fixes columns, scales and classes.
        y : array-like of shape (n_samples,) or (n_samples, k), default=None
            As in :meth:`fit`.
        condition : array-like of shape (n_samples, ...), default=None
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur, if the first ``y`` does not hold them.

        Returns
        -------
        CGANSampler
            The sampler itself.
        """
        self._validate_params()
        passed = Passed(X, y, condition, classes)
        return self._fit(passed, None, None, resume=True, epochs=1)

    def _read(self, X: Any, y: Any, sample_weight: Any, resume: bool) -> Any:
        inputs, *rest = super()._read(X, y, sample_weight, resume)
        if inputs.labels is not None:
            known = inputs.original[1]
            inputs.attributes["sampling_strategy_"] = _additions(self, known)
        return inputs, *rest


def _additions(estimator: CGANSampler, y: Any) -> dict[Any, int] | None:
    """Return what resampling would add; None where its strategy is not for these y."""
    try:
        return samples_to_add(estimator.sampling_strategy, np.asarray(y))
    except ValueError:
        return None
