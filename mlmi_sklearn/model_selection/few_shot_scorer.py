"""Few-shot evaluation as ``scoring=`` of scikit-learn's tools."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection.few_shot import (
    FewShotScore,
    few_shot_score,
    task_column,
)
from mlmi_sklearn.model_selection.few_shot_tasks import HOW, classifies
from mlmi_sklearn.model_selection.task_pipeline import last_step

__all__ = ["FewShotScorer", "few_shot_scorer"]


class FewShotScorer(BaseEstimator):
    """Score a fitted estimator by how well it learns the tasks of a test set.

    To be used as ``scoring`` of :class:`~sklearn.model_selection.GridSearchCV`,
    :func:`~sklearn.model_selection.cross_validate` and the like, with
    :class:`TaskKFold` as ``cv``. With scikit-learn's metadata routing switched on it
    gets ``groups`` by itself, which a plain function would not.

    Parameters
    ----------
    n_way, n_shot, n_query : int, default=5, 1, 15
        Size of an episode, as in :func:`few_shot_score`.
    n_episodes : int, default=100
        Number of episodes for each test set.
    scoring : str, callable or None, default=None
        Score of an episode, as in :func:`few_shot_score`.
    episodes : {"auto", "groups"}, default="auto"
        Whether to insist on groups. "auto" takes them if there are any, unless the
        estimator's ``episodes`` is "classes", and insists on them in regression and
        where that is "groups".
    random_state : int, RandomState instance or None, default=None
        Determines the episodes. With a number, all candidates of a search are judged
        by the same ones.

    See Also
    --------
    search_tasks : A search that sees to metadata routing itself.

    Notes
    -----
    Where groups are meant for the splitter alone (alphabets, say, that are held out
    while episodes are of any characters), ``scorer.set_score_request(groups=False)``
    keeps them from the scorer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from mlmi_sklearn.model_selection import FewShotScorer, TaskKFold
    >>> X, y = load_digits(return_X_y=True)
    >>> search = GridSearchCV(
    ...     KNeighborsClassifier(n_neighbors=1),
    ...     {"p": [1, 2]},
    ...     cv=TaskKFold(2, random_state=0),
    ...     scoring=FewShotScorer(n_way=3, n_episodes=30, random_state=0),
    ... )
    >>> search.fit(X, y).best_score_ > 0.6
    np.True_
    """

    # scikit-learn takes all arguments of score but X and y for metadata.
    __metadata_request__score: ClassVar[dict[str, Any]] = {
        "groups": True,
        "estimator": UNUSED,
    }

    def __init__(
        self,
        *,
        n_way: int | None = 5,
        n_shot: int = 1,
        n_query: int = 15,
        n_episodes: int = 100,
        scoring: Any = None,
        episodes: Literal["auto", "groups"] = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.n_episodes = n_episodes
        self.scoring = scoring
        self.episodes = episodes
        self.random_state = random_state

    def __call__(self, estimator: Any, X: Any, y: Any, groups: Any = None) -> Any:
        """Return the mean score of the episodes.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like of shape (n, ...)
            Rows of the test set.
        y : array-like of shape (n,)
            Their labels.
        groups : array-like of shape (n,) or None, default=None
            Their tasks.

        Returns
        -------
        float
            Higher is better.

        Raises
        ------
        TaskError
            If groups are needed and none came, or no episode is possible.
        """
        return float(self.score(estimator, X, y, groups))

    def score(self, estimator: Any, X: Any, y: Any, groups: Any = None) -> FewShotScore:
        """Return the score with its interval and what it is made of.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like of shape (n, ...)
            Rows of the test set.
        y : array-like of shape (n,)
            Their labels.
        groups : array-like of shape (n,) or None, default=None
            Their tasks.

        Returns
        -------
        FewShotScore
            With ``mean``, ``ci95`` and ``frame``.

        Raises
        ------
        TaskError
            If groups are needed and none came, or no episode is possible.
        """
        return few_shot_score(
            estimator,
            X,
            y,
            self._groups(estimator, X, y, groups),
            n_way=self.n_way,
            n_shot=self.n_shot,
            n_query=self.n_query,
            n_episodes=self.n_episodes,
            scoring=self.scoring,
            random_state=self.random_state,
        )

    def _groups(self, estimator: Any, X: Any, y: Any, groups: Any) -> Any:
        """Return the groups to draw from, or insist on them.

        Where routing is off, scikit-learn drops them without a word.
        """
        if self.episodes not in ("auto", "groups"):
            raise ValueError(
                f"episodes must be 'auto' or 'groups', got {self.episodes!r}."
            )
        model, rows = last_step(estimator, X)
        says = getattr(model, "episodes", None) if self.episodes == "auto" else "groups"
        if says == "classes":
            return None
        groups = task_column(model, rows) if groups is None else groups
        if groups is None and (says == "groups" or not classifies(model, y)):
            raise TaskError(f"The few-shot scorer has got no groups: {HOW}")
        return groups


def few_shot_scorer(**options: Any) -> FewShotScorer:
    """Return a scorer that judges by adaptation to the tasks of a test set.

    Parameters
    ----------
    **options : dict
        Parameters of :class:`FewShotScorer`: ``n_way``, ``n_shot``, ``n_query``,
        ``n_episodes``, ``scoring``, ``episodes`` and ``random_state``.

    Returns
    -------
    FewShotScorer
        For ``scoring=`` of scikit-learn's tools, or to be called with
        ``(estimator, X, y, groups)``.

    Examples
    --------
    >>> from mlmi_sklearn.model_selection import few_shot_scorer
    >>> few_shot_scorer(n_way=2, random_state=0)
    FewShotScorer(n_way=2, random_state=0)
    """
    return FewShotScorer(**options)
