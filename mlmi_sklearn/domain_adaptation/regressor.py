"""Domain-adversarial regression."""

from __future__ import annotations

from typing import Any, ClassVar

from ..base import Recipe, RegressorOutputs, with_training_parameters
from ..base.targets import Encoded
from .base import DomainEstimator
from .constraints import DOMAIN_CONSTRAINTS
from .docs import PACE, with_domain_parameters
from .targets import DomainTargets

__all__ = ["DANNRegressor"]


@with_domain_parameters(marker="NaN")
@with_training_parameters(**PACE, classifier=False)
class DANNRegressor(DomainTargets, RegressorOutputs, DomainEstimator):  # type: ignore[misc]  # a score by domains
    r"""Predict numbers in a domain without targets, from those of another.

    As :class:`DANNClassifier`: features that predict the targets of the source, and in
    which source and target domain cannot be told apart.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        What turns a sample into features: ``"mlp"`` with batch normalisation for
        vectors, ``"conv"`` for images, ``"conv3d"`` for volumes. Parameters are
        reached as ``backbone__hidden`` and so on.
    divergence : str, spec or callable, default="dann"
        What is made small between features of source and target: ``"dann"``,
        ``"cdan"``, ``"mmd"``, ``"coral"``, ``"wasserstein"``, ``"mdd"`` or another
        name in ``list_components("divergence")``. Parameters are reached as
        ``divergence__*``.
    lambda_ : float, default=0.3
        Weight of the divergence against the loss of labels. 0 trains on the source
        alone. Too much costs more than too little: see the user guide on choosing it
        without target labels.
    lambda_schedule : {"ganin", "constant"} or callable, default="ganin"
        Factor on ``lambda_`` against the share p of training done:
        :math:`2 / (1 + e^{-\gamma p}) - 1`, or 1, or what the callable returns.
    gamma : float, default=10.0
        Steepness of the schedule of Ganin et al., above 0.
    discriminator : tuple of int, default=(100,)
        Hidden units of the critic, for divergences that have one; ``()`` is linear.
    discriminator_rate : {"full", "lambda"}, default="full"
        Whether the critic learns at the rate of the rest, or lambda times it, as in
        the algorithm for shallow nets of Ganin et al.
    {domain_parameters}
    loss : str, spec or callable, default="mse"
        A registered regression loss. Parameters are reached as ``loss__*``.
    {training_parameters}

    Attributes
    ----------
    y_mean_, y_scale_ : float or ndarray of shape (n_outputs,)
        Mean and standard deviation of the training targets.
    class_shares_ : None
        There are no classes to estimate the shares of.
    {fitted}

    See Also
    --------
    DANNClassifier : The same for classes.

    References
    ----------
    Ganin et al., *Domain-adversarial training of neural networks*, JMLR 17, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import DANNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = X[:, 0]
    >>> Z = X + [0.0, 4.0]  # another scanner: the second feature is off
    >>> unknown = np.full(300, np.nan)
    >>> model = DANNRegressor(random_state=0)
    >>> model = model.fit(np.vstack([X, Z]), np.concatenate([y, unknown]))
    >>> model.score(Z, y) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        k: v for k, v in DOMAIN_CONSTRAINTS.items() if k != "entropy"
    }
    _minus_one_marks: ClassVar[bool] = False

    def __init__(
        self,
        backbone: Any = "auto",
        divergence: Any = "dann",
        lambda_: float = 0.3,
        lambda_schedule: Any = "ganin",
        gamma: float = 10.0,
        discriminator: Any = (100,),
        discriminator_rate: str = "full",
        domain_norm: str = "separate",
        target_labels: str = "ignore",
        *,
        target_domains: Any = None,
        hidden_layer_sizes: Any = None,
        diagnostics: bool = True,
        loss: Any = "mse",
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
        self.divergence = divergence
        self.lambda_ = lambda_
        self.lambda_schedule = lambda_schedule
        self.gamma = gamma
        self.discriminator = discriminator
        self.discriminator_rate = discriminator_rate
        self.domain_norm = domain_norm
        self.target_labels = target_labels
        self.target_domains = target_domains
        self.hidden_layer_sizes = hidden_layer_sizes
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

    # Of predictions on the target; numbers have none.
    entropy: ClassVar[float] = 0.0

    def fit(
        self,
        X: Any,
        y: Any,
        sample_domain: Any = None,
        sample_weight: Any = None,
        *,
        X_target: Any = None,
        y_target: Any = None,
    ) -> DANNRegressor:
        """Train on labelled rows of sources and rows of targets.

        Parameters
        ----------
        {passing}
        X_target, y_target : array-like, default=None
            Rows of the target, and what is known of their targets, where they are not
            in ``X``. For notebooks: a ``Pipeline`` before this estimator does not
            transform them unless it has ``transform_input=["X_target"]``, metadata
            routing is on, and ``set_fit_request(X_target=True)`` was called.

        Returns
        -------
        DANNRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.

        Warns
        -----
        DomainWarning
            If there is no target though one was meant, or what was measured after
            training speaks against the result; the message has advice.
        """
        return self._fit_domains(
            (X, y),
            sample_domain,
            sample_weight,
            (X_target, y_target),
            resume=self.warm_start,
        )

    def partial_fit(
        self, X: Any, y: Any, sample_domain: Any = None, sample_weight: Any = None
    ) -> DANNRegressor:
        """Train for one more epoch on the given rows.

        Parameters
        ----------
        X : array-like
            As in :meth:`fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            As in :meth:`fit`. The first call fixes ``y_mean_`` and ``y_scale_``.
        sample_domain : array-like of shape (n_samples,), scalar, default=None
            As in :meth:`fit`. The first call fixes how many domains there are.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        DANNRegressor
            The estimator itself.
        """
        return self._fit_domains(
            (X, y), sample_domain, sample_weight, resume=True, epochs=1
        )

    # -- stages of the template --------------------------------------------------------

    def _n_classes(self, recipe: Recipe) -> None:
        return None

    def _probabilities_of(self, net: Any, encoded: Encoded) -> None:
        return None
