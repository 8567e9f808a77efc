"""State that all code of a process shares, and that a plugin should leave alone.

A library that is imported may seed generators, set PyTorch's default dtype, silence
warnings or replace ``sys.stdout`` for everybody. :data:`WATCHED` lists what is looked
after while a plugin is loaded: how each piece is read, and how it is put back. Nothing
here imports what a program has not imported: only what is loaded already can have a
state that matters to somebody.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["WATCHED", "Watched", "changes"]

#: The state of a library that is not loaded.
_NONE = object()


@dataclass(frozen=True)
class Watched:
    """One piece of state.

    Parameters
    ----------
    name : str
        What it is, as messages say it.
    library : str
        Module that must have been imported; the empty string if it always is there.
    read : callable
        Takes the module and returns the state, to be compared with ``==``.
    write : callable
        Takes the module and puts a state back.
    fresh : callable, default=None
        Takes the module and returns the state right after its import, for state that
        is wrong even if the plugin was the first to import the library.
    """

    name: str
    library: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], object]
    fresh: Callable[[Any], Any] | None = None

    def state(self) -> Any:
        """Return the state as it is, or that there is none without the library."""
        module = sys.modules.get(self.library or "sys")
        try:
            return _NONE if module is None else self.read(module)
        # A library whose import failed halfway has no state yet.
        except Exception:
            return _NONE

    def put_back(self, before: Any) -> bool:
        """Restore a state that was read before, and say whether it had changed."""
        now, module = self.state(), sys.modules.get(self.library or "sys")
        if now is _NONE:
            return False
        if before is _NONE and self.fresh is not None:
            before = self.fresh(module)
        if before is _NONE or now == before:
            return False
        self.write(module, before)
        return True


def changes(before: dict[str, Any]) -> Iterator[str]:
    """Put everything back, and name what had been changed.

    Parameters
    ----------
    before : dict
        State by name, as it was.

    Yields
    ------
    str
        Names of :data:`WATCHED`.

    Examples
    --------
    >>> import sys
    >>> before = {one.name: one.state() for one in WATCHED}
    >>> sys.setrecursionlimit(sys.getrecursionlimit() + 1)
    >>> list(changes(before))
    ['the recursion limit']
    >>> list(changes(before))
    []
    """
    for one in WATCHED:
        if one.put_back(before[one.name]):
            yield one.name


def _interrupt(_: Any) -> Any:
    return signal.getsignal(signal.SIGINT)


def _logging(logging: Any) -> Any:
    root = logging.root
    return root.level, root.disabled, tuple(root.handlers), root.manager.disable


def _restore_logging(logging: Any, state: Any) -> None:
    root = logging.root
    level, root.disabled, handlers, disable = state
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.disable(disable)


def _numpy_random(numpy: Any) -> Any:
    name, key, *rest = numpy.random.get_state()
    return name, key.tobytes(), tuple(rest)


def _restore_numpy_random(numpy: Any, state: Any) -> None:
    name, key, rest = state
    numpy.random.set_state((name, numpy.frombuffer(key, dtype=numpy.uint32), *rest))


def _torch_random(torch: Any) -> Any:
    return bytes(torch.get_rng_state().tolist())


def _restore_torch_random(torch: Any, state: Any) -> None:
    torch.set_rng_state(torch.tensor(list(state), dtype=torch.uint8))


#: What is looked after, in the order in which messages name it.
WATCHED: tuple[Watched, ...] = (
    Watched(
        "sys.stderr",
        "",
        lambda sys: sys.stderr,
        lambda sys, old: setattr(sys, "stderr", old),
    ),
    Watched(
        "sys.excepthook",
        "",
        lambda sys: sys.excepthook,
        lambda sys, old: setattr(sys, "excepthook", old),
    ),
    Watched(
        "the recursion limit",
        "",
        lambda sys: sys.getrecursionlimit(),
        lambda sys, old: sys.setrecursionlimit(old),
    ),
    Watched(
        "the current folder",
        "",
        lambda _: os.getcwd(),
        lambda _, old: os.chdir(old),
    ),
    Watched(
        "what Ctrl-C does",
        "",
        _interrupt,
        lambda _, old: signal.signal(signal.SIGINT, old),
    ),
    Watched("the root logger", "logging", _logging, _restore_logging),
    Watched(
        "Python's random numbers",
        "random",
        lambda random: random.getstate(),
        lambda random, old: random.setstate(old),
    ),
    Watched("numpy's random numbers", "numpy", _numpy_random, _restore_numpy_random),
    Watched(
        "numpy's handling of errors",
        "numpy",
        lambda numpy: numpy.geterr(),
        lambda numpy, old: numpy.seterr(**old),
    ),
    Watched("PyTorch's random numbers", "torch", _torch_random, _restore_torch_random),
    Watched(
        "PyTorch's default dtype",
        "torch",
        lambda torch: torch.get_default_dtype(),
        lambda torch, old: torch.set_default_dtype(old),
        lambda torch: torch.float32,
    ),
    Watched(
        "whether PyTorch records gradients",
        "torch",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, old: torch.set_grad_enabled(old),
        lambda torch: True,
    ),
    Watched(
        "PyTorch's number of threads",
        "torch",
        lambda torch: torch.get_num_threads(),
        lambda torch, old: torch.set_num_threads(old),
    ),
)
