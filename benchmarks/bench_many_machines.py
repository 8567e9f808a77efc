"""The figures that the guide on many machines counts with, measured here.

Seconds of a core for three fits, seconds until workers of loky have done a first task,
and seconds that two ranks on this machine take to add up their gradients, by the number
of weights. The last two depend on what else the machine does.

    python benchmarks/bench_many_machines.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

RESULT = Path(__file__).parent / "results" / "many_machines.json"
SIZES = (2_000, 100_000, 1_000_000, 10_000_000)


def fits() -> list[dict[str, Any]]:
    """Time single fits on one thread."""
    import numpy as np
    import torch
    from sklearn.datasets import load_digits

    from mlmi_sklearn import Bags, MILClassifier, NetClassifier

    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(50, 64)).astype(np.float32) for _ in range(200)]
    bags, labels = Bags.from_list(parts), np.arange(200) % 2
    mlp = NetClassifier("mlp", max_epochs=10, device="cpu", random_state=0)
    conv = NetClassifier("auto", max_epochs=10, device="cpu", random_state=0)
    mil = MILClassifier(max_epochs=10, device="cpu", random_state=0)
    cases: list[tuple[str, Any, Any, Any]] = [
        ("table: 1,797 x 64, mlp, 10 epochs", mlp, X, y),
        ("bags: 200 of 50 x 64, 10 epochs", mil, bags, labels),
        ("images: 1,797 of 8 x 8, conv, 10 epochs", conv, X.reshape(-1, 1, 8, 8), y),
    ]
    rows = []
    for name, model, data, target in cases:
        seconds = []
        for _ in range(4):  # the first one warms up
            start = time.process_time()
            model.fit(data, target)
            seconds.append(time.process_time() - start)
        rows.append({"fit": name, "seconds": round(median(seconds[1:]), 3)})
    return rows


def _use() -> int:
    import mlmi_sklearn.supervised  # noqa: F401

    return os.getpid()


def start_of_worker() -> float:
    """Time from nothing to the first task of a worker that imports the package."""
    from joblib import Parallel, delayed, parallel_config

    start = time.perf_counter()
    with parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        Parallel()(delayed(_use)() for _ in range(2))
    return round(time.perf_counter() - start, 1)


def _sum_gradients() -> None:
    """Be one of two ranks; the first prints seconds by the number of weights."""
    import torch

    from mlmi_sklearn.training.distributed import current_ranks

    torch.set_num_threads(1)
    ranks = current_ranks()
    assert ranks is not None
    found = {}
    for n in SIZES:
        owner = torch.zeros(n, requires_grad=True)
        seconds = []
        for _ in range(7):
            owner.grad = torch.ones(n)
            start = time.perf_counter()
            ranks.sum_gradients([owner], torch.ones(()))
            seconds.append(time.perf_counter() - start)
        found[str(n)] = round(median(seconds[1:]), 6)
    if ranks.rank == 0:
        print(json.dumps(found))


def exchange() -> dict[str, float]:
    """Time the exchange of gradients between two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", __file__, "--rank"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure all, print and write JSON."""
    if "--rank" in sys.argv:
        _sum_gradients()
        return
    result = {
        "fits": fits(),
        "start_of_worker_s": start_of_worker(),
        "exchange_s": exchange(),
    }
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
