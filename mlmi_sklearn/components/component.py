"""One registered part: what it is called, where it comes from, how to build it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..exceptions import PluginError
from .naming import BUILTIN_DIST, USER_DIST, check_kind, check_name

__all__ = ["Component", "describe_error", "failures_in_use"]

_LAZY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
# These factories are called with the size of their input, or a path, first.
_SIZED = frozenset({"backbone", "pooling", "divergence", "slide-reader"})

#: Last failure of every third-party part that failed in use, for `list_plugins`.
failures_in_use: dict[tuple[str, str, str], str] = {}


@dataclass(frozen=True)
class Component:
    """A named part together with its provenance.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    name : str
        Short name, such as ``"mlp"``.
    factory : callable or str
        What builds the part, or ``"package.module:attribute"``, imported on first
        use.
    summary : str
        One line for listings.
    tags, example : mapping
        Facts to select by, and arguments with which checks can build the part. Both
        are kept as read-only copies.
    dist, version : str
        The distribution that registered the part; ``"user"`` for
        :func:`register_component`.

    Examples
    --------
    >>> part = Component("loss", "sum", "builtins:sum", "Sum.", dist="demo")
    >>> part.qualified_name, part.load()([1, 2])
    ('demo:sum', 3)
    """

    kind: str
    name: str
    factory: Callable[..., Any] | str = field(hash=False)
    summary: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict, hash=False)
    example: Mapping[str, Any] = field(default_factory=dict, hash=False)
    dist: str = USER_DIST
    version: str = ""

    def __post_init__(self) -> None:
        """Check every field, and freeze the mappings."""
        object.__setattr__(self, "kind", check_kind(self.kind))
        check_name(self.kind, self.name)
        _check_factory(self)
        if not isinstance(self.summary, str):
            raise TypeError(
                f"summary of {self.label} must be a str, "
                f"got {type(self.summary).__name__}."
            )
        for key in ("tags", "example"):
            object.__setattr__(self, key, _frozen(self, key))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        # Read-only views of mappings cannot be pickled, plain dicts can.
        return type(self), (
            self.kind,
            self.name,
            self.factory,
            self.summary,
            dict(self.tags),
            dict(self.example),
            self.dist,
            self.version,
        )

    @property
    def label(self) -> str:
        """Kind and name as error messages quote them."""
        return f"{self.kind} {self.name!r}"

    @property
    def qualified_name(self) -> str:
        """Name that is unambiguous whatever else is installed, ``"dist:name"``."""
        return f"{self.dist}:{self.name}"

    @property
    def third_party(self) -> bool:
        """Whether a plugin registered this part."""
        return self.dist not in (BUILTIN_DIST, USER_DIST)

    def load(self) -> Callable[..., Any]:
        """Return the factory, importing it when it was given as a string.

        Returns
        -------
        callable
            The same object at every call.

        Raises
        ------
        PluginError
            When the import fails, or gives something that cannot be called. A failed
            import is tried again at the next call.
        """
        found: Callable[..., Any] | None = self.__dict__.get("_loaded")
        if found is None:
            found = self._import()
            failures_in_use.pop((self.kind, self.dist, self.name), None)
            # Frozen for users; the cache is not part of the value.
            object.__setattr__(self, "_loaded", found)
        return found

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """Call the factory.

        Parameters
        ----------
        *args, **kwargs
            Passed on.

        Returns
        -------
        object
            What the factory returns.

        Raises
        ------
        PluginError
            When a plugin's factory fails. ``ValueError`` and ``TypeError`` pass
            unchanged, as they speak about the arguments; so does every error of a
            built-in or user-registered factory.

        Examples
        --------
        >>> Component("loss", "sum", sum).build([1, 2, 3])
        6
        """
        factory = self.load()
        if not self.third_party:
            return factory(*args, **kwargs)
        try:
            return factory(*args, **kwargs)
        except (ValueError, TypeError, PluginError, KeyboardInterrupt):
            raise
        # A plugin that calls sys.exit must not end the user's program.
        except BaseException as error:
            raise self._failure("failed", error) from error

    def parameters(self) -> dict[str, inspect.Parameter]:
        """Return what can be set by keyword when the part is built.

        Returns
        -------
        dict of str to inspect.Parameter
            In the order of the signature, without the leading size of the input that
            backbones, poolings and divergences take, the path of slide readers, and
            ``*args`` and ``**kwargs``. Empty for a factory that has no signature.

        Examples
        --------
        >>> def tiny(input_shape, hidden=(8,)): ...
        >>> list(Component("backbone", "tiny", tiny).parameters())
        ['hidden']
        """
        found = self._signature()
        if self.kind in _SIZED and found and found[0].kind in _POSITIONAL:
            found = found[1:]
        keyword = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        )
        return {p.name: p for p in found if p.kind in keyword}

    @property
    def takes_any_parameter(self) -> bool:
        """Whether the factory has a ``**kwargs`` that accepts further keywords."""
        return any(p.kind is p.VAR_KEYWORD for p in self._signature())

    def _signature(self) -> list[inspect.Parameter]:
        """Return all parameters of the factory; none when it cannot say."""
        try:
            return list(inspect.signature(self.load()).parameters.values())
        except (ValueError, TypeError):
            return []

    def _import(self) -> Callable[..., Any]:
        """Resolve the factory and make sure that it can be used as one."""
        target: Any = self.factory
        if isinstance(target, str):
            module, _, path = target.partition(":")
            try:
                target = importlib.import_module(module)
                for attribute in path.split("."):
                    target = getattr(target, attribute)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise self._failure(f"cannot import {self.factory!r}", error) from error
        if not callable(target):
            raise self._failure(
                f"{self.factory!r} is a {type(target).__name__}, which cannot be called"
            )
        if self.kind == "estimator" and not inspect.isclass(target):
            raise self._failure(f"{self.factory!r} is not a class")
        return target

    def _failure(self, what: str, error: BaseException | None = None) -> PluginError:
        """Make the error that names distribution, part and cause; remember it."""
        reason = f"{self.label}: {what}"
        if error is not None:
            reason = f"{reason}: {describe_error(error)}"
        if self.third_party:
            failures_in_use[self.kind, self.dist, self.name] = reason
        advice = (
            f" This is a fault of that plugin, not of your call; update "
            f"{self.dist!r} or report it to its authors."
            if self.third_party
            else ""
        )
        return PluginError(f"distribution {self.dist!r}, {reason}.{advice}")


def describe_error(error: BaseException, limit: int = 400) -> str:
    """Return one line that names an exception, whatever its author did to it.

    Parameters
    ----------
    error : BaseException
        The exception.
    limit : int, default=400
        Longest text kept, in characters.

    Returns
    -------
    str
        Type and message, on one line.

    Examples
    --------
    >>> describe_error(KeyError("a"))
    "KeyError: 'a'"
    """
    try:
        text = " ".join(str(error).split())
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = "(its message cannot be shown)"
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _check_factory(part: Component) -> None:
    """Raise unless the factory is a callable or names one."""
    factory = part.factory
    if isinstance(factory, str):
        if not _LAZY.fullmatch(factory):
            raise ValueError(
                f"factory {factory!r} of {part.label} must look like "
                "'package.module:attribute'."
            )
    elif not callable(factory):
        raise TypeError(
            f"factory of {part.label} must be a callable or a string "
            f"'package.module:attribute', got {type(factory).__name__}: {factory!r}."
        )


def _frozen(part: Component, key: str) -> Mapping[str, Any]:
    """Return a read-only copy of a mapping whose keys can be used as keywords."""
    value = getattr(part, key)
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{key} of {part.label} must be a mapping, got {type(value).__name__}: "
            f"{value!r}."
        )
    # list_components(kind, builtin=..., **tags) could never select by these.
    reserved = {"kind", "builtin"} if key == "tags" else set()
    for name in value:
        if not (isinstance(name, str) and name.isidentifier()) or name in reserved:
            but = f", other than {sorted(reserved)}" if reserved else ""
            raise ValueError(
                f"{key} of {part.label} has the key {name!r}; keys must be usable as "
                f"keyword arguments{but}."
            )
    return MappingProxyType(dict(value))
