"""Did it adapt? Curves of training, and domains before and after, in one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils.validation import _num_samples

from ..containers.domains import Domains, resolve_domains
from ..containers.unlabelled import unlabelled
from ._domain_panels import draw_classes, draw_critic, draw_domains, draw_losses
from ._projections import METHODS, as_table, project, reach_adapted, rows_to_show

__all__ = ["DomainDiagnosticsDisplay"]

Array = NDArray[Any]

_CURVES = ("losses", "critic")
_BY_DOMAIN = ("inputs_by_domain", "features_by_domain")
_BY_CLASS = ("inputs_by_class", "features_by_class")
_TITLES = {"inputs": "Inputs", "features": "Features"}


class DomainDiagnosticsDisplay:
    """Training of an adapted net, and its domains before and after.

    Up to six panels: the losses; how well the discriminator tells the domains apart,
    with the chance line, and lambda; inputs and features in a plane, coloured by domain
    (cold colours and circles for sources, warm ones and triangles for targets) and by
    class. The verdict of the estimator stands above. Where adaptation went well,
    triangles lie among the circles of *their* class; domains that mix while classes
    part ways are the failure that curves do not show. Use :meth:`from_estimator` to
    make one.

    Parameters
    ----------
    history : DataFrame
        One row an epoch, with ``epoch``, ``train_loss`` and, where there was a target,
        ``domain_loss`` and ``discriminator_accuracy``.
    lambda_path : ndarray of shape (n_epochs,)
        Lambda in each epoch; empty if there was no target.
    projections : dict
        ``"inputs"`` and ``"features"``, each an ndarray of shape (n_points, 2) and the
        names of its two axes.
    domains : Domains
        Domain of each point.
    labels : ndarray of shape (n_points,), default=None
        Class, or number, of each point.
    known : ndarray of bool of shape (n_points,), default=None
        Which labels are known. None: all.
    verdict : str, default=""
        A sentence on what the figures say.
    accuracy : float, default=nan
        How well source and target are told apart at the end, where the history does
        not say.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        What was drawn into, by the name of the panel.
    figure_ : matplotlib Figure
        Its figure.
    text_ : matplotlib Text or None
        The verdict; None in axes of the caller.

    See Also
    --------
    mlmi_sklearn.metrics.proxy_a_distance : How far domains are apart, as a number.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from mlmi_sklearn import DANNClassifier
    >>> from mlmi_sklearn.datasets import make_rotated_moons
    >>> from mlmi_sklearn.inspection import DomainDiagnosticsDisplay
    >>> X, y, sample_domain = make_rotated_moons(60, random_state=0)
    >>> dann = DANNClassifier(hidden_layer_sizes=(15,), max_epochs=5, random_state=0)
    >>> dann = dann.fit(X, y, sample_domain)
    >>> shown = DomainDiagnosticsDisplay.from_estimator(dann, X, y, sample_domain)
    >>> list(shown.axes_)[:3]
    ['losses', 'inputs_by_domain', 'features_by_domain']
    """

    def __init__(
        self,
        *,
        history: pd.DataFrame,
        lambda_path: Array,
        projections: Mapping[str, tuple[Array, tuple[str, str]]],
        domains: Domains,
        labels: Array | None = None,
        known: Array | None = None,
        verdict: str = "",
        accuracy: float = float("nan"),
    ) -> None:
        self.history = history
        self.lambda_path = lambda_path
        self.projections = projections
        self.domains = domains
        self.labels = labels
        self.known = known
        self.verdict = verdict
        self.accuracy = accuracy

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        sample_domain: Any = None,
        *,
        projection: str = "pca",
        max_points: int = 1000,
        panels: Sequence[str] | None = None,
        axes: Any = None,
        ax: Any = None,
        random_state: Any = None,
    ) -> DomainDiagnosticsDisplay:
        """Show how a fitted estimator was trained, and rows of its domains.

        Parameters
        ----------
        estimator : estimator
            A fitted ``DANNClassifier``, ``DANNRegressor`` or ``MMEClassifier``, or a
            Pipeline that ends with one; of a search the best estimator is taken.
        X : array-like of shape (n, ...)
            Rows of all domains, stacked, as in ``fit``. Of a Pipeline, "inputs" are
            what the last step sees.
        y : array-like of shape (n,), default=None
            Classes, or numbers, for the colours. Those of the target may be missing;
            where they are known, as in a test, one sees whether classes fit together.
        sample_domain : array-like of shape (n,), scalar, default=None
            One id a row, as in ``fit``. None: rows whose y carries the marker for no
            label are the target.
        projection : {"pca", "tsne"}, default="pca"
            How vectors come into a plane: principal components, or t-SNE, which shows
            clusters better and distances not at all. Vectors with two columns are
            shown as they are.
        max_points : int, default=1000
            Rows shown at most, about as many of each domain, drawn at random.
        panels : sequence of str or None, default=None
            Which panels to draw, see :meth:`plot`.
        axes : array-like of matplotlib Axes or None, default=None
            One for each panel. None makes a figure.
        ax : matplotlib Axes, default=None
            Instead of `axes`: one whose place the panels share.
        random_state : int, RandomState instance or None, default=None
            Determines the rows shown, and t-SNE.

        Returns
        -------
        DomainDiagnosticsDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator keeps no record of adapting.
        ValueError
            If nothing says which rows are the target, or lengths differ.
        """
        if projection not in METHODS:
            raise ValueError(
                f"projection must be one of {[*METHODS]}, got {projection!r}."
            )
        check_scalar(max_points, "max_points", Integral, min_val=2)
        before, final = reach_adapted(estimator)
        numbers = is_regressor(final)
        domains = _domains_of(final, X, y, sample_domain, integers=not numbers)
        rows = rows_to_show(domains, int(max_points), random_state)
        inputs = _safe_indexing(X, rows)
        inputs = inputs if before is None else before.transform(inputs)
        places = {
            "inputs": project(as_table(inputs), projection, random_state),
            "features": project(
                as_table(final.transform(inputs)), projection, random_state
            ),
        }
        labels = None if y is None else np.asarray(y)[rows]
        display = cls(
            history=final.history_,
            lambda_path=np.asarray(final.lambda_path_, dtype=float),
            projections=places,
            domains=domains[rows],
            labels=labels,
            known=None if y is None else _known(y, integers=not numbers)[rows],
            verdict=str(final.adaptation_report_.get("verdict", "")),
            accuracy=float(getattr(final, "discriminator_accuracy_", np.nan)),
        )
        return display.plot(panels=panels, axes=axes, ax=ax)

    def plot(
        self, *, panels: Sequence[str] | None = None, axes: Any = None, ax: Any = None
    ) -> DomainDiagnosticsDisplay:
        """Draw.

        Parameters
        ----------
        panels : sequence of str, default=None
            Which, in which order: ``"losses"``, ``"critic"``, ``"inputs_by_domain"``,
            ``"features_by_domain"``, ``"inputs_by_class"``, ``"features_by_class"``.
            None: all, those by class only if there are labels.
        axes : array-like of matplotlib Axes, default=None
            Where to draw, one a panel. None makes a figure, with the verdict above.
        ax : matplotlib Axes, default=None
            Instead of `axes`: one whose place the panels share.

        Returns
        -------
        DomainDiagnosticsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If a panel is unknown, needs labels that are not there, or `axes` are not
            as many as panels, or `ax` is given beside them.
        """
        names = self._panels(panels)
        if ax is not None:
            if axes is not None:
                raise ValueError("give ax or axes, not both.")
            axes = _share(ax, len(names))
        if axes is None:
            places, self.text_ = _new_axes(names, self.verdict)
        else:
            given = np.ravel(np.asarray(axes, dtype=object))
            if len(given) != len(names):
                raise ValueError(
                    f"axes must hold one for each of the {len(names)} panels "
                    f"{names}, got {len(given)}."
                )
            places, self.text_ = dict(zip(names, given, strict=True)), None
        self.axes_ = places
        self.figure_ = next(iter(places.values())).figure
        for name, ax in places.items():
            self._draw(name, ax)
        return self

    def _panels(self, wanted: Sequence[str] | None) -> list[str]:
        """Return names of panels; refuse those that cannot be drawn."""
        rows: tuple[str, ...]
        if self.labels is None:
            rows = (*_CURVES, *_BY_DOMAIN)
        else:  # in a grid with three columns, classes below domains
            rows = (_CURVES[0], *_BY_DOMAIN, _CURVES[1], *_BY_CLASS)
        if wanted is None:
            return list(rows)
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        every = (*_CURVES, *_BY_DOMAIN, *_BY_CLASS)
        for name in names:
            if name not in every:
                raise ValueError(f"panels must be among {[*every]}, got {name!r}.")
            if name not in rows:
                raise ValueError(f"panels: {name!r} needs labels; pass y.")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"panels must name one or more, each once, got {names}.")
        return names

    def _draw(self, name: str, ax: Axes) -> None:
        """Draw one panel."""
        if name == "losses":
            return draw_losses(ax, self.history)
        if name == "critic":
            return draw_critic(ax, self.history, self.lambda_path, self.accuracy)
        which, kind = name.split("_by_")
        where = (*self.projections[which], _TITLES[which], self.domains)
        if kind == "domain":
            return draw_domains(ax, *where)
        labels = np.asarray(self.labels)
        known = np.ones(len(labels), bool) if self.known is None else self.known
        return draw_classes(ax, *where, labels, known)


def _domains_of(
    estimator: Any, X: Any, y: Any, sample_domain: Any, *, integers: bool
) -> Domains:
    """Return the domains of the rows; refuse rows of which nothing is known."""
    n = _num_samples(X)
    if y is not None and _num_samples(y) != n:
        raise ValueError(f"X has {n} rows, but y has {_num_samples(y)} entries.")
    domains = resolve_domains(
        sample_domain,
        n,
        y=y,
        target_domains=getattr(estimator, "target_domains", None),
        integers=integers,
    )
    if domains is None:
        raise ValueError(
            "sample_domain is needed to tell source from target: one id a row, at "
            "least 0 for sources and below 0 for targets. Without it, rows of y that "
            "carry the marker for no label (-1, NaN or None) would be the target, and "
            "there are none."
        )
    return domains


def _known(y: Any, *, integers: bool) -> Array:
    """Return which labels are known."""
    hidden = unlabelled(y, integers=integers)
    if hidden is None:
        return np.ones(_num_samples(y), dtype=bool)
    return np.asarray(~hidden.reshape(len(hidden), -1).any(axis=1))


def _rows_and_columns(n: int) -> tuple[int, int]:
    columns = min(n, 2 if n == 4 else 3)
    return -(-n // columns), columns


def _share(ax: Axes, n: int) -> list[Axes]:
    """Return so many axes that share the place of one."""
    ax.set_axis_off()
    n_rows, columns = _rows_and_columns(n)
    width, height = 1 / columns, 1 / n_rows
    corners = [divmod(number, columns) for number in range(n)]
    return [
        # Room is left for titles and labels of axes.
        ax.inset_axes((col * width, 1 - (row + 1) * height, 0.78 * width, 0.7 * height))
        for row, col in corners
    ]


def _new_axes(names: Sequence[str], verdict: str) -> tuple[dict[str, Axes], Any]:
    """Return axes in a figure that ``plt.show()`` will show, and the text above."""
    # Only here, so that drawing into given axes leaves pyplot as it is.
    import matplotlib.pyplot as plt

    n_rows, columns = _rows_and_columns(len(names))
    size = (3.6 * columns, 3.5 * n_rows + 0.5)
    figure, grid = plt.subplots(
        n_rows, columns, figsize=size, layout="constrained", squeeze=False
    )
    for unused in grid.ravel()[len(names) :]:
        unused.set_axis_off()
    places = dict(zip(names, grid.ravel(), strict=False))
    if not verdict:
        return places, None
    lines = textwrap.fill(verdict, 46 * columns)
    return places, figure.suptitle(lines, fontsize="medium", x=0.01, ha="left")
