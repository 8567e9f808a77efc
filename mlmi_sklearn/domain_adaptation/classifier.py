"""Domain-adversarial classification."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..base import CLASS_WEIGHT, ClassifierOutputs, with_training_parameters
from ..base.pieces import in_pieces
from ..base.targets import Encoded
from .base import DomainEstimator
from .constraints import DOMAIN_CONSTRAINTS
from .docs import PACE, with_domain_parameters
from .inputs import require_classes
from .label_shift import LabelShift
from .open_set import require_unknown_label, unknown_label_for
from .targets import DomainTargets
from .transfer import TransferCheck

__all__ = ["CLASSIFIER_CONSTRAINTS", "DANNClassifier", "DomainClassifier"]

Array = NDArray[Any]

CLASSIFIER_CONSTRAINTS: dict[str, Any] = {
    **DOMAIN_CONSTRAINTS,
    "class_weight": CLASS_WEIGHT,
    "partial": ["boolean"],
    "reject_threshold": [Interval(Real, 0, 1, closed="both"), None],
    "unknown_label": "no_validation",
    "label_shift": [StrOptions({"em", "bbse"}), None],
    "selection": [StrOptions({"check", "safe"}), None],
}


@with_domain_parameters()
class DomainClassifier(DomainTargets, ClassifierOutputs, DomainEstimator):  # type: ignore[misc]  # a score by domains
    """What the classifiers for several domains share."""

    _parameter_constraints: ClassVar[dict[str, Any]] = CLASSIFIER_CONSTRAINTS

    def fit(
        self,
        X: Any,
        y: Any,
        sample_domain: Any = None,
        sample_weight: Any = None,
        *,
        X_target: Any = None,
        y_target: Any = None,
    ) -> Self:
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
        estimator
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
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_domain: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train for one more epoch on the given rows.

        Parameters
        ----------
        X : array-like
            As in :meth:`fit`.
        y : array-like of shape (n_samples,)
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Needed in the first call only, and only
            if its labelled rows do not hold them all.
        sample_domain : array-like of shape (n_samples,), scalar, default=None
            As in :meth:`fit`. The first call fixes how many domains there are.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        estimator
            The estimator itself.
        """
        self._validate_params()
        require_classes(classes, y)
        stacked = self._stack((X, y), sample_domain, (None, None))
        return self._partial_fit(*stacked, classes, sample_weight)

    def predict(self, X: Any) -> Array:
        """Predict classes.

        Parameters
        ----------
        X : array-like
            Samples of any domain, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of ``classes_``, or ``unknown_label`` where no class has a
            probability of at least ``reject_threshold``.
        """
        check_is_fitted(self)
        return in_pieces(self._predict, X, len(self.classes_))

    def _predict(self, X: Any) -> Array:
        raw = self._raw(X)
        multi = self._multi_label
        decided = self._decide(raw[:, 0] if raw.shape[1] == 1 and not multi else raw)
        if self.reject_threshold is None or multi:
            return decided
        rejected = self._to_probabilities(raw).max(axis=1) < self.reject_threshold
        unknown = unknown_label_for(self.unknown_label, self.classes_)
        kind = np.result_type(decided, np.asarray(unknown))
        return np.where(rejected, np.asarray(unknown, dtype=kind), decided)

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        link = super()._link_of(criterion, encoded)
        if link == "identity" and self.reject_threshold is not None:
            raise ValueError(
                f"reject_threshold={self.reject_threshold} is a probability, but "
                f"scores of loss={self.loss!r} are margins. Use loss='cross-entropy'."
            )
        return link

    def _encode_labels(self, y: Array, weight: Array | None) -> Encoded:
        for name in ("partial", "reject_threshold", "label_shift"):
            if getattr(self, name, None) not in (None, False):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is not defined for multi-label y, "
                    "whose rows are of several classes or of none."
                )
        return super()._encode_labels(y, weight)

    def _encode_classes(
        self, classes: Array, codes: Array, weight: Array | None
    ) -> Encoded:
        if self.reject_threshold is not None:
            require_unknown_label(self.unknown_label, classes)
        return super()._encode_classes(classes, codes, weight)


@with_domain_parameters()
@with_training_parameters(**PACE)
class DANNClassifier(LabelShift, TransferCheck, DomainClassifier):  # type: ignore[misc]  # a score by domains
    r"""Classify in a domain without labels, from labels of another: DANN.

    A backbone f learns features from which a head predicts the labels of the source,
    and from which a discriminator cannot tell source from target,

    .. math:: \min_{f, y} \max_d \; L_y(f, y) - \lambda \, L_d(f, d).

    One descent does both, as the gradient of the discriminator is reversed on its way
    to the backbone.

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
    entropy : float, default=0.0
        Weight of the mean entropy of predictions on the target, at least 0.
    partial : bool, default=False
        Partial adaptation: source rows of classes that the target seems not to have
        lose their weight, epoch by epoch (PADA, Cao et al. 2018).
    reject_threshold : float in [0, 1] or None, default=None
        Open set: rows of which no class reaches this probability are predicted as
        ``unknown_label``.
    unknown_label : object, default="auto"
        Label of rejected rows; ``"auto"`` is -1 for numbers, ``"unknown"`` for
        strings.
    label_shift : {"em", "bbse"} or None, default=None
        Estimate the class shares of the target, by expectation maximisation (Saerens
        et al. 2002) or by black-box shift estimation (Lipton et al. 2018), and weight
        source rows accordingly. Costs three trainings on the source alone.
    selection : {"check", "safe"} or None, default=None
        Compare with ``lambda_=0`` by reverse validation after training: warn if
        adapting seems to hurt, and with ``"safe"`` keep the net trained on the source
        alone. Costs four more trainings.
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss. Parameters are reached as ``loss__*``.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes of labelled rows.
    class_shares_ : ndarray of shape (n_classes,) or None
        Estimated shares of the classes in the target.
    {fitted}

    See Also
    --------
    MMEClassifier : With a few labels of the target.
    DANNRegressor : The same for numbers.
    ImportanceWeightedClassifier : Any classifier, where only the inputs shift.

    Notes
    -----
    An epoch is one pass over the source; rows of the target come from an endless
    shuffled stream beside it.

    With integers, -1 marks a missing label only beside two other values: -1 and 1
    alone are two classes. Pass ``sample_domain`` then.

    References
    ----------
    Ganin et al., *Domain-adversarial training of neural networks*, JMLR 17, 2016.

    Examples
    --------
    >>> from mlmi_sklearn import DANNClassifier
    >>> from mlmi_sklearn.datasets import make_shifted_digits
    >>> X, y, sample_domain = make_shifted_digits("roll", random_state=0)
    >>> alone = DANNClassifier(lambda_=0, random_state=0).fit(X, y, sample_domain)
    >>> dann = DANNClassifier(random_state=0).fit(X, y, sample_domain)
    >>> dann.score(X, y, sample_domain) > alone.score(X, y, sample_domain) + 0.05
    True
    """

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
        entropy: float = 0.0,
        *,
        target_domains: Any = None,
        hidden_layer_sizes: Any = None,
        partial: bool = False,
        reject_threshold: float | None = None,
        unknown_label: Any = "auto",
        label_shift: str | None = None,
        selection: str | None = None,
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
        self.divergence = divergence
        self.lambda_ = lambda_
        self.lambda_schedule = lambda_schedule
        self.gamma = gamma
        self.discriminator = discriminator
        self.discriminator_rate = discriminator_rate
        self.domain_norm = domain_norm
        self.target_labels = target_labels
        self.entropy = entropy
        self.target_domains = target_domains
        self.hidden_layer_sizes = hidden_layer_sizes
        self.partial = partial
        self.reject_threshold = reject_threshold
        self.unknown_label = unknown_label
        self.label_shift = label_shift
        self.selection = selection
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
