"""The surroundings of a run: one thread, one progress bar, and a Ctrl-C that stops."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..exceptions import FitInterruptedWarning

__all__ = ["one_thread", "progress", "stop_on_ctrl_c"]

_pressed = threading.Event()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, and go back to as many as before.

    Nets of this size gain nothing from a second thread, and lose a lot on a busy
    machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def stop_on_ctrl_c() -> Iterator[None]:
    """Make Ctrl-C end the run wherever it hits.

    An interrupted ``fit`` keeps the model so far and only warns, which is what a user
    at the prompt wants. A report over half-trained models is what nobody wants, so
    here the warning becomes an error. And since ``KeyboardInterrupt`` is sometimes
    swallowed (skorch's early stopping raises one itself), the key is remembered until
    the next step of :func:`progress`.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, whatever became of the first one.
    """
    _pressed.clear()
    with warnings.catch_warnings(), _remembering():
        warnings.simplefilter("error", FitInterruptedWarning)
        try:
            yield
        except FitInterruptedWarning as warning:
            raise KeyboardInterrupt from warning
        _raise_if_pressed()


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show one bar on standard error for an experiment.

    Parameters
    ----------
    title : str
        Name of the experiment.
    total : int
        Number of steps.

    Yields
    ------
    callable
        To be called after each step, with what was done.

    Examples
    --------
    >>> with progress("Adding", total=2) as step:
    ...     step("one")
    ...     step("two")
    """
    with tqdm(total=total, desc=title, unit="fit", ncols=88, file=sys.stderr) as bar:

        def step(done: str) -> None:
            _raise_if_pressed()
            bar.set_postfix_str(done, refresh=False)
            bar.update()

        yield step


@contextmanager
def _remembering() -> Iterator[None]:
    """Take a note of Ctrl-C, where it has its usual meaning and we are told of it."""
    before = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread()
    if not ours or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _note(number: int, frame: FrameType | None) -> Any:
    """Remember the key and do what Python does."""
    _pressed.set()
    raise KeyboardInterrupt


def _raise_if_pressed() -> None:
    """Raise again what was swallowed."""
    if _pressed.is_set():
        raise KeyboardInterrupt
