"""Training in a tenth of the memory of the features (dask: a seventh).

The kernel sees to it. A process may add a fixed amount of private writable memory
(``RLIMIT_DATA``, which pages of mapped files are not part of) to what it has after a
first small fit; workers of a loader inherit the limit. Reading all features at once
fails there; every kind of stream, and bags in files, train and predict.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bench_out_of_core.py"
LIMIT_MB = 40
LARGE_LIMIT_MB = 50
# Whatever the size of the data, dask takes some for its graph and its scheduler.
LIMITS_MB = {"dask": 70}

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists() or "linux" not in sys.platform,
    reason="the limit needs Linux",
)


def benchmark():
    spec = importlib.util.spec_from_file_location("bench_out_of_core", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(way, folder, limit=LIMIT_MB):
    command = [sys.executable, BENCHMARK, "--measure", way, "--folder", folder]
    command += ["--limit", str(limit)]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    benchmark().write(folder, 0.1, parquet=False)
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("large")
    benchmark().write(folder, 0.5, parquet=True, bags=True)
    return folder


def test_a_memory_map_trains_where_its_numbers_do_not_fit(small):
    assert (small / "x.npy").stat().st_size > 2.4 * LIMIT_MB * 1e6
    row = measured("memory map", small)
    assert row["trained"], row
    assert row["rows"] == len(np.load(small / "y.npy"))


@pytest.mark.slow
def test_in_memory_fails_under_the_same_limit(small, large):
    for way, folder, limit in (
        ("in memory", small, LIMIT_MB),
        ("in memory", large, LARGE_LIMIT_MB),
        ("bags in memory", large, LARGE_LIMIT_MB),
    ):
        row = measured(way, folder, limit)
        assert not row["trained"]
        assert "MemoryError" in row["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", ["memory map", "memory map, uint8", "memory map, blocks", "data set",
            "iterable", "loader, 2 workers", "dask", "parquet", "bags, files"],
)  # fmt: skip
def test_far_more_features_than_memory(large, way):
    if way == "dask":
        pytest.importorskip("dask.array")
    row = measured(way, large, LIMITS_MB.get(way, LARGE_LIMIT_MB))
    assert row["trained"], row
