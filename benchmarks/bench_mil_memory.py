"""Peak memory of training on slides that stay on disk.

Two slides of 100,000 instances with 1,024 float32 features each (410 MB a slide) are
written as one file a slide, and as one memory map of both. Each way of passing them is
measured in a process of its own: the largest amount of memory that belongs to the
process alone (not the pages of the files, which the system may drop at any time) above
that of the same process after a fit on two bags of ten instances.

    python benchmarks/bench_mil_memory.py [--instances 100000] [--features 1024]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parent / "results" / "mil_memory.json"
WAYS = ("files", "memory map", "memory map, other order", "files, 2,000 a bag")
N_SLIDES = 2


def own_memory() -> float:
    """Return the memory in MB that belongs to this process alone."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no RssAnon: this benchmark needs Linux")


class Peak:
    """Watch the memory of this process from a thread."""

    def __enter__(self) -> Peak:
        self.before = self.highest = own_memory()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.done.is_set():
            self.highest = max(self.highest, own_memory())
            time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def measure(way: str, folder: Path) -> dict[str, float]:
    """Fit and predict once; return peaks in MB above the start."""
    from mlmi_sklearn import Bags, MILClassifier

    rng = np.random.default_rng(0)
    small = Bags(rng.normal(size=(20, 64)).astype(np.float32), [10, 10])
    y = np.array([0, 1])
    MILClassifier(max_epochs=1).fit(small, y)
    if way.startswith("files"):
        bags = Bags.from_files(sorted(folder.glob("slide-*.npy")))
    else:
        mapped = np.load(folder / "all.npy", mmap_mode="r")
        n = mapped.shape[0] // N_SLIDES
        bags = Bags(mapped, [n] * N_SLIDES)
        bags = bags[[1, 0]] if "other" in way else bags
    limit = 2_000 if "2,000" in way else None
    model = MILClassifier(max_epochs=2, max_instances=limit, random_state=0)
    with Peak() as training:
        model.fit(bags, y)
    with Peak() as prediction:
        model.predict(bags)
    return {
        "fit": training.highest - training.before,
        "predict": prediction.highest - prediction.before,
    }


def write_slides(folder: Path, n: int, d: int) -> None:
    """Write the slides, each instance drawn at random."""
    rng = np.random.default_rng(0)
    whole = np.lib.format.open_memmap(
        folder / "all.npy", "w+", np.float32, (N_SLIDES * n, d)
    )
    for number in range(N_SLIDES):
        slide = rng.standard_normal((n, d), dtype=np.float32)
        np.save(folder / f"slide-{number}.npy", slide)
        whole[number * n : (number + 1) * n] = slide
    whole.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=1_024)
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"))
    args = parser.parse_args()
    if args.child:
        way, folder = args.child
        print(json.dumps(measure(way, Path(folder))))
        return
    slide = args.instances * args.features * 4 / 2**20
    hidden = args.instances * 100 * 4 / 2**20
    print(f"{N_SLIDES} slides of {slide:.0f} MB; one hidden layer: {hidden:.0f} MB\n")
    print("| passed as | fit, MB | predict, MB | fit / size of a slide |")
    print("|---|---|---|---|")
    found = {}
    with tempfile.TemporaryDirectory() as name:
        write_slides(Path(name), args.instances, args.features)
        for way in WAYS:
            command = [sys.executable, __file__, "--child", way, name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peak = found[way] = json.loads(done.stdout.splitlines()[-1])
            ratio = peak["fit"] / slide
            print(
                f"| {way} | {peak['fit']:.0f} | {peak['predict']:.0f} | {ratio:.2f} |"
            )
    RESULT.parent.mkdir(exist_ok=True)
    facts = {"slide_mb": slide, "hidden_layer_mb": hidden, "peaks_mb": found}
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
