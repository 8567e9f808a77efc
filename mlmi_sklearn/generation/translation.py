"""Images made of other images: paired, or from examples of how they should look."""

from __future__ import annotations

from numbers import Integral
from os import PathLike
from typing import Any, ClassVar, Self

from sklearn.utils._param_validation import Interval, StrOptions

from .constraints import GAN_CONSTRAINTS
from .translation_apply import Translating
from .translation_inputs import PassedPairs

__all__ = ["ImageTranslator"]

_SHARED = (
    *("generator", "discriminator", "loss", "ema", "augment", "max_iter"),
    *("batch_size", "optimizer", "lr", "lr_discriminator", "betas", "weight_decay"),
    *("lr_schedule", "warm_start", "callbacks", "device", "dtype", "precision"),
    *("checkpoint_every", "random_state", "verbose"),
)
_NOT_NEGATIVE = GAN_CONSTRAINTS["r1"]
_SCORES = {"auto", "ssim", "l1", "r2", "frechet", "cycle"}


class ImageTranslator(Translating):
    r"""Learn to turn images of one kind into images of another.

    From pairs (x, y) it learns a function F that minimises

    .. math:: J_G(F(x), x) + \lambda_1 E |F(x) - y|,

    where the first term comes from a discriminator that tells (x, y) from (x, F(x)),
    patch by patch (Isola et al. 2017). Without pairs, two functions F and G, each with
    a discriminator, minimise

    .. math:: J_G(F(x)) + J_G(G(y)) + \lambda_c\, (E |G(F(x)) - x| + E |F(G(y)) - y|)
        + \lambda_c \lambda_i\, (E |F(y) - y| + E |G(x) - x|)

    (Zhu et al. 2017). Translation is a function: there is no chance in it, and an image
    becomes the same whatever else is translated with it. Images may have any size,
    number of channels and range of intensities; source and target need not agree in
    these. Rows of a table are translated in the same way, by a net without
    convolutions.

    Parameters
    ----------
    generator : str, spec, callable or nn.Module, default="auto"
        Registered generator; "auto" takes "unet" for images and volumes, "mlp" for
        rows.
    discriminator : str, spec, callable or nn.Module, default="auto"
        "patch", or a registered backbone that judges whole images; "auto" takes
        "patch" for images and volumes, "mlp" for rows.
    paired : bool or "auto", default="auto"
        Whether ``fit`` is given the target of each sample (``y``) or mere examples of
        targets (``X_target``). "auto" goes by what is passed: ``X_target``, or else
        ``y``, or else ``X`` itself as its own target.
    loss : str, spec or callable, default="lsgan"
        Registered pair of losses: "lsgan", "nonsaturating", "minimax", "hinge" or
        "wgan-gp".
    l1 : float, default=100.0
        :math:`\lambda_1`: distance to the truth, on a scale where images range from -1
        to 1 and columns of rows have a deviation of 1. Only for pairs.
    cycle : float, default=10.0
        :math:`\lambda_c`: distance between a sample and itself, there and back. Only
        without pairs.
    identity : float, default=0.5
        :math:`\lambda_i`: what happens to samples that already are as they should be,
        relative to ``cycle``. Only without pairs, where source and target have one
        shape.
    pool_size : int, default=50
        Past translations that each discriminator goes on seeing. Only without pairs.
    ema : float, default=0.99
        Decay of the running mean of the weights, which translates; 0 takes the last.
    augment : str, spec, callable, list of these or None, default=None
        Registered changes of the training samples, such as "flip" or "translation",
        the same for both images of a pair.
    preprocess : str or tuple of (low, high), default="auto"
        Intensities that become -1 and 1: "full" takes the smallest and largest,
        "robust" those beyond which 0.1 % of the pixels lie, "auto" one of the two.
        Rows are standardised, with "auto" only.
    scoring : {"auto", "ssim", "l1", "r2", "frechet", "cycle"}, default="auto"
        What ``score`` returns: similarity of structure, minus the mean absolute error,
        R2, minus the Frechet distance of looks, or minus the mean absolute change of X
        there and back. See :meth:`score`.
    max_iter : int, default=1000
        Steps, whatever the number of samples.
    batch_size : int, default=16
        Samples in a batch, at least 2.
    optimizer : str or callable, default="adam"
        As in :class:`~mlmi_sklearn.NetClassifier`; translators and discriminators
        have one each.
    lr : float, default=1e-3
        Learning rate of the translators, above 0.
    lr_discriminator : float or None, default=None
        That of the discriminators; None for the same.
    betas : tuple of two floats, default=(0.5, 0.99)
        Of Adam and its kin.
    weight_decay : float, default=0.0
        Decay of the weights per step, relative to ``lr``.
    lr_schedule : str or callable, default="cosine"
        As in :class:`~mlmi_sklearn.NetClassifier`.
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights of the last ``fit``.
    callbacks : list of skorch callbacks, default=None
        Copied before use; an epoch is a run of 100 steps.
    device : str, default="auto"
        ``"auto"`` (CUDA, then MPS, then CPU) or a PyTorch device string.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Type of weights; "auto" is float32, whatever the type of ``X``.
    precision : {"auto", "full", "bf16", "fp16"}, default="auto"
        Automatic mixed precision in training: "auto" is full precision on a CPU,
        bfloat16 on GPUs that compute it at full rate. Losses, penalties and what is
        drawn afterwards are in full precision.
    checkpoint : str or path-like, default=None
        Folder for the state of the training, from which ``fit`` on the same data with
        the same parameters goes on after its process has died.
    checkpoint_every : int, default=1
        Epochs from one checkpoint to the next.
    random_state : int, RandomState instance or None, default=None
        Seed of weights and batches. The same seed on the same machine gives identical
        results, whatever else uses global generators.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    generator_, ema_generator_, discriminator_ : nn.Module
        The net from X to its target after the last step, its running mean, which
        translates, and the discriminator of targets.
    n_iter_ : int
        Steps.
    history_ : DataFrame
        One row for 100 steps: losses of both players, and the mean distances "l1", or
        "cycle" and "identity", not weighted.
    net_ : skorch.NeuralNet
        The trained net.
    n_features_in_ : int
        Size of the first dimension of a sample.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    best_iter_ : int
        The step whose weights are kept.
    loss_curve_ : list of float
        Loss of the generator, one a row of ``history_``.
    link_ : str
        How raw outputs become predictions.
    device_ : str
        Where the net is.

    See Also
    --------
    CGANSampler : Draws images from chance and a condition.
    DANNClassifier : Adapts features, not images, to a domain without labels.

    Notes
    -----
    Without pairs, nothing but the cycle ties an image to its translation: a
    discriminator is content with any image that looks right. Look at translations
    before trusting a diagnosis to them, and remember that they show what training
    images would.

    References
    ----------
    Isola, Zhu, Zhou and Efros, *Image-to-image translation with conditional adversarial
    networks*, CVPR 2017, equation 4. Zhu, Park, Isola and Efros, *Unpaired
    image-to-image translation using cycle-consistent adversarial networks*, ICCV 2017,
    equation 3 and section 5.2 (identity).

    Examples
    --------
    A mirror image in negative, from pairs of 8-bit images.

    >>> import numpy as np
    >>> from mlmi_sklearn import ImageTranslator
    >>> rng = np.random.default_rng(0)
    >>> X = (rng.random((60, 8, 1)) * np.linspace(0, 255, 10)).astype(np.uint8)
    >>> translator = ImageTranslator(max_iter=100, random_state=0)
    >>> translator.fit(X[:50], 255 - X[:50]).transform(X[50:]).dtype
    dtype('uint8')
    >>> translator.score(X[50:], 255 - X[50:]) > translator.score(X[50:], X[50:])
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{name: GAN_CONSTRAINTS[name] for name in _SHARED},
        "paired": ["boolean", StrOptions({"auto"})],
        "l1": _NOT_NEGATIVE,
        "cycle": _NOT_NEGATIVE,
        "identity": _NOT_NEGATIVE,
        "pool_size": [Interval(Integral, 0, None, closed="left")],
        "preprocess": [StrOptions({"auto", "full", "robust"}), tuple, list],
        "scoring": [StrOptions(_SCORES)],
        "checkpoint": [str, PathLike, None],
    }
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"X_target": True}
    __metadata_request__partial_fit: ClassVar[dict[str, Any]] = {"X_target": True}

    def __init__(
        self,
        generator: Any = "auto",
        discriminator: Any = "auto",
        *,
        paired: Any = "auto",
        loss: Any = "lsgan",
        l1: float = 100.0,
        cycle: float = 10.0,
        identity: float = 0.5,
        pool_size: int = 50,
        ema: float = 0.99,
        augment: Any = None,
        preprocess: Any = "auto",
        scoring: str = "auto",
        max_iter: int = 1000,
        batch_size: int = 16,
        optimizer: Any = "adam",
        lr: float = 1e-3,
        lr_discriminator: float | None = None,
        betas: Any = (0.5, 0.99),
        weight_decay: float = 0.0,
        lr_schedule: Any = "cosine",
        warm_start: bool = False,
        callbacks: Any = None,
        device: str = "auto",
        dtype: str = "auto",
        precision: str = "auto",
        checkpoint: Any = None,
        checkpoint_every: int = 1,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.paired = paired
        self.loss = loss
        self.l1 = l1
        self.cycle = cycle
        self.identity = identity
        self.pool_size = pool_size
        self.ema = ema
        self.augment = augment
        self.preprocess = preprocess
        self.scoring = scoring
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.lr_discriminator = lr_discriminator
        self.betas = betas
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.precision = precision
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, *, X_target: Any = None) -> Self:
        """Train the translator.

        Parameters
        ----------
        X : array-like of shape (n_samples, [channels,] H, W), \
(n_samples, channels, D, H, W) or (n_samples, n_features)
            Images, volumes or rows to translate.
        y : array-like of shape (n_samples, ...) or (n_samples,), default=None
            What each of them is to become. Ignored, so that it may be labels in a
            Pipeline, if ``X_target`` is given.
        X_target : array-like of shape (n_target, ...), default=None
            Examples of targets, which belong to no sample in particular.

        Returns
        -------
        ImageTranslator
            The fitted translator.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If a loss became NaN or infinite.
        """
        self._validate_params()
        passed = PassedPairs(X, y, X_target)
        return self._fit(passed, None, None, resume=self.warm_start)

    def partial_fit(self, X: Any, y: Any = None, *, X_target: Any = None) -> Self:
        """Train for one more pass over the given samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, [channels,] ...)
            As in :meth:`fit`. The first call fixes shapes and ranges of intensities.
        y : array-like of shape (n_samples, [channels,] ...), default=None
            As in :meth:`fit`, for pairs.
        X_target : array-like of shape (n_target, [channels,] ...), default=None
            As in :meth:`fit`, without pairs.

        Returns
        -------
        ImageTranslator
            The translator itself.
        """
        self._validate_params()
        passed = PassedPairs(X, y, X_target)
        return self._fit(passed, None, None, resume=True, epochs=1)
