"""DANNClassifier against skada's DANN: accuracy on shifted digits and CPU time.

Same data, layers (64-128 with batch normalisation, discriminator of 100), batches
of 64 rows of either domain, epochs, optimiser and decay of the rate. Three things
differ and are the point: the schedule of lambda, separate passes of the domains, and
the discriminator. skada's own ends in a softmax over one unit, so that its loss is
constant and no gradient reaches anything; "skada, default" is that one, "skada,
repaired" gets a discriminator with a sigmoid. "hand-written loop" is ours without a
library.

Run: ``python benchmarks/bench_da_skada.py [--seeds 3] [--epochs 60]`` (extra
``bench``).
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from _da import Plain, mean_sd, print_table, quiet, train_plain, write
from _skada import default_dann, working_dann

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_shifted_digits

SHIFTS = ("blend", "rotate", "gain", "roll", "blur", "scale")
HIDDEN, CRITIC = (128,), (100,)
SETTINGS = {"lr": 0.03, "lambda_": 0.3}


def ours(X, y, domain, seed, epochs, lambda_=0.3):
    model = DANNClassifier(
        backbone="mlp",
        discriminator=CRITIC,
        max_epochs=epochs,
        batch_size=64,
        lr=0.03,
        lambda_=lambda_,
        random_state=seed,
        diagnostics=False,
    )
    model.set_params(backbone__hidden=HIDDEN, backbone__norm="batch")
    model.fit(X, y, sample_domain=domain)
    return np.mean(model.predict(X[domain < 0]) == y[domain < 0])


def by_hand(X, y, domain, seed, epochs):
    torch.manual_seed(seed)
    net = Plain(64, 10, HIDDEN, CRITIC)
    source, target = domain >= 0, domain < 0
    train_plain(net, X[source], y[source], X[target], epochs=epochs, **SETTINGS)
    return net.accuracy(X[target], y[target])


def of_skada(build):
    """Return a function that fits skada's net and scores the target."""

    def run(X, y, domain, seed, epochs):
        torch.manual_seed(seed)
        model, target = build(epochs), domain < 0
        masked = np.where(target, -1, y)
        model.fit(X, masked, sample_domain=domain)
        found = model.predict(X[target], sample_domain=domain[target])
        return np.mean(found == y[target])

    return run


def contenders():
    common = {"batch": 64, "lr": 0.03}
    return {
        "ours": ours,
        "ours, lambda 0 (source only)": lambda *a: ours(*a, lambda_=0),
        "hand-written loop": by_hand,
        "skada, default": of_skada(lambda n: default_dann(64, 10, HIDDEN, n, **common)),
        "skada, repaired": of_skada(
            lambda n: working_dann(64, 10, HIDDEN, CRITIC, n, lambda_=0.3, **common)
        ),
    }


def measure(name, run, shift, seeds, epochs):
    accuracy, seconds = [], []
    for seed in range(seeds):
        data = make_shifted_digits(shift, random_state=seed)
        start = time.process_time()
        accuracy.append(float(run(*data, seed, epochs)))
        seconds.append(time.process_time() - start)
    return {
        "shift": shift,
        "method": name,
        "accuracy": float(np.mean(accuracy)),
        "sd": float(np.std(accuracy)),
        "seeds": seeds,
        "epochs": epochs,
        "cpu_seconds": float(np.median(seconds)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    if working_dann is None:
        sys.exit("skada is not installed: pip install 'mlmi-sklearn[bench]'")
    quiet()
    rows, lines = [], []
    for name, run in contenders().items():
        mine = [measure(name, run, s, options.seeds, options.epochs) for s in SHIFTS]
        cells = [f"{r['accuracy']:.3f} ± {r['sd']:.3f}" for r in mine]
        cells.append(mean_sd([r["cpu_seconds"] for r in mine]))
        lines.append([name, *cells])
        rows += mine
        print(f"  {name} done", file=sys.stderr)
    print_table(["accuracy on the target", *SHIFTS, "CPU s a fit"], lines)
    write(
        "da_skada.json",
        "DANN against skada 0.6.0 on shifted digits",
        rows,
        lambda r: (r["shift"], r["method"]),
    )


if __name__ == "__main__":
    main()
