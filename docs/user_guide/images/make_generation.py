"""Make the pictures of the guide on generation that no example makes.

python docs/user_guide/images/make_generation.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from make import save
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.inspection import (
    CoverageDisplay,
    GANTrainingDisplay,
    SampleGridDisplay,
)

HERE = Path(__file__).resolve().parent


def main():
    """Train on digits with the defaults, and look at that in three ways."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    sampler = CGANSampler(early_stopping=True, n_iter_no_change=20, random_state=0)
    sampler.fit(X, y)
    made, labels = sampler.sample(y=y, random_state=0)
    images = [rows.reshape(-1, 8, 8) for rows in (X, made)]
    shown = {
        "samples": SampleGridDisplay.from_data(
            *images, y, labels, n_columns=8, cmap="gray_r"
        ),
        "training": GANTrainingDisplay.from_estimator(sampler),
        "coverage": CoverageDisplay.from_estimator(sampler, X_test, y_test),
    }
    for name, display in shown.items():
        path = HERE / f"generation_{name}.png"
        save(display.figure_, path)
        print(path)


if __name__ == "__main__":
    main()
