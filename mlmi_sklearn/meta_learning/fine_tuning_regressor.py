"""Fine-tuning for numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..base import TRAINING_CONSTRAINTS, with_training_parameters
from ..base.targets import Encoded
from ..supervised import NetRegressor
from .fine_tuning_base import FINE_TUNING_CONSTRAINTS, FineTuned
from .fine_tuning_docs import with_fine_tuning_parameters
from .fine_tuning_source import read_source

__all__ = ["FineTuneRegressor"]

Array = NDArray[Any]


@with_fine_tuning_parameters
@with_training_parameters(
    lr="3e-3", weight_decay="1e-4", max_epochs="100", classifier=False
)
class FineTuneRegressor(FineTuned, NetRegressor):
    """Predict numbers with a net that was trained on something else before.

    Without ``pretrained``, ``fit`` trains on the source; :meth:`adapt` then fine-tunes
    a copy, head included, on the few rows of a new task of the same kind. With
    ``pretrained``, ``fit`` itself fine-tunes.

    Parameters
    ----------
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetClassifier`; must be "auto" with ``pretrained``.
    {fine_tuning_parameters}
    adapt_freeze : str or sequence of str, default=()
        What an adaptation leaves as it is, as ``freeze``.
    adapt_epochs : int, default=100
        Passes of an adaptation over its rows.
    adapt_lr : float, default=1e-3
        Learning rate of an adaptation.
    loss : str, spec or callable, default="mse"
        As in :class:`~mlmi_sklearn.NetRegressor`.
    {training_parameters}

    Attributes
    ----------
    y_mean_, y_scale_ : float or ndarray of shape (n_outputs,)
        Mean and standard deviation in which the net predicts: those of the training
        targets, or of ``pretrained`` where its head is kept.
    {fitted}

    See Also
    --------
    FineTuneClassifier : The same for classes.
    NetRegressor : Training from scratch.

    References
    ----------
    Howard and Ruder, *Universal language model fine-tuning for text classification*,
    ACL 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.meta_learning.fine_tuning import FineTuneRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> source = FineTuneRegressor(lr=1e-2, random_state=0).fit(X, X[:, 0] ** 2)
    >>> few = X[::40]
    >>> task = source.adapt(few, few[:, 0] ** 2 + 0.2)
    >>> bool(abs(task.predict(X) - X[:, 0] ** 2 - 0.2).max() < 0.2)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TRAINING_CONSTRAINTS,
        **FINE_TUNING_CONSTRAINTS,
    }
    _adapted_head: ClassVar[bool | str] = "auto"

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
        adapt_freeze: Any = (),
        adapt_epochs: int = 100,
        adapt_lr: float = 1e-3,
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
        self.adapt_freeze = adapt_freeze
        self.adapt_epochs = adapt_epochs
        self.adapt_lr = adapt_lr

    def _encode(self, y: Array, weight: Array | None) -> Encoded:
        """Standardise as ``pretrained`` did, where its head goes on."""
        unit = None
        if self.pretrained is not None and self.keep_head is not False:
            source = read_source(self.pretrained)
            unit = None if source.head is None else source.unit
        if unit is None or np.shape(unit[0]) not in ((), y.shape[1:]):
            return super()._encode(y, weight)
        attributes = {"y_mean_": unit[0], "y_scale_": unit[1]}
        return self._standardise(y, weight, attributes)
