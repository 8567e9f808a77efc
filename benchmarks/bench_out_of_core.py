"""Memory and speed of training on data that stay on disk.

Rows of 250 float32 features are written as a memory map (float32 and uint8), as a
Parquet folder, and as bags of 500 in a file each; dask reads the memory map in blocks.
Each way of reading them is measured in a process of its own, after a fit on a few rows:
one epoch of ``NetClassifier`` (``MILClassifier`` for bags) and a prediction for all
rows, with the largest amount of private writable memory (``VmData``) above that of the
same process before. With ``--limit`` the kernel enforces a limit on that amount, and a
way that needs more fails.

    python benchmarks/bench_out_of_core.py [--gb 0.4] [--limit MB] [--ways memmap dask]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "out_of_core.json"
N_FEATURES = 250
BLOCK = 5_000
DASK_BLOCK = 1_000
HEAD = 3_000
IN_BAG = 500
WAYS = (
    *("in memory", "memory map", "memory map, blocks", "memory map, uint8"),
    *("data set", "iterable", "loader, 2 workers", "dask", "parquet"),
    *("bags, files", "bags in memory"),
)


def data_size() -> int:
    """Return the private writable memory of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmData: this needs Linux")


class Peak:
    """Watch the memory of this process from a thread."""

    def __init__(self, before: int) -> None:
        self.before = self.highest = before
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.highest = max(self.highest, data_size())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    @property
    def mb(self) -> int:
        """Megabytes above the start."""
        return round((self.highest - self.before) / 1e6)


# -- the data on disk -----------------------------------------------------------------


def write(folder: Path, gb: float, parquet: bool, bags: bool = False) -> None:
    """Write about ``gb`` of features in each format, a block at a time."""
    n = max(2, round(gb * 1e9 / (4 * N_FEATURES * BLOCK))) * BLOCK
    shape = (n, N_FEATURES)
    open_memmap = np.lib.format.open_memmap
    values = open_memmap(folder / "x.npy", "w+", np.float32, shape)
    pixels = open_memmap(folder / "pixels.npy", "w+", np.uint8, shape)
    y = np.empty(n, dtype=np.int64)
    (folder / "parquet").mkdir()
    (folder / "bags").mkdir()
    rng = np.random.default_rng(0)
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        block = rng.standard_normal((BLOCK, N_FEATURES), dtype=np.float32)
        values[rows], y[rows] = block, block[:, 0] > 0
        pixels[rows] = np.clip(block * 40 + 128, 0, 255)
        if parquet:
            _write_parquet(folder / "parquet", start, block, y[rows])
        for first in range(0, BLOCK if bags else 0, IN_BAG):
            name = f"{start + first:09d}.npy"
            np.save(folder / "bags" / name, block[first : first + IN_BAG])
    np.save(folder / "y.npy", y)


def _write_parquet(folder: Path, start: int, block: Any, y: Any) -> None:
    import pandas as pd

    frame = pd.DataFrame(block, columns=[f"f{i}" for i in range(N_FEATURES)])
    frame["label"] = y
    frame.to_parquet(folder / f"{start:09d}.parquet", row_group_size=BLOCK)


# -- the ways to read it --------------------------------------------------------------


def sources(folder: Path, way: str, n: int | None) -> tuple[Any, Any]:
    """Return X and y of a way for the first ``n`` rows (parquet: the first file)."""
    from mlmi_sklearn import Stream

    if way.startswith("bags"):
        return _bags(folder / "bags", n, lazy=way == "bags, files")
    y = np.load(folder / "y.npy")[:n]
    mapped = np.load(folder / "x.npy", mmap_mode="r")[:n]
    if way == "parquet":
        files = folder / "parquet"
        path = files if n is None else min(files.iterdir())
        return Stream.from_parquet(path, target="label"), None
    if way == "dask":
        return _dask(mapped), y
    if way in ("iterable", "loader, 2 workers", "data set"):
        return _torch_sets(mapped, y, way), None
    if way == "memory map, uint8":
        return Stream(np.load(folder / "pixels.npy", mmap_mode="r")[:n]), y
    ways: dict[str, Callable[[], Any]] = {
        "in memory": lambda: np.load(folder / "x.npy")[:n],
        "memory map": lambda: Stream(mapped),
        "memory map, blocks": lambda: Stream(mapped, block_rows=BLOCK),
    }
    return ways[way](), y


def _bags(folder: Path, n: int | None, lazy: bool) -> tuple[Any, Any]:
    """Return bags and labels, which say nothing: memory is what is measured."""
    from mlmi_sklearn import Bags

    files = sorted(folder.iterdir())[: None if n is None else n // IN_BAG]
    y = np.arange(len(files)) % 2
    if lazy:
        return Bags.from_files(files), y
    return Bags.from_list([np.load(file) for file in files]), y


def _dask(mapped: Any) -> Any:
    """Read blocks late; ``from_array`` would copy the whole memory map at once."""
    import dask
    import dask.array as da

    @dask.delayed
    def read(start: int) -> Any:
        return np.array(mapped[start : start + DASK_BLOCK])

    parts = [
        da.from_delayed(
            read(start), (min(DASK_BLOCK, len(mapped) - start), N_FEATURES), np.float32
        )
        for start in range(0, len(mapped), DASK_BLOCK)
    ]
    return da.concatenate(parts)


def _torch_sets(mapped: Any, y: Any, way: str) -> Any:
    from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

    class Rows(Dataset[Any]):
        def __len__(self) -> int:
            return len(mapped)

        def __getitem__(self, row: int) -> Any:
            return np.array(mapped[row]), y[row]

    class Pass(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            worker = get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            for row in range(first, len(mapped), step):
                yield np.array(mapped[row]), y[row]

    if way == "data set":
        return Rows()
    if way == "iterable":
        return Pass()
    return DataLoader(Pass(), batch_size=500, num_workers=2)


# -- one way, in a process of its own -------------------------------------------------


def measure(way: str, folder: Path, limit: int | None) -> dict[str, Any]:
    """Fit and predict; return peaks in MB above the start, and rows a second."""
    import torch

    from mlmi_sklearn import MILClassifier, NetClassifier

    torch.set_num_threads(1)
    model: Any = NetClassifier(max_epochs=1, device="cpu", random_state=0)
    if way.startswith("bags"):
        model = MILClassifier(max_epochs=1, device="cpu", batch_size=4, random_state=0)
    model.set_params(backbone__hidden=(16,))
    X, y = sources(folder, way, HEAD)
    model.fit(X, y).predict(X)
    del X
    before = data_size()
    if limit is not None:
        top = before + limit * 10**6
        resource.setrlimit(resource.RLIMIT_DATA, (top, top))
    n = len(np.load(folder / "y.npy", mmap_mode="r"))
    row: dict[str, Any] = {"way": way, "rows": n, "limit_mb": limit, "trained": False}
    try:
        with Peak(before) as fitting:
            start = time.perf_counter()
            X, y = sources(folder, way, None)
            model.fit(X, y)
            fit_s = time.perf_counter() - start
        with Peak(before) as predicting:
            start = time.perf_counter()
            model.predict(X)
            predict_s = time.perf_counter() - start
    except (MemoryError, RuntimeError) as error:  # the latter is PyTorch's
        return {**row, "error": repr(error)[:120]}
    measured = {
        "fit_mb": fitting.mb,
        "predict_mb": predicting.mb,
        "fit_rows_per_s": round(n / fit_s),
        "predict_rows_per_s": round(n / predict_s),
    }
    return {**row, "trained": True, **measured}


def run(way: str, folder: Path, limit: int | None) -> dict[str, Any]:
    """Measure one way in a new process."""
    command = [sys.executable, __file__, "--measure", way, "--folder", str(folder)]
    if limit is not None:
        command += ["--limit", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{way}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Run all ways, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=0.4, help="size of the features")
    parser.add_argument("--limit", type=int, help="MB that a process may add")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder, options.limit)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bags = any(way.startswith("bags") for way in options.ways)
        write(folder, options.gb, parquet="parquet" in options.ways, bags=bags)
        rows = [run(way, folder, options.limit) for way in options.ways]
        megabytes = round((folder / "x.npy").stat().st_size / 1e6)
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    result = {"features_mb": megabytes, "limit_mb": options.limit, "rows": rows}
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
