"""Digits of three sources and objects of four cameras: five ways to adapt.

Digits, 16 x 16 pixels as vectors: MNIST (inner part, cropped as USPS is), USPS and
scikit-learn's digits (8 x 8, enlarged). Up to 2,000 labelled rows of the source, up to
2,000 unlabelled rows of the target, accuracy on other rows of the target that no fit
has seen. Objects: SURF histograms of Office-Caltech-10, all rows of both domains, and
accuracy on the target's rows, as is usual for this set. Histograms are divided by their
sum, and scaled by the mean and deviation of the source. ``--scaling domain`` scales
each domain by its own: what many papers do, and adaptation by itself, so it gives the
source-only net something too.

Every method is ``DANNClassifier`` as it comes with another ``divergence``; nothing is
chosen by labels of the target. The data are read from ``../shared/data`` or from the
folder in ``MLMI_SKLEARN_SHARED_DATA``.

Run: ``python benchmarks/bench_da_objects.py [--sets digits objects] [--seeds 5]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import permutations

import numpy as np
from _da import folder, print_table, quiet, stack, write
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import DANNClassifier

METHODS = {
    "source only": {"lambda_": 0},
    "statistics of batches only": {"lambda_": 1e-9},
    "DANN": {},
    "CDAN": {"divergence": "cdan"},
    "CORAL": {"divergence": "coral"},
    "MMD": {"divergence": "mmd"},
}
DIGIT_PAIRS = [
    ("mnist", "usps"),
    ("usps", "mnist"),
    ("digits", "usps"),
    ("usps", "digits"),
]
ROWS = 2000


def digit_domains():
    """Return name -> pixels in [0, 1] and labels, in an order that is fixed."""
    path = folder("digits_usps_mnist")
    with np.load(path / "mnist10k.npz") as mnist, np.load(path / "usps.npz") as usps:
        found = {
            "mnist": (mnist["X16_crop"] / 255, mnist["y"]),
            "usps": (
                np.concatenate([usps["X_train"], usps["X_test"]]) / 255,
                np.concatenate([usps["y_train"], usps["y_test"]]),
            ),
        }
    digits = load_digits()
    large = ndimage.zoom(digits.images / 16, (1, 2, 2), order=1)
    found["digits"] = large, digits.target
    return {
        name: (X.reshape(len(X), -1).astype(np.float32), y.astype(int))
        for name, (X, y) in found.items()
    }


def digit_task(domains, source, target, seed):
    """Return training rows and the rows to be judged by; half of a small target."""
    rng = np.random.default_rng(seed)
    (Xs, ys), (Xt, yt) = domains[source], domains[target]
    chosen = rng.permutation(len(ys))[:ROWS]
    order = rng.permutation(len(yt))
    n_train = min(ROWS, len(yt) // 2)
    train, test = order[:n_train], order[n_train : n_train + ROWS]
    return Xs[chosen], ys[chosen], Xt[train], Xt[test], yt[test]


def object_domains():
    """Return name -> SURF histograms that sum to one, and labels."""
    with np.load(folder("office_caltech10") / "surf.npz") as file:
        found = {}
        for name in ("amazon", "caltech10", "dslr", "webcam"):
            X = file[f"{name}_X"].astype(np.float32)
            found[name] = X / X.sum(1, keepdims=True), file[f"{name}_y"].astype(int)
    return found


def object_task(domains, source, target, scaling):
    """Return the rows of both domains; those of the target are judged as well."""
    (Xs, ys), (Xt, yt) = domains[source], domains[target]
    scaler = StandardScaler().fit(Xs)
    of_target = scaler if scaling == "source" else StandardScaler().fit(Xt)
    Xt = of_target.transform(Xt)
    return scaler.transform(Xs), ys, Xt, Xt, yt


def tasks(name, scaling):
    """Yield the name of each task and a function: seed -> its rows."""
    if name == "digits":
        domains = digit_domains()
        for source, target in DIGIT_PAIRS:
            yield (
                f"{source} -> {target}",
                lambda seed, s=source, t=target: digit_task(domains, s, t, seed),
            )
        return
    domains = object_domains()
    for source, target in permutations(domains, 2):
        rows = object_task(domains, source, target, scaling)
        yield f"{source} -> {target}", lambda seed, rows=rows: rows


def measure(task, rows_of, params, seeds):
    """Return accuracies and CPU seconds, one a seed."""
    accuracy, seconds = [], []
    for seed in range(seeds):
        Xs, ys, Xt, X_test, y_test = rows_of(seed)
        X, y, domain = stack(Xs, ys, Xt)
        model = DANNClassifier(random_state=seed, diagnostics=False, **params)
        start = time.process_time()
        model.fit(X, y, sample_domain=domain)
        seconds.append(time.process_time() - start)
        accuracy.append(float(np.mean(model.predict(X_test) == y_test)))
    return accuracy, seconds


def run(name, scaling, seeds):
    """Measure one set; return the rows and print the table."""
    rows, lines = [], []
    for task, rows_of in tasks(name, scaling):
        cells = []
        for method, params in METHODS.items():
            accuracy, seconds = measure(task, rows_of, params, seeds)
            rows.append(
                {
                    "set": name if name == "digits" else f"{name}, {scaling} scaling",
                    "task": task,
                    "method": method,
                    "accuracy": float(np.mean(accuracy)),
                    "sd": float(np.std(accuracy)),
                    "seeds": seeds,
                    "cpu_seconds": float(np.mean(seconds)),
                }
            )
            cells.append(f"{np.mean(accuracy):.3f} ± {np.std(accuracy):.3f}")
        lines.append([task, *cells])
        print(f"  {task}: {' | '.join(cells)}", file=sys.stderr, flush=True)
    means = [
        np.mean([r["accuracy"] for r in rows if r["method"] == m]) for m in METHODS
    ]
    lines.append(["mean", *(f"{m:.3f}" for m in means)])
    print_table([rows[0]["set"], *METHODS], lines)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["digits", "objects"])
    parser.add_argument("--scaling", choices=["source", "domain"], default="source")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    quiet()
    for name in options.sets:
        rows = run(name, options.scaling, options.seeds)
        write(
            "da_objects.json",
            "Digits and Office-Caltech-10: five ways to adapt",
            rows,
            lambda r: (r["set"], r["task"], r["method"]),
        )


if __name__ == "__main__":
    main()
