"""Shifted digits: what adaptation gives with defaults, and choosing without labels.

900 digits as they are, 897 others altered. The defaults of the estimators were found
on four of the shifts (blend, rotate, gain, roll); blur and scale had no say and are the
fair test. Parts:

defaults
    Source only (lambda 0), what the statistics of batches alone give (lambda 1e-9:
    target rows pass through the net, but no gradient of the critic arrives), and DANN.
shots
    Three labelled digits a class in the target; accuracy on the rest of it. S+T: both
    sets of labels and no adaptation.
selection
    Twelve models (lambda x lr): accuracy of the one that each label-free score picks,
    beside the best of the twelve, which only labels of the target could tell.
safe
    ``safe_select`` among the models of a lambda grid against source only.

Run: ``python benchmarks/bench_da_digits.py [--parts defaults shots] [--seeds 3]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product

import numpy as np
from _da import mean_sd, print_table, quiet, verdict, write

from mlmi_sklearn import DANNClassifier, MMEClassifier, metrics
from mlmi_sklearn.datasets import make_rotated_moons, make_shifted_digits
from mlmi_sklearn.model_selection import safe_select

SHIFTS = ("blend", "rotate", "gain", "roll", "blur", "scale")
DEFAULTS = {
    "source only": {"lambda_": 0},
    "statistics of batches only": {"lambda_": 1e-9},
    "DANN": {},
    'DANN, domain_norm="adabn"': {"domain_norm": "adabn"},
}
GOALS = {"blend": 0.60, "rotate": 0.55, "gain": 0.75, "roll": 0.70}
SHOTS = {
    "S+T": MMEClassifier(entropy_weight=0),
    "DANN with target labels": DANNClassifier(target_labels="use"),
    "MME": MMEClassifier(),
}
SHOT_GOALS = {"blend": 0.65, "rotate": 0.83, "roll": 0.86}
GRID = list(product((0, 0.1, 0.3, 1), (0.003, 0.01, 0.03)))
SCORES = (
    *("im", "bnm", "reverse_validation", "entropy", "snd", "dev"),
    *("importance_weighted", "mixval", "pad", "source"),
)
# Within two points of the best, on the shifts named by the goal.
JUDGED = ("im", "bnm", "reverse_validation")


def accuracy_of(model, X, y):
    return float(np.mean(model.predict(X) == y))


def fitted(model, seed, X, y, domain, **params):
    """Fit a model and return it with its CPU seconds."""
    model = model.set_params(random_state=seed, **params)
    start = time.process_time()
    model.fit(X, y, sample_domain=domain)
    return model, time.process_time() - start


def row(part, task, method, accuracy, **more):
    return {
        "part": part,
        "task": task,
        "method": method,
        "accuracy": float(np.mean(accuracy)),
        "sd": float(np.std(accuracy)),
        "seeds": len(accuracy),
        **more,
    }


def table(part, rows):
    """Print one line a method, one column a task."""
    tasks = list(dict.fromkeys(r["task"] for r in rows))
    lines = []
    for method in dict.fromkeys(r["method"] for r in rows):
        mine = {r["task"]: r for r in rows if r["method"] == method}
        cells = [f"{mine[t]['accuracy']:.3f} ± {mine[t]['sd']:.3f}" for t in tasks]
        lines.append([method, *cells])
    print_table([part, *tasks], lines)
    return {(r["method"], r["task"]): r["accuracy"] for r in rows}


# -- the parts -----------------------------------------------------------------------


def defaults(seeds):
    rows = []
    for shift, (method, params) in product(SHIFTS, DEFAULTS.items()):
        found, seconds = [], []
        for seed in range(seeds):
            X, y, domain = make_shifted_digits(shift, random_state=seed)
            model, spent = fitted(DANNClassifier(), seed, X, y, domain, **params)
            found.append(accuracy_of(model, X[domain < 0], y[domain < 0]))
            seconds.append(spent)
        rows.append(
            row("defaults", shift, method, found, cpu_seconds=float(np.mean(seconds)))
        )
        print(f"  {shift} {method}: {mean_sd(found)}", file=sys.stderr, flush=True)
    at = table("defaults", rows)
    for shift, goal in GOALS.items():
        gain = 100 * (at["DANN", shift] - at["source only", shift])
        wanted = "" if shift == "gain" else " (goal 5)"
        print(f"{shift}: {verdict(at['DANN', shift], goal)}; ", end="")
        print(f"over source only {gain:+.1f} points{wanted}")
    return rows


def three_labels(y, domain, seed):
    """Mask target labels but three a class; return them and the rows to score."""
    rng, masked = np.random.default_rng(seed), y.copy()
    target = np.flatnonzero(domain < 0)
    kept = [
        rng.choice(target[y[target] == digit], 3, replace=False) for digit in range(10)
    ]
    hidden = np.setdiff1d(target, np.concatenate(kept))
    masked[hidden] = -1
    return masked, hidden


def shots(seeds):
    rows = []
    for shift, (method, model) in product(SHIFTS, SHOTS.items()):
        found = []
        for seed in range(seeds):
            X, y, domain = make_shifted_digits(shift, random_state=seed)
            masked, hidden = three_labels(y, domain, seed)
            fitted(model, seed, X, masked, domain)
            found.append(accuracy_of(model, X[hidden], y[hidden]))
        rows.append(row("shots", shift, method, found))
        print(f"  {shift} {method}: {mean_sd(found)}", file=sys.stderr, flush=True)
    at = table("three labels a class in the target", rows)
    for shift in SHIFTS:
        values = [at[method, shift] for method in SHOTS]
        order = "as in the paper" if values == sorted(values) else "ANOTHER"
        goal = verdict(values[-1], SHOT_GOALS.get(shift))
        print(f"{shift}: {goal or 'no goal'}; order of methods: {order}")
    return rows


def score_all(model, X, y, domain):
    """Return each label-free score of a fitted model."""
    masked = np.where(domain < 0, -1, y)
    return {
        name: float(
            getattr(metrics, f"{name}_scorer")(model, X, masked, sample_domain=domain)
        )
        for name in SCORES
    }


def selection(seeds, shifts=("rotate", "roll")):
    rows = []
    for shift in shifts:
        picked = {name: [] for name in ("best of twelve", *SCORES, "default")}
        for seed in range(seeds):
            X, y, domain = make_shifted_digits(shift, random_state=seed)
            truth, scores = [], []
            for lambda_, lr in GRID:
                settings = {"lambda_": lambda_, "lr": lr}
                model, _ = fitted(DANNClassifier(), seed, X, y, domain, **settings)
                truth.append(accuracy_of(model, X[domain < 0], y[domain < 0]))
                scores.append(score_all(model, X, y, domain))
            for name in SCORES:
                best = int(np.argmax([s[name] for s in scores]))
                picked[name].append(truth[best])
            picked["best of twelve"].append(max(truth))
            picked["default"].append(truth[GRID.index((0.3, 0.03))])
            print(f"  {shift} {seed} of {truth}", file=sys.stderr, flush=True)
        rows += [row("selection", shift, name, found) for name, found in picked.items()]
    at = table("accuracy of the model picked", rows)
    for shift, name in product([s for s in ("rotate", "roll") if s in shifts], JUDGED):
        lost = 100 * (at["best of twelve", shift] - at[name, shift])
        print(f"{shift}, {name}: {lost:.1f} points under the best", end=" ")
        print("reached" if lost <= 2 else "MISSED", "(goal 2)")
    return rows


def toy_tasks():
    """Return name -> a function that draws the rows of a seed."""
    found = {
        shift: lambda seed, shift=shift: make_shifted_digits(shift, random_state=seed)
        for shift in SHIFTS
    }
    found["moons"] = lambda seed: make_rotated_moons(random_state=seed)
    found["moons, 80 degrees"] = lambda s: make_rotated_moons(angle=80, random_state=s)
    found["no shift"] = lambda seed: make_shifted_digits(None, random_state=seed)
    return found


def safe(seeds):
    rows = []
    for task, draw in toy_tasks().items():
        chosen, alone, default = [], [], []
        for seed in range(seeds):
            X, y, domain = draw(seed)
            X_test, y_test = X[domain < 0], y[domain < 0]
            model = safe_select(
                DANNClassifier(random_state=seed, diagnostics=False),
                {"lambda_": [0.1, 0.3, 1]},
                *(X, y),
                sample_domain=domain,
                random_state=seed,
            )
            chosen.append(accuracy_of(model.best_estimator_, X_test, y_test))
            for found, params in ((alone, {"lambda_": 0}), (default, {})):
                model, _ = fitted(DANNClassifier(), seed, X, y, domain, **params)
                found.append(accuracy_of(model, X_test, y_test))
        rows.append(row("safe", task, "source only", alone))
        rows.append(row("safe", task, "DANN", default))
        rows.append(row("safe", task, "safe_select", chosen))
        print(f"  {task}: {rows[-1]}", file=sys.stderr, flush=True)
    at = table("safe_select", rows)
    for task in toy_tasks():
        gain = 100 * (at["safe_select", task] - at["source only", task])
        print(f"{task}: {gain:+.1f} points over source only", end=" ")
        print("reached" if gain >= -1 else "MISSED", "(goal -1)")
    return rows


def main():
    parts = {f.__name__: f for f in (defaults, shots, selection, safe)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(parts), choices=parts)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    quiet()
    for name in options.parts:
        write(
            "da_digits.json",
            "Shifted digits with defaults, three labels, selection without labels",
            parts[name](options.seeds),
            lambda r: (r["part"], r["task"], r["method"]),
        )


if __name__ == "__main__":
    main()
