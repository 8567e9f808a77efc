"""Model-agnostic meta-learning."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.utils import ClassifierTags, RegressorTags, Tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import nn

from ..base import Recipe, RegressorOutputs, build_backbone, with_training_parameters
from ..base.inputs import as_tensor
from ..base.plan import Plan
from ..base.targets import Encoded
from ..nn.tasks import NORM_POLICIES, TASK_HEADS, MetaModel
from ..training.distributed import separate_fits
from ..training.net import LeanNet
from ..training.seeding import borrowed_generator
from .adapted import AdaptedClassifier, AdaptedRegressor
from .base import EpisodicEstimator
from .constraints import COUNT, EPISODE_CONSTRAINTS, POSITIVE, STEPS
from .docs import PACE, with_episode_parameters
from .fine_tuning_source import Source, snapshot
from .fine_tuning_steps import finetune
from .methods import resolve_method
from .net import spread
from .tasks import TaskRows

__all__ = ["MAMLEstimator"]

Array = NDArray[Any]

# Learning rate of the ordinary model that stands behind ``predict``.
_FINETUNE_LR = 3e-3


@with_episode_parameters(n_shot="5", meta_batch_size="16", max_grad_norm="1.0")
@with_training_parameters(**PACE)
class MAMLEstimator(EpisodicEstimator):
    r"""Learn weights from which a few steps lead to a good model of a new task: MAML.

    Algorithm 1 of Finn, Abbeel and Levine: for a batch of tasks,

    .. math:: \theta_i' = \theta - \alpha \nabla L_i(\theta), \qquad
        \theta \leftarrow \theta - \beta \nabla_\theta \sum_i L_i'(\theta_i'),

    with the loss :math:`L_i` on the support and :math:`L_i'` on the query of task i.

    Parameters
    ----------
    kind : {"classification", "regression"}, default="classification"
        What ``y`` holds.
    method : str or MetaMethod, default="maml"
        ``"maml"``, ``"fomaml"`` (no second derivatives), ``"anil"`` (the head alone
        adapts), ``"boil"`` (all but the head), ``"reptile"``, ``"meta-sgd"`` (a
        learned step size for every weight), or another name in
        ``list_components("meta-method")``.
    backbone : str, spec, callable or nn.Module, default="auto"
        As in :class:`~mlmi_sklearn.NetClassifier`.
    {inner_parameters}
    n_way : int, default=5
        Classes in an episode drawn from classes.
    {episode_parameters}
    {start_parameters}
    loss : str, spec or callable, default="auto"
        ``"auto"`` is ``"cross-entropy"`` or ``"mse"``.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, of a classifier.
    meta_params_ : dict of str to ndarray
        The meta-learned weights, and step sizes if those are learned.
    {fitted}

    See Also
    --------
    MAMLClassifier, MAMLRegressor : This with ``kind`` fixed.
    ProtoNetClassifier : Nearest means of features, without steps.
    FineTuneClassifier : Ordinary training, then a new head.

    Notes
    -----
    Without tasks, meta-learning has little to work on: episodes are then drawn from
    all rows, and :meth:`predict` is an ordinary net trained from what they gave.

    References
    ----------
    Finn, Abbeel and Levine, *Model-agnostic meta-learning for fast adaptation of deep
    networks*, ICML 2017.

    Examples
    --------
    >>> from mlmi_sklearn import MAMLEstimator
    >>> from mlmi_sklearn.datasets import make_sinusoid_tasks
    >>> X, y, groups = make_sinusoid_tasks(60, random_state=0)
    >>> meta = MAMLEstimator("regression", max_epochs=20, random_state=0)
    >>> meta = meta.fit(X, y, groups=groups)
    >>> new, z, _ = make_sinusoid_tasks(1, random_state=1)
    >>> meta.adapt(new[:10], z[:10]).predict(new[10:]).shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **EPISODE_CONSTRAINTS,
        "kind": [StrOptions({"classification", "regression"})],
        "method": [str, HasMethods(["changes"]), HasMethods(["component"]), callable],
        "inner_lr": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"learn", "learn-per-step"}),
        ],
        "inner_lr_start": [POSITIVE],
        "inner_steps": [COUNT],
        "inner_steps_eval": [STEPS, None],
        "inner_max_norm": [POSITIVE, None],
        "n_way": [Interval(COUNT.type, 2, None, closed="left")],
        "head": [StrOptions(set(TASK_HEADS))],
        "norm": [StrOptions(set(NORM_POLICIES))],
        "finetune_steps": [STEPS],
    }

    _further_components: ClassVar[dict[str, str]] = {"method": "meta-method"}

    def __init__(
        self,
        kind: str = "classification",
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
        self.kind = kind
        self.method = method
        self.backbone = backbone
        self.inner_lr = inner_lr
        self.inner_lr_start = inner_lr_start
        self.inner_steps = inner_steps
        self.inner_steps_eval = inner_steps_eval
        self.inner_max_norm = inner_max_norm
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.meta_batch_size = meta_batch_size
        self.episodes = episodes
        self.episodes_per_epoch = episodes_per_epoch
        self.task = task
        self.task_chunk_size = task_chunk_size
        self.max_grad_norm = max_grad_norm
        self.head = head
        self.norm = norm
        self.finetune_steps = finetune_steps
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
        if self._is_classifier:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
            tags.regressor_tags = None
        else:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
            tags.classifier_tags = None
            tags.target_tags.multi_output = True
        return tags

    # -- the model --------------------------------------------------------------------

    def _choice(self, component: str) -> Any:
        if component == "loss" and self.loss == "auto":
            return "cross-entropy" if self._is_classifier else "mse"
        return super()._choice(component)

    def _model_options(self) -> dict[str, Any]:
        learned = isinstance(self.inner_lr, str)
        return {
            "method": resolve_method(self.method),
            "head": self.head,
            "norm": self.norm,
            "rate": float(self.inner_lr_start if learned else self.inner_lr),
            "rates": self.inner_lr if learned else "given",
            "steps": int(self.inner_steps),
            "max_norm": self.inner_max_norm,
        }

    def _assemble(self, recipe: Recipe) -> nn.Module:
        backbone = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        options = {k: v for k, v in recipe.options.items() if k != "episodes"}
        scale = self._make_scale(recipe.input_shape)
        return MetaModel(backbone, recipe.n_outputs, scale=scale, **options)

    @property
    def _eval_steps(self) -> int:
        steps = self.inner_steps_eval
        return int(self.inner_steps if steps is None else steps)

    def _most_classes(self) -> int | None:
        options = self._recipe.options
        return self._recipe.n_outputs if options["head"] == "learned" else None

    def _central(self, raw: Array) -> Array:
        return RegressorOutputs._central(raw, self.net_.criterion_)

    @property
    def meta_params_(self) -> dict[str, Array]:
        """The meta-learned weights."""
        if not hasattr(self, "net_"):
            raise AttributeError(f"{type(self).__name__} is not fitted yet.")
        return {
            name: value.detach().cpu().numpy().copy()
            for name, value in self.net_.module_.named_parameters()
        }

    def _final_attributes(
        self, net: LeanNet, inputs: TaskRows, encoded: Encoded, plan: Plan
    ) -> dict[str, Any]:
        module: Any = net.module_
        # For predictions that must not look at the rows beside them.
        x = module.scale(as_tensor(spread(inputs.values), plan.dtype).to(plan.device))
        module.set_statistics(x, ("transductive", "per-step"))
        with borrowed_generator(plan.noise_seed, plan.device):
            plain: Any = module.plain()  # layers that draw before they are filled
        if encoded.attributes["_episodes"].local and hasattr(plain, "head"):
            del plain.head  # its scores mean other classes in every episode
        found = encoded.attributes
        unit = None
        if not self._is_classifier:
            unit = found["y_mean_"], found["y_scale_"]
        # With the recipe, by which files can name a backbone instead of holding it.
        recipe = self._make_recipe(inputs, encoded, plan, None)
        head = getattr(plain, "head", None)
        with separate_fits():  # is too little to be shared by processes
            model = finetune(
                self.kind,
                Source(plain.backbone, head, plain.scale, recipe=recipe),
                inputs.values,
                self._original_targets(encoded),
                steps=int(self.finetune_steps),
                lr=_FINETUNE_LR,
                random_state=plan.split_seed,
                unit=unit,
                classes=found.get("classes_"),
                loss=self._choice("loss"),
                device=self.device,
                dtype=plan.dtype_name,
            )
        return {"model_": snapshot(model)}

    # -- tasks ------------------------------------------------------------------------

    @property
    def adapt_estimator(self) -> Any:
        """What :meth:`adapt` fits: an unfitted estimator around this one, frozen."""
        cls = AdaptedClassifier if self._is_classifier else AdaptedRegressor
        return cls(FrozenEstimator(self))
