"""Which weights are trained, from which epoch on, and at which rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from ..nn.transfer import layers_of

__all__ = ["Group", "TrainingOrder", "covers_backbone", "match_names", "read_patterns"]

_NEVER = 2**62


@dataclass(frozen=True)
class Group:
    """Weights that are trained from the same epoch on and at the same rate.

    Parameters
    ----------
    epoch : int
        First epoch, counted from 1, in which they are trained.
    factor : float
        On the learning rate.
    names : tuple of str
        Names of the parameters.
    """

    epoch: int
    factor: float
    names: tuple[str, ...]


def read_patterns(value: Any, argument: str) -> tuple[str, ...]:
    """Return one pattern or several as a tuple.

    Parameters
    ----------
    value : str or sequence of str
        What the user passed.
    argument : str
        Name of the parameter, for the error.

    Returns
    -------
    tuple of str
        The patterns.

    Raises
    ------
    TypeError
        If it holds anything but strings.

    Examples
    --------
    >>> read_patterns("backbone.*", "freeze")
    ('backbone.*',)
    """
    patterns = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(
            f"{argument} must be a pattern on names of parameters, such as "
            f"'backbone.*', or a sequence of patterns, got {value!r}."
        )
    return patterns


def match_names(
    names: Iterable[str], patterns: Sequence[str], argument: str
) -> set[str]:
    """Return the names that match one of the patterns.

    Parameters
    ----------
    names : iterable of str
        Names of parameters.
    patterns : sequence of str
        As for :func:`fnmatch.fnmatchcase`; ``*`` goes across dots.
    argument : str
        Name of the parameter that holds the patterns, for the error.

    Returns
    -------
    set of str
        The names.

    Raises
    ------
    ValueError
        If a pattern matches nothing; the message lists the names.

    Examples
    --------
    >>> sorted(match_names(["backbone.0.bias", "head.bias"], ["head.*"], "freeze"))
    ['head.bias']
    """
    known = list(names)
    matched: set[str] = set()
    for pattern in patterns:
        found = {name for name in known if fnmatchcase(name, pattern)}
        if not found:
            raise ValueError(
                f"{argument}: {pattern!r} matches no parameter. The parameters are "
                f"{known}."
            )
        matched |= found
    return matched


def covers_backbone(freeze: Any, names: Iterable[str]) -> bool:
    """Tell whether patterns freeze all weights of the backbone.

    Parameters
    ----------
    freeze : str or sequence of str
        The patterns.
    names : iterable of str
        Names of all parameters of the model.

    Returns
    -------
    bool
        True also for a backbone without weights.
    """
    patterns = read_patterns(freeze, "freeze")
    body = [name for name in names if name.startswith("backbone.")]
    return all(any(fnmatchcase(name, p) for p in patterns) for name in body)


class TrainingOrder:
    """When each weight of a module is trained, and how fast.

    Parameters
    ----------
    module : nn.Module
        With ``backbone`` and ``head``.
    freeze : str or sequence of str
        Patterns of names that are not trained.
    unfreeze : None, "gradual" or mapping of int to patterns
        ``"gradual"`` trains the head in the first epoch, and one more layer from the
        top down in each epoch after it, as in section 3.3 of Howard and Ruder (2018).
        A mapping says which of the frozen weights are trained from which epoch on,
        counted from 1.
    lr_decay : float
        Each layer is trained at the rate of the layer above it times this
        (discriminative fine-tuning, section 3.2 there).

    Attributes
    ----------
    epoch_of : dict of str to int
        First epoch in which each parameter is trained; those that never are are
        missing.
    layers : list of Layer
        From the input up.

    Raises
    ------
    ValueError, TypeError
        If a pattern matches nothing, nothing is left to train in the first epoch, or
        ``unfreeze`` names no frozen weights or no epoch.

    References
    ----------
    Howard and Ruder, *Universal language model fine-tuning for text classification*,
    ACL 2018.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> from mlmi_sklearn.nn.transfer import TransferModule
    >>> net = TransferModule(MLP((4,), hidden=(8, 8)), nn.Linear(8, 3))
    >>> order = TrainingOrder(net, (), "gradual", lr_decay=0.5)
    >>> [(group.epoch, group.factor, group.names[1]) for group in order.groups]
    [(1, 1.0, 'head.bias'), (2, 0.5, 'backbone.2.bias'), (3, 0.25, 'backbone.0.bias')]
    """

    def __init__(
        self, module: nn.Module, freeze: Any, unfreeze: Any, lr_decay: float
    ) -> None:
        self.layers = layers_of(module)
        names = [name for layer in self.layers for name in layer.names]
        frozen = match_names(names, read_patterns(freeze, "freeze"), "freeze")
        self.epoch_of = {name: 1 for name in names if name not in frozen}
        if isinstance(unfreeze, Mapping):
            self._thaw(frozen, unfreeze)
        elif unfreeze is not None:
            self._gradually()
        depths = reversed(range(len(self.layers)))
        self.factor_of = {
            name: lr_decay**depth
            for depth, layer in zip(depths, self.layers, strict=True)
            for name in layer.names
        }
        if 1 not in self.epoch_of.values():
            raise ValueError(
                f"freeze={freeze!r} leaves nothing to train in the first epoch. Leave "
                f"out some of {names}."
            )

    @property
    def groups(self) -> list[Group]:
        """Groups of weights, earlier epochs first."""
        members: dict[tuple[int, float], list[str]] = {}
        for name, epoch in self.epoch_of.items():
            members.setdefault((epoch, self.factor_of[name]), []).append(name)
        order = sorted(members, key=lambda key: (key[0], -key[1]))
        return [Group(*key, tuple(members[key])) for key in order]

    @property
    def backbone_is_fixed(self) -> bool:
        """Whether no weight of the backbone is ever trained."""
        return not any(name.startswith("backbone.") for name in self.epoch_of)

    def trained(self, epoch: int) -> set[str]:
        """Return the parameters that are trained in an epoch, counted from 1."""
        return {name for name, first in self.epoch_of.items() if first <= epoch}

    def still_norms(self, epoch: int) -> list[nn.Module]:
        """Return the normalisations whose statistics stay as they are in an epoch."""
        trained = self.trained(epoch)
        return [
            norm.module
            for layer in self.layers
            for norm in layer.norms
            if trained.isdisjoint(norm.names or layer.names)
        ]

    def _thaw(self, frozen: set[str], unfreeze: Mapping[Any, Any]) -> None:
        """Set the first epoch of frozen weights that are trained later."""
        for epoch, value in sorted(unfreeze.items(), key=lambda item: str(item[0])):
            if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 1:
                raise ValueError(
                    f"unfreeze has the key {epoch!r}; keys are epochs, counted from 1."
                )
            argument = f"unfreeze[{epoch}] (among what freeze holds)"
            patterns = read_patterns(value, "unfreeze")
            for name in match_names(sorted(frozen), patterns, argument):
                self.epoch_of[name] = min(epoch, self.epoch_of.get(name, _NEVER))

    def _gradually(self) -> None:
        """Begin with the topmost layer, one more in each epoch."""
        epoch = 1
        for layer in reversed(self.layers):
            own = [name for name in layer.names if name in self.epoch_of]
            for name in own:
                self.epoch_of[name] = epoch
            epoch += bool(own)
