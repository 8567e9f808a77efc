"""Targets of episodes: classes, numbered per episode or once for all, or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import column_or_1d

from ..base.inputs import read_targets
from ..base.naming import check_classes
from ..base.regression import RegressorOutputs, unit_of
from ..base.stages import Stages
from ..base.targets import Encoded, require_task
from ..base.warn import warn_user
from ..exceptions import TaskError, TaskWarning
from .tasks import ROUTING

__all__ = ["EpisodeKind", "EpisodeTargets", "resolve_kind"]

Array = NDArray[Any]


_NO_TASKS = (
    "has no tasks to learn from: no row names one, and there are no more classes than "
    "one task has. Episodes are drawn from all rows, which teaches little."
)


@dataclass(frozen=True)
class EpisodeKind:
    """What an episode is.

    Parameters
    ----------
    mode : {"groups", "classes", "pool"}
        Whether a task is a group of rows, a draw of classes, or any rows at all.
    local : bool
        Whether classes are numbered anew in each episode, so that scores have no
        meaning beyond it.
    """

    mode: str
    local: bool


def resolve_kind(
    episodes: str, head: str, *, named: bool, n_classes: int | None, n_way: int
) -> EpisodeKind:
    """Decide what an episode is.

    Parameters
    ----------
    episodes : {"auto", "groups", "classes"}
        The parameter of the estimator.
    head : str
        Start of the head; only learned scores can mean the same in all tasks.
    named : bool
        Whether rows name their tasks.
    n_classes : int or None
        Number of classes; None for regression.
    n_way : int
        Classes in an episode.

    Returns
    -------
    EpisodeKind
        The decision.

    Raises
    ------
    TaskError
        If groups are wanted and there are none, or classes where there are numbers.

    Examples
    --------
    >>> resolve_kind("auto", "learned", named=False, n_classes=20, n_way=5)
    EpisodeKind(mode='classes', local=True)
    >>> resolve_kind("auto", "learned", named=True, n_classes=2, n_way=5)
    EpisodeKind(mode='groups', local=False)
    """
    if episodes == "groups" and not named:
        raise TaskError(f"episodes='groups', but no row names its task. {ROUTING}")
    if episodes == "classes" and n_classes is None:
        raise TaskError(
            "episodes='classes' draws tasks from classes, but this is a regression. "
            f"Tasks are groups of rows then. {ROUTING}"
        )
    grouped = named and episodes != "classes"
    if n_classes is None:
        return EpisodeKind("groups" if grouped else "pool", False)
    own = head != "learned"
    if grouped:
        return EpisodeKind("groups", own)
    if episodes == "classes" or n_classes > n_way:
        return EpisodeKind("classes", True)
    return EpisodeKind("pool", own)


class EpisodeTargets(Stages):
    """Mixin: classes or numbers, as ``kind`` says."""

    kind: str
    loss: Any
    n_way: int
    classes_: Array
    y_mean_: Any
    y_scale_: Any
    episodes: str
    _episodes: EpisodeKind
    _standardise = staticmethod(RegressorOutputs._standardise)

    @property
    def _is_classifier(self) -> bool:
        return self.kind == "classification"

    def _read_targets(self, y: Any) -> Array:
        if not self._is_classifier:
            y = read_targets(self, y, numeric=True)
            return y.astype(np.float64, copy=False)
        y = read_targets(self, y, numeric=False)
        check_classes(y)
        return column_or_1d(y, warn=True)

    def _announced(self, classes: Any) -> Array | None:
        """Read the classes that a first partial_fit announces."""
        if classes is None or not self._is_classifier:
            return None
        classes = unique_labels(classes)
        known = getattr(self, "classes_", classes)
        if len(np.setdiff1d(classes, known)):
            raise ValueError(
                f"classes={classes.tolist()} is not the same as in the first call of "
                f"partial_fit: {known.tolist()}."
            )
        return classes

    def _encode_episodes(
        self,
        named: bool,
        y: Array,
        weight: Array | None,
        classes: Array | None = None,
    ) -> Encoded:
        """Encode targets and decide what an episode is."""
        if not self._is_classifier:
            encoded = self._standardise(y, weight, unit_of(y, weight))
            encoded.attributes["_episodes"] = self._kind_of(named, None)
        else:
            found = np.unique(y)
            known = found if classes is None else np.union1d(classes, found)
            kind = self._kind_of(named, len(known))
            encoded = self._encoded_classes(known, y, kind)
        if encoded.attributes["_episodes"] == EpisodeKind("pool", local=False):
            warn_user(f"{type(self).__name__} {_NO_TASKS} {ROUTING}", TaskWarning)
        return encoded

    def _encode_more(
        self,
        named: bool,
        y: Array,
        weight: Array | None,
        classes: Array | None = None,
    ) -> Encoded:
        """Encode targets for a model that is trained already."""
        if not self._is_classifier:
            attributes = {"y_mean_": self.y_mean_, "y_scale_": self.y_scale_}
            encoded = self._standardise(y, weight, attributes)
            encoded.attributes["_episodes"] = self._kept_kind(named, None)
            return encoded
        classes = np.union1d(self.classes_, np.unique(y))
        kind = self._kept_kind(named, len(classes))
        new = np.setdiff1d(classes, self.classes_)
        if len(new) and not kind.local:
            raise ValueError(
                f"y contains classes {new.tolist()}, but the model knows only classes "
                f"{self.classes_.tolist()}. Use head='proto', 'zero' or 'shared', "
                "which take any classes, or fit anew."
            )
        encoded = self._encoded_classes(classes, y, kind)
        limit = self._most_classes()
        if kind.local and limit is not None:
            encoded.n_outputs = min(encoded.n_outputs, limit)
        return encoded

    def _most_classes(self) -> int | None:
        """Return how many classes a task can have, None for any number."""
        return None

    def _kept_kind(self, named: bool, n_classes: int | None) -> EpisodeKind:
        """Return the kind of episodes of a model that is trained already."""
        kept, now = self._episodes, self._kind_of(named, n_classes)
        if self.episodes != "auto":
            return now
        if (now.mode == "groups") != (kept.mode == "groups"):
            change = "with groups, but now no row names its task"
            if named:
                change = "without groups, but now rows name their tasks"
            raise TaskError(f"Training began {change}. {ROUTING}")
        return kept

    def _encoded_classes(self, classes: Array, y: Array, kind: EpisodeKind) -> Encoded:
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()}; a classifier needs at "
                "least two."
            )
        codes = np.searchsorted(classes, y).astype(np.int64)
        n_outputs = self._n_way(len(classes)) if kind.local else len(classes)
        attributes = {"classes_": classes, "_episodes": kind}
        return Encoded(codes, n_outputs, None, codes, attributes)

    def _kind_of(self, named: bool, n_classes: int | None) -> EpisodeKind:
        n_way = getattr(self, "n_way", 2)
        return resolve_kind(
            self.episodes,
            getattr(self, "head", "proto"),
            named=named,
            n_classes=n_classes,
            n_way=n_way,
        )

    def _n_way(self, n_classes: int) -> int:
        """Return the number of classes in an episode."""
        return min(int(self.n_way), n_classes)

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        require_task(self._choice("loss"), self.kind)
        link = getattr(criterion, "link", None)
        allowed = ("softmax", "sigmoid") if self._is_classifier else ("identity",)
        if link not in (*allowed, "identity"):
            raise ValueError(
                f"loss={self.loss!r} has "
                f"link={link!r}; a loss for {self.kind} has one of {allowed}."
            )
        return str(link)
