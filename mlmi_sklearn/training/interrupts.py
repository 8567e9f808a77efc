"""Telling Ctrl-C from a callback that asks to stop."""

from __future__ import annotations

import dis

__all__ = ["is_request_to_stop"]

_RAISE = dis.opmap["RAISE_VARARGS"]


def is_request_to_stop(signal: KeyboardInterrupt) -> bool:
    """Whether a ``raise`` in some ``on_epoch_end`` made the exception.

    skorch's own ``EarlyStopping`` ends training that way. When the user presses
    Ctrl-C, the interpreter makes the exception, at whatever instruction it is.

    Parameters
    ----------
    signal : KeyboardInterrupt
        As it was caught.

    Examples
    --------
    >>> def on_epoch_end():
    ...     raise KeyboardInterrupt
    >>> try:
    ...     on_epoch_end()
    ... except KeyboardInterrupt as signal:
    ...     is_request_to_stop(signal)
    True
    """
    trace = signal.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    raised = code.co_code[trace.tb_lasti] == _RAISE
    return raised and code.co_name == "on_epoch_end"
