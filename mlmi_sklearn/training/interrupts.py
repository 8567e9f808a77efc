"""Ways to end training early, and telling Ctrl-C from one of them."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["StopTraining", "ctrl_c_apart", "is_request_to_stop"]

_RAISE = dis.opmap["RAISE_VARARGS"]


class StopTraining(Exception):
    """Raised by a callback to end training after the current epoch.

    Examples
    --------
    >>> from skorch.callbacks import Callback
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.training import StopTraining
    >>> class OneEpoch(Callback):
    ...     def on_epoch_end(self, net, **kwargs):
    ...         raise StopTraining
    >>> NetRegressor(callbacks=[OneEpoch()]).fit([[0.0], [1.0]], [0.0, 1.0]).n_iter_
    1
    """


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


@contextmanager
def ctrl_c_apart() -> Iterator[None]:
    """Turn a callback's request to stop into :class:`StopTraining`, but not Ctrl-C.

    Raises
    ------
    StopTraining
        If the block raised what :func:`is_request_to_stop` takes for a request.

    Examples
    --------
    >>> def on_epoch_end():
    ...     raise KeyboardInterrupt
    >>> try:
    ...     with ctrl_c_apart():
    ...         on_epoch_end()
    ... except StopTraining:
    ...     print("a request")
    a request
    """
    try:
        yield
    except KeyboardInterrupt as signal:
        if is_request_to_stop(signal):
            raise StopTraining from signal
        raise
