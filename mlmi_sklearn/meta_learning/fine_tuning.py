"""Transfer by fine-tuning: the plain rival of meta-learning."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from ..base import CLASS_WEIGHT, TRAINING_CONSTRAINTS, with_training_parameters
from ..base.targets import Encoded
from ..supervised import NetClassifier
from .fine_tuning_base import FINE_TUNING_CONSTRAINTS, FineTuned
from .fine_tuning_docs import with_fine_tuning_parameters
from .fine_tuning_regressor import FineTuneRegressor

__all__ = ["FineTuneClassifier", "FineTuneRegressor"]

_HEADS = StrOptions({"linear", "cosine"})


@with_fine_tuning_parameters
@with_training_parameters(lr="3e-3", weight_decay="1e-4", max_epochs="100")
class FineTuneClassifier(FineTuned, NetClassifier):
    """Classify with a net that was trained on something else before.

    Without ``pretrained``, ``fit`` trains on the source; :meth:`adapt` then fine-tunes
    a copy on the few rows of a new task with classes of its own. With ``pretrained``,
    ``fit`` itself fine-tunes.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetClassifier`; must be "auto" with ``pretrained``.
    {fine_tuning_parameters}
    head : {"linear", "cosine"}, default="linear"
        ``"cosine"`` scores the angle between features and one prototype a class (Chen
        et al. 2019), which makes features of one class more alike. With
        ``pretrained``, prototypes begin in the middle of their classes (Qi et al.
        2018) and a linear head begins at zero.
    cosine_scale : float or "learn", default="learn"
        What cosines are multiplied with; ``"learn"`` begins at 10.
    adapt_head : {"linear", "cosine"}, default="cosine"
        Head of an adaptation.
    adapt_freeze : str or sequence of str, default="backbone.*"
        What an adaptation leaves as it is, as ``freeze``.
    adapt_epochs : int, default=30
        Passes of an adaptation over its rows.
    adapt_lr : float, default=0.01
        Learning rate of an adaptation.
    loss : str, spec or callable, default="cross-entropy"
        A registered classification loss. Parameters are reached as ``loss__*``.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes; for multi-label targets the label numbers.
    {fitted}

    See Also
    --------
    FineTuneRegressor : The same for numbers.
    NetClassifier : Training from scratch.

    References
    ----------
    Chen, Liu, Kira, Wang and Huang, *A closer look at few-shot classification*, ICLR
    2019. Howard and Ruder, *Universal language model fine-tuning for text
    classification*, ACL 2018. Qi, Brown and Lowe, *Low-shot learning with imprinted
    weights*, CVPR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mlmi_sklearn.meta_learning.fine_tuning import FineTuneClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> images = X.reshape(-1, 8, 8) / 16
    >>> source, task = y < 7, y >= 7
    >>> model = FineTuneClassifier(max_epochs=10, random_state=0)
    >>> model = model.fit(images[source], y[source])

    Five rows of each of three new digits are enough for a new classifier:

    >>> few = [i for digit in (7, 8, 9) for i in (y == digit).nonzero()[0][:5]]
    >>> new = model.adapt(images[few], y[few])
    >>> new.classes_.tolist(), new.score(images[task], y[task]) > 0.8
    ([7, 8, 9], True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TRAINING_CONSTRAINTS,
        **FINE_TUNING_CONSTRAINTS,
        "class_weight": CLASS_WEIGHT,
        "head": [_HEADS],
        "adapt_head": [_HEADS],
        "cosine_scale": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"learn"}),
        ],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        pretrained: Any = None,
        *,
        freeze: Any = (),
        unfreeze: Any = None,
        lr_decay: float = 1.0,
        keep_head: Any = "auto",
        max_steps: int | None = None,
        head: str = "linear",
        cosine_scale: Any = "learn",
        adapt_head: str = "cosine",
        adapt_freeze: Any = "backbone.*",
        adapt_epochs: int = 30,
        adapt_lr: float = 1e-2,
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
        super().__init__(
            backbone,
            loss=loss,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            lr_schedule=lr_schedule,
            max_epochs=max_epochs,
            batch_size=batch_size,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            class_weight=class_weight,
            warm_start=warm_start,
            callbacks=callbacks,
            device=device,
            dtype=dtype,
            precision=precision,
            compile=compile,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            random_state=random_state,
            verbose=verbose,
        )
        self.pretrained = pretrained
        self.freeze = freeze
        self.unfreeze = unfreeze
        self.lr_decay = lr_decay
        self.keep_head = keep_head
        self.max_steps = max_steps
        self.head = head
        self.cosine_scale = cosine_scale
        self.adapt_head = adapt_head
        self.adapt_freeze = adapt_freeze
        self.adapt_epochs = adapt_epochs
        self.adapt_lr = adapt_lr

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        return {"head": self.head, "cosine_scale": self.cosine_scale}

    def _adaptation_params(self) -> dict[str, Any]:
        weight = self.class_weight
        return {
            **super()._adaptation_params(),
            "head": self.adapt_head,
            # A table of weights is one of other classes.
            "class_weight": None if isinstance(weight, dict) else weight,
        }
