"""CGANSampler where the probe points: frames of a phantom at poses not trained on.

2,000 frames of 24 x 24 pixels at random poses, 200 others to judge by. The condition
is the map of physical coordinates (Hu et al. 2017). Beside it: the training frame of
the nearest pose, a random training frame, a real frame of the same pose.

Run: ``python benchmarks/bench_gan_phantom.py [--seeds 3] [--steps 1700]``.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from suite.results import RESULTS

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.datasets import make_ultrasound_phantom
from mlmi_sklearn.metrics import across_latent_spread, detect_landmarks, landmark_error

_DRAWS = 8


def nearest(train, test):
    """Return the training frame whose coordinates differ least."""
    a = train.coordinates.reshape(len(train.images), -1)
    b = test.coordinates.reshape(len(test.images), -1)
    squares = (a**2).sum(1) - 2 * b @ a.T
    return train.images[squares.argmin(1)]


def judged(frames, test):
    found = detect_landmarks(frames, test.landmarks)
    error = landmark_error(test.landmarks, found)
    pairs = zip(frames, test.truth, strict=True)
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
    return {
        "median error (px)": error.median,
        "mean error (px)": error.mean,
        "missing": error.missing,
        "landmarks": error.n_landmarks,
        "correlation with truth": float(np.mean(likeness)),
    }


def one_seed(seed, steps):
    train = make_ultrasound_phantom(2000, phantom_seed=seed, random_state=seed)
    test = make_ultrasound_phantom(200, phantom_seed=seed, random_state=seed + 1000)
    again = np.stack(
        [
            make_ultrasound_phantom(
                poses=test.poses, phantom_seed=seed, random_state=seed + 2000 + i
            ).images
            for i in range(_DRAWS)
        ]
    )
    rng = np.random.default_rng(seed)
    model = CGANSampler(
        "conv", batch_size=32, max_iter=steps, random_state=seed
    ).set_params(generator__channels=(8, 16, 32), generator__noise=True)
    start = time.process_time()
    model.fit(train.images, condition=train.coordinates)
    spent = time.process_time() - start
    draws = np.stack(
        [
            model.sample(condition=test.coordinates, random_state=i)[0]
            for i in range(_DRAWS)
        ]
    )
    spread = across_latent_spread(draws, again)
    return {
        "CGANSampler": {
            **judged(draws[0], test),
            "spread / real": spread.ratio,
            "CPU s": spent,
        },
        "nearest pose": judged(nearest(train, test), test),
        "random frame": judged(train.images[rng.integers(2000, size=200)], test),
        "real frame": judged(again[0], test),
    }


GOALS = {
    "median error (px)": (0.8, "<="),
    "missing": (0, "<="),
    "spread / real": (0.5, ">="),
    "CPU s": (60, "<="),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1700)
    options = parser.parse_args()
    found = [one_seed(seed, options.steps) for seed in range(options.seeds)]
    for name in found[0]:
        print(name)
        for measure in found[0][name]:
            values = [one[name][measure] for one in found]
            said = ""
            if name == "CGANSampler" and measure in GOALS:
                goal, sign = GOALS[measure]
                mean = np.mean(values)
                reached = mean <= goal if sign == "<=" else mean >= goal
                said = f"{sign} {goal} {'reached' if reached else 'MISSED'}"
            each = ", ".join(f"{v:.3g}" for v in values)
            print(f"  {measure:<24}{np.mean(values):<10.3g}({each})  {said}")
    (RESULTS / "gan_phantom.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
