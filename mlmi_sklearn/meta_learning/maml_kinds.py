"""MAML with the kind of task in the name."""

from __future__ import annotations

from typing import Any, ClassVar

from ..base import with_training_parameters
from .docs import PACE, with_episode_parameters
from .maml import MAMLEstimator

__all__ = ["MAMLClassifier", "MAMLRegressor"]


def _without(names: list[str]) -> dict[str, Any]:
    """Return constraints but for parameters that are not there."""
    found = MAMLEstimator._parameter_constraints
    return {name: allowed for name, allowed in found.items() if name not in names}


@with_episode_parameters(n_shot="5", meta_batch_size="16", max_grad_norm="1.0")
@with_training_parameters(**PACE)
class MAMLClassifier(MAMLEstimator):
    """Learn to tell new classes apart from a few samples of each: MAML.

    Parameters
    ----------
    method : str or MetaMethod, default="maml"
        As in :class:`MAMLEstimator`.
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetClassifier`.
    {inner_parameters}
    n_way : int, default=5
        Classes in an episode drawn from classes.
    {episode_parameters}
    {start_parameters}
    loss : str, spec or callable, default="auto"
        ``"auto"`` is ``"cross-entropy"``.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    meta_params_ : dict of str to ndarray
        The meta-learned weights, and step sizes if those are learned.
    {fitted}

    See Also
    --------
    MAMLEstimator : What this is with ``kind="classification"``.
    ProtoNetClassifier : Nearest means of features, without steps.

    References
    ----------
    Finn, Abbeel and Levine, *Model-agnostic meta-learning for fast adaptation of deep
    networks*, ICML 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mlmi_sklearn import MAMLClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> old, new = y < 7, y >= 7
    >>> meta = MAMLClassifier(n_way=3, max_epochs=3, random_state=0)
    >>> model = meta.fit(X[old], y[old]).adapt(X[new][:15], y[new][:15])
    >>> model.classes_.tolist(), model.score(X[new], y[new]) > 0.7
    ([7, 8, 9], True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = _without(["kind"])

    def __init__(
        self,
        method: Any = "maml",
        backbone: Any = "auto",
        *,
        inner_lr: Any = "learn",
        inner_lr_start: float = 0.1,
        inner_steps: int = 3,
        inner_steps_eval: int | None = None,
        inner_max_norm: float | None = 10.0,
        n_way: int = 5,
        n_shot: int = 5,
        n_query: int = 15,
        meta_batch_size: int = 16,
        episodes: str = "auto",
        episodes_per_epoch: int = 1000,
        task: Any = None,
        task_chunk_size: Any = "auto",
        max_grad_norm: float | None = 1.0,
        head: str = "learned",
        norm: str = "transductive",
        finetune_steps: int = 100,
        loss: Any = "auto",
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
        super().__init__(
            "classification",
            method=method,
            backbone=backbone,
            inner_lr=inner_lr,
            inner_lr_start=inner_lr_start,
            inner_steps=inner_steps,
            inner_steps_eval=inner_steps_eval,
            inner_max_norm=inner_max_norm,
            n_way=n_way,
            n_shot=n_shot,
            n_query=n_query,
            meta_batch_size=meta_batch_size,
            episodes=episodes,
            episodes_per_epoch=episodes_per_epoch,
            task=task,
            task_chunk_size=task_chunk_size,
            max_grad_norm=max_grad_norm,
            head=head,
            norm=norm,
            finetune_steps=finetune_steps,
            loss=loss,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            lr_schedule=lr_schedule,
            max_epochs=max_epochs,
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


@with_episode_parameters(n_shot="5", meta_batch_size="16", max_grad_norm="1.0")
@with_training_parameters(**PACE)
class MAMLRegressor(MAMLEstimator):
    """Learn to fit new functions from a few points of each: MAML.

    Parameters
    ----------
    method : str or MetaMethod, default="maml"
        As in :class:`MAMLEstimator`.
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetRegressor`.
    {inner_parameters}
    {episode_parameters}
    {start_parameters}
    loss : str, spec or callable, default="auto"
        ``"auto"`` is ``"mse"``.
    {training_parameters}

    Attributes
    ----------
    y_mean_, y_scale_ : float or ndarray of shape (n_outputs,)
        Mean and standard deviation of the training targets.
    meta_params_ : dict of str to ndarray
        The meta-learned weights, and step sizes if those are learned.
    {fitted}

    See Also
    --------
    MAMLEstimator : What this is with ``kind="regression"``.

    References
    ----------
    Finn, Abbeel and Levine, *Model-agnostic meta-learning for fast adaptation of deep
    networks*, ICML 2017.

    Examples
    --------
    >>> from mlmi_sklearn import MAMLRegressor
    >>> from mlmi_sklearn.datasets import make_sinusoid_tasks
    >>> X, y, groups = make_sinusoid_tasks(60, random_state=0)
    >>> meta = MAMLRegressor(max_epochs=20, random_state=0).fit(X, y, groups)
    >>> new, z, _ = make_sinusoid_tasks(1, random_state=1)
    >>> meta.adapt(new[:10], z[:10]).predict(new[10:]).shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = _without(["kind", "n_way"])

    def __init__(
        self,
        method: Any = "maml",
        backbone: Any = "auto",
        *,
        inner_lr: Any = "learn",
        inner_lr_start: float = 0.1,
        inner_steps: int = 3,
        inner_steps_eval: int | None = None,
        inner_max_norm: float | None = 10.0,
        n_shot: int = 5,
        n_query: int = 15,
        meta_batch_size: int = 16,
        episodes: str = "auto",
        episodes_per_epoch: int = 1000,
        task: Any = None,
        task_chunk_size: Any = "auto",
        max_grad_norm: float | None = 1.0,
        head: str = "learned",
        norm: str = "transductive",
        finetune_steps: int = 100,
        loss: Any = "auto",
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
        super().__init__(
            "regression",
            method=method,
            backbone=backbone,
            inner_lr=inner_lr,
            inner_lr_start=inner_lr_start,
            inner_steps=inner_steps,
            inner_steps_eval=inner_steps_eval,
            inner_max_norm=inner_max_norm,
            n_shot=n_shot,
            n_query=n_query,
            meta_batch_size=meta_batch_size,
            episodes=episodes,
            episodes_per_epoch=episodes_per_epoch,
            task=task,
            task_chunk_size=task_chunk_size,
            max_grad_norm=max_grad_norm,
            head=head,
            norm=norm,
            finetune_steps=finetune_steps,
            loss=loss,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            lr_schedule=lr_schedule,
            max_epochs=max_epochs,
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
