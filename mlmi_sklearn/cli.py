"""The command ``mlmi-sklearn``: demo, plugins, components, env.

Every command imports what it needs when it runs, so that listing plugins takes a
fraction of a second and no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ._text import as_json, as_table, write
from .components import Component, PluginInfo, list_components, list_plugins
from .components.naming import BUILTIN_DIST
from .exceptions import ComponentNotFoundError, PluginWarning

__all__ = ["main"]

_NO_PLUGINS = """\
No third-party plugins are installed; the parts above come with the package. A plugin is
any installed distribution with an entry point in the group 'mlmi_sklearn'."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 when all went well, 2 for a wrong argument, 130 after Ctrl-C.

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
    plugins = _add(
        commands.add_parser, "plugins", _plugins, "list plugins and what is wrong"
    )
    components = _add(
        commands.add_parser, "components", _components, "list all parts by name"
    )
    components.add_argument("--kind", metavar="K", help="only parts of this kind")
    env = _add(
        commands.add_parser, "env", _env, "show versions and devices, for bug reports"
    )
    for command in (plugins, components, env):
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
        from ._versions import package_version

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
    from .demo import run_demo

    return run_demo(options.family, options.out, options.quick)


def _plugins(options: argparse.Namespace) -> int:
    """List the plugins with their status."""
    with _listing():
        infos = list_plugins()
    if options.json:
        return write(as_json([asdict(info) for info in infos]))
    table = as_table(
        ("PLUGIN", "FROM", "VERSION", "STATUS", "REGISTERS"),
        [_plugin_row(info) for info in infos],
        [info.error for info in infos],
    )
    return write(f"{table}\n\n{_verdict(infos)}")


def _components(options: argparse.Namespace) -> int:
    """List the parts that estimators can take by name."""
    try:
        with _listing():
            parts = list_components(options.kind)
            infos = list_plugins()
    except ComponentNotFoundError as error:
        print(f"mlmi-sklearn components: {error}", file=sys.stderr)
        return 2
    if options.json:
        return write(as_json([_component_record(part) for part in parts]))
    if parts:
        write(as_table(("KIND", "NAME", "FROM", "SUMMARY"), _component_rows(parts)))
    else:
        write(f"No {options.kind} is registered yet.")
    if any(info.error for info in infos):
        print("Some plugins need attention: mlmi-sklearn plugins", file=sys.stderr)
    return 0


def _env(options: argparse.Namespace) -> int:
    """Show versions, devices and plugins."""
    from ._versions import collect_versions, format_versions

    with _listing():
        report = collect_versions()
    if options.json:
        return write(as_json(report))
    return write(format_versions(report))


@contextlib.contextmanager
def _listing() -> Iterator[None]:
    """Let plugins load without a word: the listings say what is wrong with them."""
    with warnings.catch_warnings(), _quiet_descriptor():
        warnings.simplefilter("ignore", PluginWarning)
        yield


@contextlib.contextmanager
def _quiet_descriptor() -> Iterator[None]:
    """Send what child processes and C code of a plugin print to standard error."""
    try:
        # Before the swap, what Python has not written yet would go astray.
        sys.stdout.flush()
        saved = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # closed descriptors
        yield
        return
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _plugin_row(info: PluginInfo) -> tuple[str, ...]:
    """Return the cells of one plugin."""
    hooks = ", ".join(hook.removeprefix("mlmi_register_") for hook in info.hooks)
    status = info.status.upper() if info.status == "broken" else info.status
    return info.name, info.dist, info.version, status, hooks or "-"


def _verdict(infos: Sequence[PluginInfo]) -> str:
    """Sum the list of plugins up."""
    others = [info for info in infos if info.dist != BUILTIN_DIST]
    if not others:
        return _NO_PLUGINS
    counts = {
        status: sum(info.status == status for info in others)
        for status in ("ok", "broken", "disabled")
    }
    text = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    return f"{len(others)} third-party plugin{'s' * (len(others) > 1)}: {text}."


def _component_rows(parts: Sequence[Component]) -> list[tuple[str, ...]]:
    """Return the cells of all parts, with the name to use for each."""
    claims = Counter((part.kind, part.name) for part in parts)
    rows: list[tuple[str, ...]] = []
    for part in parts:
        clash = part.third_party and claims[part.kind, part.name] > 1
        name = part.qualified_name if clash else part.name
        origin = "built-in" if part.dist == BUILTIN_DIST else part.dist
        rows.append((part.kind, name, origin, part.summary))
    return rows


def _component_record(part: Component) -> dict[str, Any]:
    """Return what JSON says about one part."""
    factory = part.factory
    if not isinstance(factory, str):
        name = getattr(factory, "__qualname__", type(factory).__qualname__)
        factory = f"{getattr(factory, '__module__', '?')}:{name}"
    return {
        "kind": part.kind,
        "name": part.name,
        "qualified_name": part.qualified_name,
        "dist": part.dist,
        "version": part.version,
        "summary": part.summary,
        "factory": factory,
        "tags": dict(part.tags),
        "example": dict(part.example),
    }
