"""Cardiac MR: a T2 slice from a bSSFP (C0) slice of the same patient, pairs.

174 slices of 45 patients (MyoPS 2020). Patients are held out in three folds, each with
a seed of its own, so every patient is held out once. Intensities of MR have no unit and
differ much between patients: each image is scaled by its own 1st and 99th percentile,
clipped to [0, 1]. That of T2 is taken from the T2 image, for all methods alike: what is
predicted is the relative image. ``--size 48`` takes means of 2 x 2 pixels.

Rivals:

- identity: the C0 image itself;
- line: T2 = a + b C0, least squares over all pixels of the *training* patients;
- line of each patient (oracle): the same, fitted to the *held-out patient's own* C0 and
  T2 pixels. It has seen the answers, and is a bound for anything that maps
  intensities along a line, patient by patient;
- median image: the median of all training T2 images, pixel by pixel.

Numbers are means over held-out patients (mean absolute error in units of the scaled
range; structural similarity with windows of 7 pixels, data range 1), then mean and
standard deviation over the folds. "Patients" is the share of all held-out patients on
whom the translator is better than the rival, in error and in similarity. ``max_iter``,
``batch_size`` and ``augment`` were chosen on a split of the training patients of the
first fold; all else is default.

Run: ``python benchmarks/bench_gan_translation.py [--size 48|96] [--folds 3]``.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _da import folder, print_table, quiet, write
from sklearn.model_selection import GroupKFold

from mlmi_sklearn import ImageTranslator
from mlmi_sklearn.generation.translation_quality import structural_similarity

FILE = "gan_translation.json"
TITLE = "Cardiac MR: T2 from C0, held-out patients"
SETTINGS = {"max_iter": 600, "batch_size": 8, "augment": "translation"}
OURS = "ImageTranslator"


def scaled(images, size):
    """Return images between 0 and 1 by their own percentiles, at a smaller size."""
    images = images.astype(np.float32)
    low, high = np.percentile(images, [1, 99], axis=(1, 2), keepdims=True)
    images = np.clip((images - low) / (high - low), 0, 1)
    step = images.shape[1] // size
    blocks = images.reshape(len(images), size, step, size, step)
    return blocks.mean((2, 4)).astype(np.float32)


def line(X, Y):
    """Return intercept and slope of the least-squares line from X to Y."""
    slope, intercept = np.polyfit(X.ravel().astype(np.float64), Y.ravel(), 1)
    return intercept, slope


def own_lines(X, Y, patient):
    """Predict each patient by the line through his own pixels, both images known."""
    made = np.empty_like(X)
    for name in np.unique(patient):
        rows = patient == name
        intercept, slope = line(X[rows], Y[rows])
        made[rows] = intercept + slope * X[rows]
    return made


def by_patient(made, truth, patient):
    """Return error and similarity of each patient, (n_patients, 2)."""
    error = np.abs(made - truth).mean((1, 2))
    alike = structural_similarity(made[:, None], truth[:, None], 1.0)
    both = np.stack([error, alike], 1)
    return np.array([both[patient == name].mean(0) for name in np.unique(patient)])


def fold(X, Y, patient, train, test, seed):
    """Return name -> measures of each held-out patient, and CPU seconds of a fit."""
    intercept, slope = line(X[train], Y[train])
    start = time.process_time()
    translator = ImageTranslator(random_state=seed, **SETTINGS).fit(X[train], Y[train])
    spent = time.process_time() - start
    made = {
        "identity": X[test],
        "line": intercept + slope * X[test],
        "line of each patient (oracle)": own_lines(X[test], Y[test], patient[test]),
        "median image": np.repeat(np.median(Y[train], 0)[None], len(test), 0),
        OURS: translator.transform(X[test]),
    }
    return {k: by_patient(v, Y[test], patient[test]) for k, v in made.items()}, spent


def summary(name, folds, spent):
    """Return one line of the table."""
    means = np.array([found[name].mean(0) for found in folds])
    ours = np.concatenate([found[OURS] for found in folds])
    rival = np.concatenate([found[name] for found in folds])
    row = {"method": name}
    for k, measure in enumerate(("mae", "ssim")):
        row[measure] = float(means[:, k].mean())
        row[f"{measure}_sd"] = float(means[:, k].std(ddof=1))
    row["patients_mae"] = float((ours[:, 0] < rival[:, 0]).mean())
    row["patients_ssim"] = float((ours[:, 1] > rival[:, 1]).mean())
    row["fit_cpu_s"] = float(np.mean(spent)) if name == OURS else None
    return row


def show(rows):
    """Print the table and whether the goals were reached."""
    lines = [
        [
            r["method"],
            f"{r['mae']:.4f} ± {r['mae_sd']:.4f}",
            f"{r['ssim']:.3f} ± {r['ssim_sd']:.3f}",
            "" if r["method"] == OURS else f"{r['patients_mae']:.0%}",
            "" if r["method"] == OURS else f"{r['patients_ssim']:.0%}",
        ]
        for r in rows
    ]
    head = ["method", "MAE", "SSIM", "patients (MAE)", "patients (SSIM)"]
    print_table(head, lines)
    ours = next(r for r in rows if r["method"] == OURS)
    for r in rows:
        better = ours["mae"] < r["mae"] and ours["ssim"] > r["ssim"]
        if r is not ours:
            print(f"better than {r['method']} in both: {'yes' if better else 'NO'}")
    print(f"CPU s of a fit, one thread: {ours['fit_cpu_s']:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=48, choices=(48, 96))
    parser.add_argument("--folds", type=int, default=3)
    options = parser.parse_args()
    quiet()
    data = np.load(folder("myops_cardiac") / "myops96.npz")
    X, Y = (scaled(data[name], options.size) for name in ("C0", "T2"))
    patient = data["subject"]
    splits = GroupKFold(options.folds, shuffle=True, random_state=0)
    folds, spent = [], []
    for seed, (train, test) in enumerate(splits.split(X, groups=patient)):
        found, seconds = fold(X, Y, patient, train, test, seed)
        folds.append(found)
        spent.append(seconds)
    rows = [summary(name, folds, spent) for name in folds[0]]
    rows = [{"size": options.size, "folds": options.folds, **row} for row in rows]
    show(rows)
    write(FILE, TITLE, rows, lambda r: (r["size"], r["method"]), settings=SETTINGS)


if __name__ == "__main__":
    main()
