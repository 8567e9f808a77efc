"""Training on a GPU beside a raw loop, with utilisation and what the hardware allows.

Each row trains an estimator and a raw loop of the same net on the same batches, in
turns, and waits for the device before the clock stops. For each it says

- the ratio of raw loop to estimator, round by round;
- the share of time in which the GPU was busy, as its driver counts (needs pynvml);
- the roofline: no training can be shorter than its operations at the measured rate of
  a large matrix product, or its bytes at the measured rate of a large copy. Operations
  are counted by torch.utils.flop_counter, bytes are those of inputs once, and of
  weights as forward, backward and optimiser read and write them.

    python benchmarks/bench_gpu.py            # benchmarks/results/gpu.json
    python benchmarks/bench_gpu.py --quick --device cpu   # only to try the script

Without a GPU it says so and ends.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mlmi_sklearn import Bags, MILClassifier, NetClassifier

HERE = Path(__file__).parent
# Passes over each weight in a step: forward, two in the backward pass, its gradient
# written and read, and AdamW's reading and writing of the weight and two moments.
PASSES = 11


@dataclass
class Row:
    """Data and length of one training."""

    name: str
    model: Callable[..., Any]
    X: Any
    y: np.ndarray
    batch: int
    epochs: int
    precision: str = "full"

    def fit(self, device: str) -> Any:
        """Train the estimator."""
        options = {"batch_size": self.batch, "max_epochs": self.epochs}
        model = self.model(
            device=device, precision=self.precision, random_state=0, **options
        )
        return model.fit(self.X, self.y)

    @property
    def values(self) -> np.ndarray:
        """Numbers that have to reach the device."""
        return np.asarray(self.X.values if isinstance(self.X, Bags) else self.X)


def rows(quick: bool) -> list[Row]:
    """Return small rows, where the time of calls counts, and big ones."""
    rng = np.random.default_rng(0)

    def table(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
        X = rng.normal(size=(n, d)).astype(np.float32)
        return X, (X[:, 0] > 0).astype(int)

    def wide(**options: Any) -> NetClassifier:
        return NetClassifier(**options).set_params(backbone__hidden=(4096, 4096))

    def pictures(n: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(size=(n, 3, 32, 32)).astype(np.float32), np.arange(n) % 10

    def bags(n: int, most: int) -> tuple[Bags, np.ndarray]:
        lengths = rng.integers(1, most, n)
        return Bags(table(lengths.sum(), 128)[0], lengths), np.arange(n) % 2

    scale = 50 if quick else 1
    return [
        Row("1,000 x 20, batch 32", NetClassifier, *table(1_000, 20), 32, 5),
        Row(
            "50,000 x 20, batch 128", NetClassifier, *table(50_000 // scale, 20), 128, 3
        ),
        Row("ragged bags", MILClassifier, *bags(2_000 // scale, 200), 32, 3),
        Row("images 32 x 32", NetClassifier, *pictures(20_000 // scale), 256, 3),
        Row(
            "500,000 x 512, 4,096 units",
            wide,
            *table(500_000 // scale**2, 512),
            4096,
            2,
        ),
        Row(
            "500,000 x 512, 4,096 units, bf16",
            wide,
            *table(500_000 // scale**2, 512),
            4096,
            2,
            "bf16",
        ),
    ]


def raw_loop(row: Row, fitted: Any, device: torch.device) -> Callable[[], None]:
    """Return a training of the same net, written by hand, all data on the device."""
    module = fitted.net_.module_
    criterion = nn.functional.cross_entropy
    X = torch.from_numpy(row.values).to(device)
    y = torch.from_numpy(row.y).to(device)
    half = row.precision == "bf16"

    def run() -> None:
        optimizer = torch.optim.AdamW(module.parameters(), fused=True)
        module.train()
        for _ in range(row.epochs):
            order = torch.randperm(len(X)).to(device)
            shuffled, targets = X[order], y[order]
            parts = zip(
                shuffled.split(row.batch), targets.split(row.batch), strict=True
            )
            for x, t in parts:
                optimizer.zero_grad()
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    raw = module(x)
                loss = (
                    criterion(raw.float(), t)
                    if raw.shape[1] > 1
                    else nn.functional.softplus(raw.float()[:, 0] * (1 - 2 * t)).mean()
                )
                loss.backward()
                optimizer.step()

    return run


class Busy:
    """Share of time in which kernels ran, sampled beside a run."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seen, self.end = device, [], threading.Event()

    def __enter__(self) -> Busy:
        self.thread = threading.Thread(target=self._sample)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.end.set()
        self.thread.join()

    def _sample(self) -> None:
        while not self.end.wait(0.05):
            try:
                self.seen.append(torch.cuda.utilization(self.device))
            except Exception:  # no pynvml, or a driver that does not tell
                return

    @property
    def percent(self) -> float | None:
        """Mean of the samples; None where there are none."""
        return mean(self.seen) if self.seen else None


def timed(run: Callable[[], Any], device: torch.device) -> float:
    """Return seconds until the device has done everything."""
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def peaks(device: torch.device, dtype: torch.dtype, quick: bool) -> tuple[float, float]:
    """Measure operations and bytes per second."""
    n = 256 if quick else 8192
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    source = torch.empty((1 if quick else 256) * 2**20, device=device)
    target = torch.empty_like(source)
    products = [timed(lambda: a @ b, device) for _ in range(6)]
    copies = [timed(lambda: target.copy_(source), device) for _ in range(6)]
    return 2 * n**3 / min(products[1:]), 2 * source.nbytes / min(copies[1:])


def work(row: Row, fitted: Any) -> tuple[float, float]:
    """Count operations and the least bytes of a training."""
    module = fitted.net_.module_
    n_weights = sum(p.numel() for p in module.parameters())
    steps = -(-len(row.y) // row.batch) * row.epochs
    moved = row.values.nbytes * row.epochs + 4 * PASSES * n_weights * steps
    if isinstance(row.X, Bags):  # products with weights, forward and twice backward
        return 6.0 * n_weights * len(row.values) * row.epochs, moved
    device = next(module.parameters()).device
    x = torch.from_numpy(row.values[: row.batch]).to(device)
    with FlopCounterMode(display=False) as counter:
        module(x).sum().backward()
    each = counter.get_total_flops() / len(x)
    return each * len(row.y) * row.epochs, moved


def measure(row: Row, device: torch.device, rounds: int, quick: bool) -> dict[str, Any]:
    """Return all figures of a row."""
    fitted = row.fit(str(device))
    contenders: dict[str, Callable[[], Any]] = {"ours": lambda: row.fit(str(device))}
    if not isinstance(row.X, Bags):
        contenders["raw"] = raw_loop(row, fitted, device)
        contenders["raw"]()
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    with Busy(device) as busy:
        for _ in range(rounds):
            for name, run in contenders.items():
                spent[name].append(timed(run, device))
    dtype = torch.bfloat16 if row.precision == "bf16" else torch.float32
    rate, bandwidth = peaks(device, dtype, quick)
    operations, moved = work(row, fitted)
    limit = max(operations / rate, moved / bandwidth)
    found: dict[str, Any] = {
        "name": row.name,
        "ours_s": median(spent["ours"]),
        "utilisation_percent": busy.percent,
        "flop": operations,
        "bytes": moved,
        "peak_flop_per_s": rate,
        "peak_bytes_per_s": bandwidth,
        "roofline_s": limit,
        "share_of_roofline": limit / median(spent["ours"]),
    }
    if "raw" in spent:
        ratios = [r / o for o, r in zip(spent["ours"], spent["raw"], strict=True)]
        found |= {"raw_s": median(spent["raw"]), "raw_by_ours": median(ratios)}
    return found


def table_of(found: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| training | ours, s | raw loop / ours | GPU busy | share of roofline |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        ratio = f"{row['raw_by_ours']:.2f}" if "raw_by_ours" in row else "-"
        busy = row["utilisation_percent"]
        shown = "-" if busy is None else f"{busy:.0f} %"
        share = f"{100 * row['share_of_roofline']:.1f} %"
        lines.append(
            f"| {row['name']} | {row['ours_s']:.3f} | {ratio} | {shown} | {share} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows and write them down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny rows, no file")
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("No GPU here: nothing to measure.")
        return
    found = []
    for row in rows(given.quick):
        found.append(measure(row, device, given.rounds, given.quick))
        print(row.name, {k: v for k, v in found[-1].items() if k != "name"}, flush=True)
    print(table_of(found))
    if not given.quick:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        result = {"device": name, "torch": torch.__version__, "rows": found}
        path = HERE / "results" / "gpu.json"
        path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
