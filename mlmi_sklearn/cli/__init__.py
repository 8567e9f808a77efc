"""The command ``mlmi-sklearn``: demo, plugins, components, env.

Every command imports what it needs when it runs, so that listing plugins takes a
fraction of a second and no torch.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._listings import components, env
from ._plugins import add_check, plugins

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 when all went well, 1 when a plugin failed its checks, 2 for a
        wrong argument, 130 after Ctrl-C.

    Examples
    --------
    >>> main(["components", "--kind", "pooling"])  # doctest: +ELLIPSIS
    KIND     NAME              FROM      SUMMARY
    pooling  additive          built-in  Sum of contributions that can be read off.
    ...
    0
    """
    options = _parser().parse_args(argv)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\nmlmi-sklearn: stopped by Ctrl-C.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `mlmi-sklearn components | head`: the reader has seen enough. Python would
        # complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    """Describe all commands and their arguments."""
    parser = argparse.ArgumentParser(
        prog="mlmi-sklearn",
        description="Deep learning for medical imaging as scikit-learn estimators.",
        formatter_class=_formatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    parser.set_defaults(run=lambda _: _show_help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands.add_parser)
    listed = _add(
        commands.add_parser, "plugins", plugins, "list plugins and what is wrong"
    )
    add_check(listed)
    parts = _add(
        commands.add_parser, "components", components, "list all parts by name"
    )
    parts.add_argument("--kind", metavar="K", help="only parts of this kind")
    report = _add(
        commands.add_parser, "env", env, "show versions and devices, for bug reports"
    )
    for command in (listed, parts, report):
        command.add_argument("--json", action="store_true", help="write JSON")
    return parser


def _add(
    add_parser: Callable[..., argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    """Add one command."""
    command = add_parser(
        name,
        help=summary,
        description=f"{summary.capitalize()}.",
        formatter_class=_formatter,
    )
    command.set_defaults(run=run)
    return command


def _add_demo(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command that trains on embedded data."""
    demo = _add(add_parser, "demo", _demo, "train on real data and write a report")
    demo.add_argument(
        "--family",
        choices=("mil", "da", "meta", "gan", "all"),
        default="all",
        help="which family of methods to show (default: %(default)s)",
    )
    demo.add_argument(
        "--out",
        type=_folder,
        default=Path("mlmi-demo"),
        metavar="DIR",
        help="folder for report.html and its pictures (default: %(default)s)",
    )
    demo.add_argument(
        "--quick", action="store_true", help="smaller runs that take about a minute"
    )


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Leave room for the longest command next to its help."""
    return argparse.HelpFormatter(prog, max_help_position=28)


def _show_help(parser: argparse.ArgumentParser) -> int:
    """Show what there is to somebody who gave no command."""
    parser.print_help()
    return 0


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from .._versions import package_version

        print("mlmi-sklearn", package_version())
        parser.exit()


def _folder(value: str) -> Path:
    """Return a path that is, or can become, a folder."""
    path = Path(value)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{value!r} is a file; name a folder")
    return path


def _demo(options: argparse.Namespace) -> int:
    """Run the chapters of the demo."""
    from ..demo import run_demo

    return run_demo(options.family, options.out, options.quick)
