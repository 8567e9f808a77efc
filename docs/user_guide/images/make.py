"""Make the pictures of the user guide by running the examples.

python docs/user_guide/images/make.py [part of an example's name]
"""

import runpy
import sys
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

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


def save(figure, path):
    """Write a small file: few colours, no date and no version."""
    memory = BytesIO()
    figure.savefig(memory, dpi=80, metadata={"Software": None})
    Image.open(memory).convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
