"""What happens where torchvision is broken or missing, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

USE = """
from mlmi_sklearn import find_component
try:
    print(find_component("backbone", "timm:resnet10t").build((1, 32, 32)).out_features)
except Exception as error:
    print(type(error).__name__, error)
"""
# torchvision, but for its compiled part.
FOREIGN = """
import torch
def refuse(path):
    raise OSError(f"{path}: built for another torch")
torch.ops.load_library = refuse
"""


def run(code, folder=None):
    path = [str(folder)] if folder else []
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_operators_that_cannot_be_loaded():
    # The model works, and their use is still an error that explains.
    more = """
        import torch, torchvision
        try:
            torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        except RuntimeError as error:
            print(str(error)[:30])
    """
    found = run(FOREIGN + USE + textwrap.dedent(more))
    assert found == "512\nCouldn't load custom C++ ops. \n"


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise ImportError('no file libz')", "ImportError: no file libz"),
        ("import no_such_zz", "ModuleNotFoundError: No module named 'no_such_zz'"),
    ],
)
def test_a_broken_torchvision(tmp_path, source, cause):
    (tmp_path / "torchvision.py").write_text(source)
    text = run(USE, tmp_path)
    assert text.startswith("PluginError distribution 'mlmi-sklearn-timm', backbone")
    assert f"timm needs torchvision, which cannot be imported here ({cause})" in text
    assert "pip install --force-reinstall --no-deps torchvision" in text
