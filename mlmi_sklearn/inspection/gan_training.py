"""How two players trained against each other: losses, and the score of samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.utils.validation import check_is_fitted

from mlmi_sklearn.inspection._drawing import axes_for

__all__ = ["GANTrainingDisplay"]

_LOG2 = math.log(2)
_PLAYERS = {
    "discriminator_loss": ("discriminator", "#0072B2"),
    "generator_loss": ("generator", "#D55E00"),
}
_SCORE, _BEST = "#009E73", "#6B6B6B"
# Losses of both players where every sample is judged real with probability one half.
_BALANCE = {
    "nonsaturating": (_LOG2, _LOG2 / 2, "log 2", "(log 2) / 2"),
    "minimax": (_LOG2, -_LOG2 / 2, "log 2", "-(log 2) / 2"),
    "lsgan": (0.25, 0.125, "1/4", "1/8"),
}


class GANTrainingDisplay:
    r"""Losses of discriminator and generator by step, with their point of balance.

    Where samples cannot be told from real data, the discriminator says one half to
    everything. With the log losses it then has log 2, and the generator (log 2) / 2:
    dashed lines. A discriminator far below its line wins, and the generator learns
    little; **losses near the lines do not prove that samples are good**, since a weak
    discriminator is there too. If samples were judged during training
    (``early_stopping=True``), their score is drawn on the right: that is what counts.
    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    history : DataFrame
        One row for a run of steps, with ``discriminator_loss`` and ``generator_loss``,
        and, where they are known, ``step`` and ``valid_score``.
    loss : str, default=None
        Name of the pair of losses; None, or one without a point of balance, draws no
        lines.
    best_iter : int, default=None
        Step whose weights were kept.
    score_name : str, default="score of samples"
        What ``valid_score`` is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the losses.
    score_ax_ : matplotlib Axes or None
        Axes of the score, on the right.
    figure_ : matplotlib Figure
        Their figure.

    Notes
    -----
    The loss of the discriminator includes penalties, such as R1, so that it may lie
    above its line at best. Label smoothing moves the lines; then none are drawn.

    References
    ----------
    Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014, proposition 1 and
    theorem 1; the factors 1/2 are those of the objective that ``CGANSampler`` states.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import pandas as pd
    >>> from mlmi_sklearn.inspection import GANTrainingDisplay
    >>> history = pd.DataFrame(
    ...     {"discriminator_loss": [0.6, 0.7], "generator_loss": [0.5, 0.4]}
    ... )
    >>> shown = GANTrainingDisplay.from_history(history, loss="nonsaturating")
    >>> shown.ax_.get_xlabel()
    'run of steps'
    """

    def __init__(
        self,
        *,
        history: pd.DataFrame,
        loss: str | None = None,
        best_iter: int | None = None,
        score_name: str = "score of samples",
    ) -> None:
        self.history = history
        self.loss = loss
        self.best_iter = best_iter
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> GANTrainingDisplay:
        """Show the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted ``CGANSampler`` or ``ImageTranslator``, or anything with such a
            ``history_``; of a search the best estimator is taken.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GANTrainingDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator keeps no losses of two players.
        """
        while hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        if hasattr(estimator, "fit"):
            check_is_fitted(estimator)
        history = getattr(estimator, "history_", None)
        if history is None or not set(_PLAYERS) <= set(history):
            raise TypeError(
                f"{type(estimator).__name__} has no history_ with the losses "
                f"{list(_PLAYERS)}. Pass a fitted CGANSampler or ImageTranslator."
            )
        loss = _name_of(getattr(estimator, "loss", None))
        best = None
        if "valid_score" in history:
            best = getattr(estimator, "best_iter_", None)
        scoring = getattr(estimator, "scoring", None)
        named = {"score_name": scoring} if isinstance(scoring, str) else {}
        return cls(history=history, loss=loss, best_iter=best, **named).plot(ax=ax)

    @classmethod
    def from_history(
        cls,
        history: pd.DataFrame,
        *,
        loss: str | None = None,
        best_iter: int | None = None,
        ax: Any = None,
    ) -> GANTrainingDisplay:
        """Show a record of losses.

        Parameters
        ----------
        history : DataFrame
            A row for each epoch, as of the class.
        loss : str or None, default=None
            Name of the loss, for the dotted lines.
        best_iter : int or None, default=None
            Step to mark.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GANTrainingDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a loss is missing, or there is no row.
        """
        missing = [name for name in _PLAYERS if name not in history]
        if missing or not len(history):
            what = f"has no columns {missing}" if missing else "has no row"
            raise ValueError(f"history {what}; it needs the losses of both players.")
        return cls(history=history, loss=loss, best_iter=best_iter).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> GANTrainingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GANTrainingDisplay
            The display itself.
        """
        self.ax_ = ax = axes_for(ax, (6.4, 4.0))
        self.figure_ = ax.figure
        steps, label = self._steps()
        balance = _BALANCE.get(self.loss or "")
        for number, (column, (name, colour)) in enumerate(_PLAYERS.items()):
            ax.plot(steps, self.history[column], color=colour, label=name)
            if balance is not None:
                words = f"balance of the {name}: {balance[number + 2]}"
                ax.axhline(balance[number], color=colour, ls="--", lw=1, label=words)
        ax.set(xlabel=label, ylabel="loss")
        ax.spines[["top", "right"]].set_visible(False)
        self.score_ax_ = self._draw_score(ax, steps)
        self._add_legend(ax)
        return self

    def _steps(self) -> tuple[Any, str]:
        """Return where the rows stand, and the name of that."""
        if "step" in self.history:
            return self.history["step"].to_numpy(), "step of the generator"
        return np.arange(1, len(self.history) + 1), "run of steps"

    def _draw_score(self, ax: Axes, steps: Any) -> Axes | None:
        """Draw the score of samples and the step that was kept."""
        if "valid_score" not in self.history:
            return None
        values = self.history["valid_score"].to_numpy(dtype=float)
        known = np.isfinite(values)
        if not known.any():
            return None
        right: Axes = ax.twinx()
        label = f"{self.score_name} (right)"
        style: dict[str, Any] = {"marker": "o", "ms": 3, "lw": 1}
        right.plot(steps[known], values[known], color=_SCORE, label=label, **style)
        right.tick_params(axis="y", colors=_SCORE)
        right.spines["top"].set_visible(False)
        if self.best_iter is not None:
            words = f"kept: step {self.best_iter}"
            right.axvline(self.best_iter, color=_BEST, ls=":", label=words)
        return right

    def _add_legend(self, ax: Axes) -> None:
        handles, labels = ax.get_legend_handles_labels()
        if self.score_ax_ is not None:
            more = self.score_ax_.get_legend_handles_labels()
            handles, labels = handles + more[0], labels + more[1]
        ax.legend(
            handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0),
            ncols=2, frameon=False, fontsize="small",
        )  # fmt: skip


def _name_of(loss: Any) -> str | None:
    """Return the name of a pair of losses, None where its balance is elsewhere."""
    if isinstance(loss, str):
        return loss
    if getattr(loss, "smoothing", 0.0):
        return None
    name = getattr(loss, "name", None)
    return name if isinstance(name, str) else None
