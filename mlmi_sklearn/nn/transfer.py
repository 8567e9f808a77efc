"""What a net that is trained a second time is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._checks import check_interval, check_positive_int

__all__ = [
    "Features",
    "Layer",
    "Norm",
    "SphereHead",
    "TransferModule",
    "layers_of",
    "unit_rows",
]

# Where a learned scale begins (Gidaris and Komodakis 2018).
_FIRST_SCALE = 10.0


class Features:
    """A batch that has been through the backbone already.

    Parameters
    ----------
    values : Tensor of shape (B, D)
        Its features.
    """

    __slots__ = ("values",)

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def to(self, device: torch.device) -> Features:
        """Move to ``device``."""
        return Features(self.values.to(device))


class TransferModule(nn.Module):
    """A backbone and a head that can be told apart, and trained apart.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features).
    head : nn.Module
        Maps (B, out_features) to raw scores.
    scale : nn.Module or None, default=None
        What inputs go through first, such as the standardisation of another model.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = TransferModule(MLP((4,), hidden=8), nn.Linear(8, 3))
    >>> x = torch.randn(2, 4)
    >>> features = model.features(x)
    >>> features.shape, torch.equal(model(Features(features)), model(x))
    (torch.Size([2, 8]), True)
    """

    def __init__(
        self, backbone: nn.Module, head: nn.Module, scale: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.scale = scale
        self.backbone = backbone
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Return features (B, out_features) of inputs."""
        return self.backbone(x if self.scale is None else self.scale(x))

    def forward(self, x: Tensor | Features) -> Tensor:
        """Return raw scores (B, n_outputs) of inputs, or of what is features already.

        Parameters
        ----------
        x : Tensor of shape (B, ...) or Features
            A batch.

        Returns
        -------
        Tensor of shape (B, n_outputs)
            Raw scores.
        """
        return self.head(x.values if isinstance(x, Features) else self.features(x))


class SphereHead(nn.Module):
    r"""Cosine of the angle between features and one prototype a class.

    The score of class k for features :math:`f` is

    .. math:: s \, \frac{w_k^\top f}{\lVert w_k \rVert \, \lVert f \rVert},

    so that neither the length of the features nor that of a prototype counts, which
    keeps features of one class close to each other.

    Parameters
    ----------
    in_features : int
        Width D of the features.
    n_outputs : int
        Columns of the scores: one a class; 1 for two classes, whose score is that of
        the second class minus that of the first.
    scale : float or "learn", default="learn"
        s, above 0; "learn" begins at 10 and is trained with the prototypes.

    Attributes
    ----------
    weight : Parameter of shape (n_classes, in_features)
        The prototypes, two for one output.

    Raises
    ------
    ValueError
        If a number is out of its range.

    See Also
    --------
    mlmi_sklearn.nn.heads.CosineHead : With prototypes of any length.

    References
    ----------
    Chen, Liu, Kira, Wang and Huang, *A closer look at few-shot classification*, ICLR
    2019, section 3.2 (Baseline++). Gidaris and Komodakis, *Dynamic few-shot visual
    learning without forgetting*, CVPR 2018, for the learned scale.

    Examples
    --------
    >>> head = SphereHead(8, n_outputs=3, scale=2.0)
    >>> scores = head(torch.randn(5, 8))
    >>> scores.shape, bool((scores.abs() <= 2.0001).all())
    (torch.Size([5, 3]), True)
    """

    weight: nn.Parameter

    def __init__(
        self, in_features: int, n_outputs: int, scale: float | str = "learn"
    ) -> None:
        super().__init__()
        self.in_features = check_positive_int(in_features, "in_features")
        self.n_outputs = check_positive_int(n_outputs, "n_outputs")
        learn = scale == "learn"
        start = (
            _FIRST_SCALE if learn else check_interval(scale, "scale", closed="neither")
        )
        # Of length 1: the longer a prototype, the slower it turns.
        self.weight = nn.Parameter(
            unit_rows(torch.randn(max(n_outputs, 2), in_features))
        )
        # Its logarithm is trained: a scale stays above zero whatever the step.
        log_scale = torch.tensor(start).log()
        if learn:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, features: Tensor) -> Tensor:
        """Return scores.

        Parameters
        ----------
        features : Tensor of shape (B, in_features)
            Features of any length; those of length 0 have scores of 0.

        Returns
        -------
        Tensor of shape (B, n_outputs)
            Scores.
        """
        return self.scores(unit_rows(features))

    def scores(self, unit: Tensor) -> Tensor:
        """Return scores of features of length 1.

        Parameters
        ----------
        unit : Tensor of shape (B, in_features)
            Features, divided by their length.

        Returns
        -------
        Tensor of shape (B, n_outputs)
            Scores.
        """
        factor = self.log_scale.exp() / _length(self.weight)[:, 0]
        cosines = F.linear(unit, self.weight) * factor
        return cosines if self.n_outputs > 1 else cosines[:, 1:] - cosines[:, :1]

    @torch.no_grad()
    def imprint(self, features: Tensor, members: Tensor) -> None:
        """Put each prototype in the middle of the features of its class.

        Parameters
        ----------
        features : Tensor of shape (n, in_features)
            Features of labelled rows.
        members : Tensor of shape (n, n_classes)
            Weight of each row in each class. A class without any keeps its prototype.

        References
        ----------
        Qi, Brown and Lowe, *Low-shot learning with imprinted weights*, CVPR 2018.
        """
        unit = unit_rows(features)
        centre = unit_rows(members.to(unit.dtype).T @ unit)
        found = centre.abs().sum(dim=1) > 0
        self.weight[found] = centre[found].to(self.weight.dtype)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows in the brackets."""
        return f"{self.in_features}, {self.n_outputs}"


def _length(rows: Tensor) -> Tensor:
    """Return lengths (B, 1), above zero."""
    return torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-12)


def unit_rows(rows: Tensor) -> Tensor:
    """Return rows (B, D) of length 1; rows of zeros stay.

    Parameters
    ----------
    rows : Tensor of shape (B, D)
        Rows of any length.

    Returns
    -------
    Tensor of shape (B, D)
        The rows divided by their length.
    """
    return rows / _length(rows)


class Norm(NamedTuple):
    """A normalisation with running statistics.

    Parameters
    ----------
    module : nn.Module
        The layer.
    names : tuple of str
        Names of its own parameters; empty if it has none.
    """

    module: nn.Module
    names: tuple[str, ...]


class Layer(NamedTuple):
    """What is frozen, unfrozen and given a learning rate together.

    Parameters
    ----------
    names : tuple of str
        Names of its parameters in the whole module.
    norms : tuple of Norm
        Its normalisations with running statistics.
    """

    names: tuple[str, ...]
    norms: tuple[Norm, ...]


def layers_of(module: nn.Module) -> list[Layer]:
    """Cut a module into layers, in the order in which they were registered.

    A layer begins with a module that has a matrix or a kernel of its own; what has
    only vectors, such as a normalisation, belongs to the layer before it.

    Parameters
    ----------
    module : nn.Module
        The module; of a :class:`TransferModule` the head comes last.

    Returns
    -------
    list of Layer
        From the input up. Every parameter is in exactly one.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    >>> [layer.names for layer in layers_of(net)]
    [('0.weight', '0.bias', '1.weight', '1.bias'), ('2.weight', '2.bias')]
    """
    left = {id(p): name for name, p in module.named_parameters()}
    layers: list[tuple[list[str], list[Norm]]] = []
    top = ""
    for path, part in module.named_modules():
        own = [p for p in part.parameters(recurse=False) if id(p) in left]
        names = [left.pop(id(p)) for p in own]
        # A head that has only vectors is still no part of the backbone.
        moved = isinstance(module, TransferModule) and path.partition(".")[0] != top
        if own and (moved or not layers or any(p.ndim > 1 for p in own)):
            layers.append(([], []))
            top = path.partition(".")[0]
        if own:
            layers[-1][0].extend(names)
        if layers and _has_statistics(part):
            layers[-1][1].append(Norm(part, tuple(names)))
    return [Layer(tuple(names), tuple(norms)) for names, norms in layers]


def _has_statistics(part: Any) -> bool:
    return isinstance(getattr(part, "running_mean", None), Tensor)
