"""What went wrong in the code of plugins, in one line, and kept for listings."""

from __future__ import annotations

__all__ = ["describe_error", "failures_in_use"]

#: Last failure of every third-party part that failed in use, for `list_plugins`.
failures_in_use: dict[tuple[str, str, str], str] = {}


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
    >>> from mlmi_sklearn.components.failures import describe_error
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
