"""Real, tiny distributions in a folder, and fresh processes that see them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

SWITCHES = (
    "MLMI_SKLEARN_PLUGINS",
    "MLMI_SKLEARN_DISABLE",
    "MLMI_SKLEARN_SLOW_SECONDS",
)

FAULTY = {
    "mlmi-import": """
        import no_such_library_zz
    """,
    "mlmi-signature": """
        from mlmi_sklearn.components import hookimpl

        @hookimpl
        def mlmi_register_losses(registry):
            registry("signature", dict, summary="Never registered.")
    """,
    "mlmi-unknown": """
        from mlmi_sklearn.components import hookimpl

        @hookimpl
        def mlmi_register_loses(register):
            register("unknown", dict, summary="Never registered.")
    """,
    "mlmi-raising": """
        from mlmi_sklearn.components import hookimpl

        def explode():
            raise RuntimeError("no fuel")

        @hookimpl
        def mlmi_register_losses(register):
            register("raising", explode, summary="Fails when built.")
    """,
    "mlmi-clash": """
        from mlmi_sklearn.components import hookimpl

        @hookimpl
        def mlmi_register_losses(register):
            register("mse", dict, summary="Wants the name of a built-in loss.")
    """,
}

GOOD = """
    from mlmi_sklearn.components import hookimpl

    class Good:
        def __init__(self, alpha=0.5):
            self.alpha = alpha

    @hookimpl
    def mlmi_register_losses(register):
        register("good", "mlmi_good:Good", summary="A good loss.")
"""


@pytest.fixture
def install(tmp_path):
    """Return a function that installs one distribution with one module."""

    def make(dist, source, *, version="0.1", entry="main", target=None):
        module = dist.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(
            f"[mlmi_sklearn]\n{entry} = {target or module}\n"
        )

    return make


@pytest.fixture
def install_all(install):
    """Install five faulty plugins and a good one."""
    for dist, source in FAULTY.items():
        install(dist, source)
    install("mlmi-good", GOOD)
    return FAULTY


@pytest.fixture
def run(tmp_path):
    """Return a function that runs code, or a command, where the plugins are seen."""

    def start(code=None, *, cli=None, options=(), **environ):
        env = {k: v for k, v in os.environ.items() if k not in SWITCHES}
        path = os.pathsep.join([str(tmp_path), *filter(None, [env.get("PYTHONPATH")])])
        # A busy machine may well take longer than usual.
        env |= {"PYTHONPATH": path, "MLMI_SKLEARN_SLOW_SECONDS": "600"}
        env |= {"OMP_NUM_THREADS": "1", **environ}
        what = ["-m", "mlmi_sklearn", *cli] if cli else ["-c", textwrap.dedent(code)]
        return subprocess.run(
            [sys.executable, *options, *what],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return start
