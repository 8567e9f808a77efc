"""The commands ``plugins`` and ``plugins check``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from .._text import as_json, as_table, write
from ..components import PluginInfo, list_plugins
from ..components.naming import BUILTIN_DIST, check_kind
from ..exceptions import ComponentNotFoundError
from ._quiet import checking, listing

__all__ = ["add_check", "check", "plugins"]

_NO_PLUGINS = """\
No third-party plugins are installed; the parts above come with the package. A plugin is
any installed distribution with an entry point in the group 'mlmi_sklearn'."""


def add_check(plugins: argparse.ArgumentParser) -> None:
    """Add ``check`` below the command ``plugins``."""
    commands = plugins.add_subparsers(title="commands", metavar="COMMAND")
    summary = "check all that a distribution registers, and say what to mend"
    command = commands.add_parser(
        "check",
        help=summary,
        description=f"{summary.capitalize()}.",
        epilog="The exit status is 0 if all is well, 1 if something has to be mended, "
        "2 if there is nothing to check.",
    )
    command.add_argument("distribution", metavar="DIST", help="name as pip knows it")
    command.add_argument("--kind", metavar="K", help="only parts of this kind")
    # Not False: it would undo what `plugins --json check` has set.
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="write JSON"
    )
    command.set_defaults(run=check)


def plugins(options: argparse.Namespace) -> int:
    """List the plugins with their status."""
    with listing():
        infos = list_plugins()
    if options.json:
        return write(as_json([asdict(info) for info in infos]))
    table = as_table(
        ("PLUGIN", "FROM", "VERSION", "STATUS", "REGISTERS"),
        [_plugin_row(info) for info in infos],
        [info.error for info in infos],
    )
    return write(f"{table}\n\n{_verdict(infos)}")


def check(options: argparse.Namespace) -> int:
    """Run the conformance kit on a distribution."""
    try:
        kind = options.kind and check_kind(options.kind)
    except ComponentNotFoundError as error:
        print(f"mlmi-sklearn plugins check: {error}", file=sys.stderr)
        return 2
    with checking():
        from ..testing._report import report_on

        report = report_on(options.distribution, kind, _teller())
    if options.json:
        write(as_json(report.as_record()))
    elif report.problem:
        print(f"mlmi-sklearn plugins check: {report.as_text()}", file=sys.stderr)
    else:
        write(report.as_text())
    return report.status


def _teller() -> Callable[[str], None]:
    """Return what shows progress to somebody who is watching."""
    watched = bool(sys.stderr and sys.stderr.isatty())

    def tell(part: str) -> None:
        if watched:
            print(f"checking {part} ...", file=sys.stderr, flush=True)

    return tell


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
