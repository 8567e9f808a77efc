"""Meta-learning: peak memory of one step of MAML on conv4, each in its own process.

64 filters, 28 x 28 pixels, 5-way 1-shot, 1 query a class, 32 tasks in a step, 5 inner
steps, beside a loop over tasks that takes a backward pass after every task, as one does
to save memory. Times are in ``make bench FAMILY=meta_learning``.

Run: ``python benchmarks/bench_meta_memory.py``.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from _da import quiet
from cases.meta_learning.episodes import kept_episodes
from cases.meta_learning.loops import Rule, Tasks, conv4, one_by_one
from suite.results import RESULTS

from mlmi_sklearn import MAMLClassifier
from mlmi_sklearn.meta_learning.episodes import EpisodeBatches, Pace

CONTENDERS = ("plain loop", "ours", "ours, one task at a time")
TASKS, STEPS, RATE, GOAL = 32, 5, 0.4, 3.0


def rss(field):
    """Present ("VmRSS") or largest ("VmHWM") memory of this process, in MB.

    ``ru_maxrss`` would not do: a new process begins with that of its parent.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def fitted():
    """Return a model after a small fit, and what it draws its episodes from.

    What such a fit leaves behind must not hide what a step takes.
    """
    model = MAMLClassifier(
        backbone="conv4",
        inner_lr=RATE,
        inner_max_norm=None,
        max_grad_norm=None,
        finetune_steps=0,
        n_way=5,
        n_shot=1,
        n_query=1,
        meta_batch_size=1,
        episodes="classes",
        episodes_per_epoch=1,
        max_epochs=1,
        random_state=0,
    )
    X = np.random.default_rng(0).random((100, 1, 28, 28), dtype=np.float32)
    with kept_episodes() as kept:
        model.fit(X, np.repeat(np.arange(5), 20))
    return model, kept["data"]


def peak(which):
    """Print how much one step takes on top of what there is before it, in MB."""
    model, data = fitted()
    data.pace = Pace(TASKS, TASKS)
    module, criterion = model.net_.module_, model.net_.criterion_
    module.steps = STEPS
    net, chunk = conv4(5), model.net_._chunk_size()
    batch = next(iter(EpisodeBatches(data, np.random.default_rng(0))))[0]
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest so far
    before = rss("VmRSS")
    if which == "plain loop":
        for part in batch.chunks(1):
            tasks = Tasks(*part.support[:2], *part.query[:2])
            one_by_one(net, tasks, Rule(STEPS, RATE)).backward()
    else:
        for part in batch.chunks(1 if which == CONTENDERS[2] else chunk):
            module.episode(part, criterion).objective.sum().backward()
    print(rss("VmHWM") - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", choices=CONTENDERS, help="of one contender")
    options = parser.parse_args()
    quiet()
    if options.peak:
        peak(options.peak)
        return
    found = {}
    for which in CONTENDERS:
        command = [sys.executable, __file__, "--peak", which]
        out = subprocess.run(command, capture_output=True, text=True, check=True)
        found[which] = round(float(out.stdout.split()[-1]), 1)
    ratio = found["ours"] / found["plain loop"]
    reached = ratio <= GOAL
    print(f"conv4, 5 steps, 32 tasks, peak memory of a step in MB: {found}")
    print(f"ratio {ratio:.2f} (goal <= {GOAL:g}) {'reached' if reached else 'MISSED'}")
    content = {"peak_mb": found, "ratio": ratio, "goal": GOAL, "reached": reached}
    path = RESULTS / "meta_memory.json"
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
