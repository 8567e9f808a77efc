"""One registered part: what it is called, where it comes from, how to build it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..exceptions import ComponentNotFoundError, PluginError
from .failures import describe_error, failures_in_use
from .fields import check_factory, check_members, frozen
from .naming import BUILTIN_DIST, USER_DIST, check_kind, check_name, family_prefix

__all__ = ["Component", "describe_error", "failures_in_use"]

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
# These factories are called with the size of their input, or a path, first.
_SIZED = frozenset({"backbone", "pooling", "divergence", "slide-reader"})


@dataclass(frozen=True)
class Component:
    """A named part together with its provenance.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    name : str
        Short name, such as ``"mlp"``; ``"prefix:*"`` for a family of parts, each of
        which has a name of its own after the colon.
    factory : callable or str
        What builds the part, or ``"package.module:attribute"``, imported on first
        use. That of a family takes the name of a member and returns its factory.
    summary : str
        One line for listings.
    tags, example : mapping, default={}
        Facts to select by, and arguments with which checks can build the part. Both
        are kept as read-only copies.
    dist, version : str, default="user", ""
        The distribution that registered the part; ``"user"`` for
        :func:`register_component`.
    member : str, default=""
        Which one of a family it is.

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
    member: str = ""

    def __post_init__(self) -> None:
        """Check every field, and freeze the mappings."""
        object.__setattr__(self, "kind", check_kind(self.kind))
        check_name(self.kind, self.registered_name)
        check_factory(self.label, self.factory)
        if not isinstance(self.summary, str):
            raise TypeError(
                f"summary of {self.label} must be a str, "
                f"got {type(self.summary).__name__}."
            )
        for key in ("tags", "example"):
            object.__setattr__(self, key, frozen(self.label, key, getattr(self, key)))
        if self.is_family:
            check_members(self.label, self.tags)

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
            self.member,
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

    @property
    def is_family(self) -> bool:
        """Whether it stands for many parts, whose names begin alike."""
        return bool(family_prefix(self.name))

    @property
    def registered_name(self) -> str:
        """Name that was registered: for a member, that of its family."""
        return self.name.removesuffix(self.member) + "*" if self.member else self.name

    def named(self, name: str) -> Component | None:
        """Return what a name means to this part.

        Parameters
        ----------
        name : str
            A name without distribution.

        Returns
        -------
        Component or None
            The part itself if that is its name, a member of the family if it is one;
            whether the family has such a member shows when that is loaded.

        Examples
        --------
        >>> part = Component(
        ...     "backbone", "zoo:*", "zoo:get", tags={"members": ("ape",)}
        ... )
        >>> part.named("zoo:bear").name
        'zoo:bear'
        """
        if name == self.name:
            return self
        prefix = family_prefix(self.name)
        member = name.removeprefix(prefix)
        if not prefix or member in (name, ""):
            return None
        # One object for each, so that what it has loaded is kept.
        known: dict[str, Component] = self.__dict__.setdefault("_members", {})
        return known.get(member) or known.setdefault(member, self._one(name, member))

    def members(self) -> list[Component]:
        """Return the members of a family that it names as examples.

        Returns
        -------
        list of Component
            Of a part that is no family, that part.
        """
        if not self.is_family:
            return [self]
        prefix = family_prefix(self.name)
        return [part for m in self.tags["members"] if (part := self.named(prefix + m))]

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
        ComponentNotFoundError
            When a family has no such member.
        ValueError
            For a family, of which a member has to be named.
        """
        found: Callable[..., Any] | None = self.__dict__.get("_loaded")
        if found is None:
            found = self._select(self._import())
            failures_in_use.pop((self.kind, self.dist, self.registered_name), None)
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
        factory = self.load()
        try:
            return list(inspect.signature(factory).parameters.values())
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

    def _one(self, name: str, member: str) -> Component:
        """Make a member of the family."""
        tags = {key: value for key, value in self.tags.items() if key != "members"}
        return replace(self, name=name, member=member, tags=tags)

    def _select(self, factory: Callable[..., Any]) -> Callable[..., Any]:
        """Return the factory of a member, which is asked of that of the family."""
        if self.is_family:
            first = self.name[:-1] + self.tags["members"][0]
            raise ValueError(
                f"{self.label} stands for many; name one of them, such as {first!r}."
            )
        if not self.member:
            return factory
        try:
            found = factory(self.member)
        except (ComponentNotFoundError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self._failure("its family failed", error) from error
        if not callable(found):
            raise self._failure(
                f"its family returned a {type(found).__name__}, which is no factory"
            )
        return found

    def _failure(self, what: str, error: BaseException | None = None) -> PluginError:
        """Make the error that names distribution, part and cause; remember it."""
        reason = f"{self.label}: {what}"
        if error is not None:
            reason = f"{reason}: {describe_error(error)}"
        if self.third_party:
            failures_in_use[self.kind, self.dist, self.registered_name] = reason
        advice = (
            f" This is a fault of that plugin, not of your call; update "
            f"{self.dist!r} or report it to its authors."
            if self.third_party
            else ""
        )
        return PluginError(f"distribution {self.dist!r}, {reason}.{advice}")
