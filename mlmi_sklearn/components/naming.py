"""Names: the kinds of component, what a name may look like, close matches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from types import MappingProxyType

from ..exceptions import ComponentNotFoundError

__all__ = [
    "BUILTIN_DIST",
    "HOOKS",
    "KINDS",
    "USER_DIST",
    "canonical_dist",
    "check_kind",
    "check_name",
    "did_you_mean",
    "family_prefix",
    "suggest",
]

#: Every hook of a plugin and the kind of component it registers.
HOOKS = MappingProxyType(
    {
        "mlmi_register_backbones": "backbone",
        "mlmi_register_losses": "loss",
        "mlmi_register_poolings": "pooling",
        "mlmi_register_divergences": "divergence",
        "mlmi_register_adversarial_losses": "adversarial-loss",
        "mlmi_register_augmentations": "augmentation",
        "mlmi_register_generators": "generator",
        "mlmi_register_meta_methods": "meta-method",
        "mlmi_register_slide_readers": "slide-reader",
        "mlmi_register_estimators": "estimator",
    }
)

#: The kinds of component, in the order in which listings show them.
KINDS: tuple[str, ...] = tuple(HOOKS.values())

#: Provenance of the parts that come with the package.
BUILTIN_DIST = "mlmi-sklearn"

#: Provenance of what :func:`register_component` adds while a program runs.
USER_DIST = "user"

_PART = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Estimators read "auto" as "choose by the input", so no part can have that name.
_RESERVED = frozenset({"auto"})


def canonical_dist(name: str) -> str:
    """Return the spelling under which two distribution names are the same.

    Parameters
    ----------
    name : str
        Distribution name as written by its author.

    Returns
    -------
    str
        Lower case, with runs of ``-``, ``_`` and ``.`` made one hyphen (PEP 503).

    Examples
    --------
    >>> canonical_dist("My_Plug.in")
    'my-plug-in'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def suggest(word: str, options: Iterable[str], n: int = 3) -> list[str]:
    """Return the options that look most like a word that was not found.

    Parameters
    ----------
    word : str
        What was asked for.
    options : iterable of str
        What there is.
    n : int, default=3
        At most so many suggestions.

    Returns
    -------
    list of str
        Best match first; empty when nothing is near. Case and the choice between
        hyphen, underscore and space do not count as differences.

    Examples
    --------
    >>> suggest("Cross_Entropy", ["mse", "cross-entropy", "focal"])
    ['cross-entropy']
    >>> suggest("xyz", ["mse", "focal"])
    []
    """
    matcher = SequenceMatcher()
    matcher.set_seq2(_folded(word))
    scored = []
    for option in dict.fromkeys(options):
        matcher.set_seq1(_folded(option))
        scored.append((matcher.ratio(), option))
    near = sorted((pair for pair in scored if pair[0] >= 0.6), key=lambda p: -p[0])
    return [option for _, option in near[:n]]


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return a question with close matches, to be appended to an error message.

    Parameters
    ----------
    word : str
        What was asked for.
    options : iterable of str
        What there is.

    Returns
    -------
    str
        Starts with a space; empty when nothing is near.

    Examples
    --------
    >>> did_you_mean("mpl", ["mlp", "conv"])
    " Did you mean 'mlp'?"
    """
    near = suggest(word, options)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def check_kind(kind: str) -> str:
    """Return the canonical name of a kind of component.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`; underscores and spaces count as hyphens.

    Returns
    -------
    str
        A member of :data:`KINDS`.

    Raises
    ------
    ComponentNotFoundError
        When there is no such kind.

    Examples
    --------
    >>> check_kind("adversarial_loss")
    'adversarial-loss'
    """
    if not isinstance(kind, str):
        raise TypeError(f"kind must be a str, got {type(kind).__name__}: {kind!r}.")
    folded = _folded(kind)
    if folded not in KINDS:
        raise ComponentNotFoundError(
            f"kind={kind!r} is not a kind of component."
            f"{did_you_mean(kind, KINDS)} The kinds are: {', '.join(KINDS)}."
        )
    return folded


def check_name(kind: str, name: object) -> str:
    """Return the name of a component after checking that it is well formed.

    Parameters
    ----------
    kind : str
        A member of :data:`KINDS`.
    name : object
        The name somebody wants to register; ``"prefix:*"`` for a family of parts.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ValueError, TypeError
        When it is not a legal name of that kind.

    Examples
    --------
    >>> check_name("loss", "smooth-l1")
    'smooth-l1'
    >>> check_name("backbone", "timm:*")
    'timm:*'
    """
    if not isinstance(name, str):
        raise TypeError(
            f"the name of a component must be a str, got {type(name).__name__}: "
            f"{name!r}."
        )
    if kind == "estimator":
        if not _CLASS.fullmatch(name):
            raise ValueError(
                f"estimator name {name!r} must be a class name such as 'MILClassifier'."
            )
    elif prefix := family_prefix(name):
        _check_prefix(kind, name, prefix[:-1])
    elif not _PART.fullmatch(name):
        raise ValueError(
            f"{kind} name {name!r} must be lower-case letters and digits, with "
            "'.', '_' or '-' only in between, such as 'smooth-l1'."
        )
    if name in _RESERVED:
        raise ValueError(
            f"{kind} name {name!r} is reserved: estimators read it as 'choose for "
            "me'. Take another name."
        )
    return name


def family_prefix(name: str) -> str:
    """Return what the names of the members of a family begin with.

    Parameters
    ----------
    name : str
        Name of a component.

    Returns
    -------
    str
        ``"timm:"`` for the family ``"timm:*"``; empty for a name that is no family's.

    Examples
    --------
    >>> family_prefix("timm:*"), family_prefix("mlp")
    ('timm:', '')
    """
    return name[:-1] if name.endswith(":*") else ""


def _check_prefix(kind: str, name: str, prefix: str) -> None:
    """Raise unless a family can have this prefix."""
    if not _PART.fullmatch(prefix):
        raise ValueError(
            f"{kind} name {name!r} must have lower-case letters and digits before "
            "':*', such as 'timm:*'."
        )
    if canonical_dist(prefix) in (BUILTIN_DIST, USER_DIST):
        raise ValueError(
            f"{kind} name {name!r} is reserved: {prefix!r} before a colon says where a "
            "part comes from. Take another prefix."
        )


def _folded(word: str) -> str:
    """Drop the differences in spelling that never matter."""
    return word.strip().lower().replace("_", "-").replace(" ", "-")
