"""Semi-supervised domain adaptation by minimax entropy."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval
from torch import nn

from ..base import Recipe, with_training_parameters
from ..nn.heads import CosineHead
from .classifier import CLASSIFIER_CONSTRAINTS, DomainClassifier
from .docs import PACE, with_domain_parameters
from .objective import MinimaxEntropy

__all__ = ["MMEClassifier"]

Array = NDArray[Any]

_ABSENT = {"divergence", "lambda_", "discriminator", "discriminator_rate", "entropy"}
_ABSENT |= {"partial", "label_shift", "selection"}


@with_domain_parameters(target_labels="use")
@with_training_parameters(**PACE)
class MMEClassifier(DomainClassifier):
    r"""Classify in a domain with a few labels, from many labels of another: MME.

    Features of length one are compared with a prototype of each class, the columns of
    W: :math:`p = \mathrm{softmax}(W^\top f / (T \lVert f \rVert))`. On rows of the
    target without a label the head raises the entropy of p, which moves prototypes
    towards the target, and the backbone lowers it, which gathers features around them,

    .. math::

        \hat\theta_f = \arg\min_{\theta_f} L + \lambda H, \qquad
        \hat\theta_y = \arg\min_{\theta_y} L - \lambda H,

    by one descent with a reversed gradient (Saito et al. 2019, equation 5).

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        What turns a sample into features: ``"mlp"`` with batch normalisation for
        vectors, ``"conv"`` for images, ``"conv3d"`` for volumes. Parameters are
        reached as ``backbone__hidden`` and so on.
    temperature : float, default=0.05
        T, above 0.
    entropy_weight : float, default=0.1
        Lambda, at least 0; 0 trains on the labels of both domains alone.
    lambda_schedule : {"ganin", "constant"} or callable, default="constant"
        Factor on ``entropy_weight`` against the share of training done; see
        :class:`DANNClassifier`.
    gamma : float, default=10.0
        Steepness of the schedule of Ganin et al., above 0.
    reject_threshold : float in [0, 1] or None, default=None
        Open set: rows of which no class reaches this probability are predicted as
        ``unknown_label``.
    unknown_label : object, default="auto"
        Label of rejected rows; ``"auto"`` is -1 for numbers, ``"unknown"`` for
        strings.
    {domain_parameters}
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss. Parameters are reached as ``loss__*``.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes of labelled rows.
    prototypes_ : ndarray of shape (n_out, n_classes)
        Estimated prototypes: the columns of W.
    class_shares_ : ndarray of shape (n_classes,) or None
        Estimated shares of the classes in the target.
    {fitted}

    See Also
    --------
    DANNClassifier : Without labels of the target.

    References
    ----------
    Saito et al., *Semi-supervised domain adaptation via minimax entropy*, ICCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import MMEClassifier
    >>> from mlmi_sklearn.datasets import make_shifted_digits
    >>> X, truth, sample_domain = make_shifted_digits("roll", random_state=0)
    >>> y = np.where(sample_domain < 0, -1, truth)
    >>> for digit in range(10):  # three labels a class
    ...     shown = np.flatnonzero((sample_domain < 0) & (truth == digit))[:3]
    ...     y[shown] = digit
    >>> model = MMEClassifier(random_state=0).fit(X, y, sample_domain)
    >>> model.score(X, truth, sample_domain) > 0.8
    True
    >>> model.prototypes_.shape
    (64, 10)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{k: v for k, v in CLASSIFIER_CONSTRAINTS.items() if k not in _ABSENT},
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
    }
    _components: ClassVar[dict[str, str]] = {"backbone": "backbone", "loss": "loss"}
    _streams_labelled: ClassVar[bool] = False

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        temperature: float = 0.05,
        entropy_weight: float = 0.1,
        lambda_schedule: Any = "constant",
        gamma: float = 10.0,
        domain_norm: str = "separate",
        target_labels: str = "use",
        target_domains: Any = None,
        hidden_layer_sizes: Any = None,
        reject_threshold: float | None = None,
        unknown_label: Any = "auto",
        diagnostics: bool = True,
        loss: Any = "cross-entropy",
        optimizer: Any = "sgd",
        lr: Any = "auto",
        momentum: float = 0.9,
        max_grad_norm: float | None = 1.0,
        weight_decay: float = 1e-4,
        lr_schedule: Any = "ganin",
        max_epochs: Any = "auto",
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
        self.temperature = temperature
        self.entropy_weight = entropy_weight
        self.lambda_schedule = lambda_schedule
        self.gamma = gamma
        self.domain_norm = domain_norm
        self.target_labels = target_labels
        self.target_domains = target_domains
        self.hidden_layer_sizes = hidden_layer_sizes
        self.reject_threshold = reject_threshold
        self.unknown_label = unknown_label
        self.diagnostics = diagnostics
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.max_grad_norm = max_grad_norm
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

    @property
    def prototypes_(self) -> Array:
        """Estimated prototypes of the classes."""
        if not hasattr(self, "net_"):
            raise AttributeError(
                f"{type(self).__name__} has prototypes_ only once it is fitted."
            )
        return self.net_.module_.head.prototypes.cpu().numpy()

    # -- stages of the template --------------------------------------------------------

    def _make_head(self, width: int, n_outputs: int) -> nn.Module:
        return CosineHead(width, n_outputs, self.temperature)

    def _make_divergence(self, width: int, recipe: Recipe) -> nn.Module:
        return nn.Identity()  # the entropy of the head takes its place

    def _discriminator_sizes(self) -> tuple[int, ...]:
        return ()

    def _objective(self) -> MinimaxEntropy:
        return MinimaxEntropy(self.entropy_weight, self.lambda_schedule, self.gamma)
