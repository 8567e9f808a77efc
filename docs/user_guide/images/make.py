"""Make the pictures of the user guide, most of them by running the examples.

python docs/user_guide/images/make.py [part of a picture's name]
"""

import runpy
import sys
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_shifted_digits
from mlmi_sklearn.inspection import DomainDiagnosticsDisplay

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"


def main(wanted):
    """Run examples and keep each figure that they leave open."""
    for example in sorted(EXAMPLES.glob("*/plot_*.py")):
        if wanted not in example.stem:
            continue
        plt.close("all")
        runpy.run_path(str(example), run_name="__main__")
        for number in plt.get_fignums():
            suffix = f"_{number}" if number > 1 else ""
            path = HERE / f"{example.stem.removeprefix('plot_')}{suffix}.png"
            save(plt.figure(number), path)
            print(path)

    for draw in (domain_diagnostics,):
        if wanted in draw.__name__:
            save(draw(), HERE / f"{draw.__name__}.png")
            print(HERE / f"{draw.__name__}.png")


def domain_diagnostics():
    """Draw what the guide's first block on domain adaptation did."""
    X, y, sample_domain = make_shifted_digits("blend", random_state=0)
    dann = DANNClassifier(random_state=0).fit(X, y, sample_domain)
    return DomainDiagnosticsDisplay.from_estimator(
        dann, X, y, sample_domain, max_points=400, random_state=0
    ).figure_


def save(figure, path):
    """Write a small file: few colours, no date and no version."""
    memory = BytesIO()
    figure.savefig(memory, dpi=80, metadata={"Software": None})
    Image.open(memory).convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
