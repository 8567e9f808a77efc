"""The same result as alone: in threads, processes, both, a fork, an event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score

from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    MAMLClassifier,
    MILClassifier,
    MLPBackbone,
    NetClassifier,
)
from mlmi_sklearn.training import borrowed_generator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = np.arange(40) % 2
BAGS = Bags(X, lengths=[2] * 20)
DOMAIN = np.where(np.arange(40) < 20, 1, -1)
NOISY = MLPBackbone(hidden=(8,), dropout=0.5)


def net(seed):
    model = NetClassifier(NOISY, max_epochs=3, batch_size=8, random_state=seed)
    return model.fit(X, Y).predict_proba(X)


def mil(seed):
    model = MILClassifier(
        pooling="gated-attention", level="embedding", max_epochs=2, random_state=seed
    )
    return model.fit(BAGS, Y[:20]).predict_proba(BAGS)


def dann(seed):
    model = DANNClassifier(NOISY, max_epochs=2, batch_size=8, random_state=seed)
    return model.fit(X, Y, sample_domain=DOMAIN).predict_proba(X)


def maml(seed):
    model = MAMLClassifier(
        max_epochs=1, episodes_per_epoch=3, finetune_steps=2, random_state=seed
    )
    return model.fit(X, Y).predict_proba(X)


def cgan(seed):
    sampler = CGANSampler(max_iter=4, batch_size=8, random_state=seed).fit(X, Y)
    return sampler.sample(6, random_state=seed)[0]


FITS = [net, mil, dann, maml, cgan]
JOBS = [(fit, seed) for seed in (0, 1) for fit in FITS]


@pytest.fixture(scope="module")
def alone():
    return [fit(seed) for fit, seed in JOBS]


def same(found, expected):
    for (fit, seed), one, other in zip(JOBS, found, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=f"{fit.__name__} {seed}")


def run(job):
    fit, seed = job
    return fit(seed)


def test_threads_give_what_one_thread_gives(alone):
    with ThreadPoolExecutor(4) as pool:
        same(pool.map(run, JOBS), alone)


def test_threads_leave_the_generator_of_the_process_alone(alone):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, JOBS))
    assert torch.equal(torch.rand(3), expected)


def test_the_user_may_draw_numbers_beside_a_fit(alone):
    """What another thread draws from NumPy and Python changes nothing."""
    done = threading.Event()

    def draw():
        while not done.is_set():
            np.random.rand()

    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(draw)
        try:
            same([run(job) for job in JOBS], alone)
        finally:
            done.set()
        drawing.result(timeout=10)


def nested(job):
    """Use threads inside of a process of a pool."""
    return Parallel(n_jobs=2, backend="threading")(delayed(run)(job) for _ in range(2))


@pytest.mark.slow
def test_threads_inside_of_processes(alone):
    found = Parallel(n_jobs=2)(delayed(nested)(job) for job in JOBS)
    for copy in (0, 1):
        same([pair[copy] for pair in found], alone)


def test_a_search_in_a_score_in_threads_and_processes():
    search = GridSearchCV(
        NetClassifier(NOISY, max_epochs=2, random_state=0), {"lr": [1e-3, 1e-2]}, cv=2
    )
    expected = cross_val_score(search, X, Y, cv=2)
    for backend in ("threading", "loky"):
        with parallel_config(backend=backend, n_jobs=2):
            np.testing.assert_array_equal(cross_val_score(search, X, Y, cv=2), expected)


def test_dask_threads(alone):
    dask = pytest.importorskip("dask")
    jobs = [dask.delayed(run)(job) for job in JOBS]
    same(dask.compute(*jobs, scheduler="threads", num_workers=4), alone)


def test_an_event_loop_as_in_a_notebook(alone):
    async def cell():
        inside = [run(job) for job in JOBS]
        beside = await asyncio.gather(*(asyncio.to_thread(run, job) for job in JOBS))
        return inside, beside

    inside, beside = asyncio.run(cell())
    same(inside, alone)
    same(beside, alone)


@pytest.mark.skipif(sys.platform != "linux", reason="forks as Linux has them")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_is_in_the_middle_of_a_fit(alone):
    """A lock that is held at that moment is nobody's in the child."""
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with borrowed_generator(0, torch.device("cpu")):
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(60)
    try:
        context = multiprocessing.get_context("fork")
        with context.Pool(1) as pool:
            found = pool.map_async(run, JOBS[:1]).get(timeout=40)
    finally:
        leave.set()
        thread.join()
    np.testing.assert_array_equal(found[0], alone[0])


FORK = """
import multiprocessing, sys
import numpy as np, torch
from mlmi_sklearn import NetClassifier
torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(4096, 256)).astype(np.float32)
y = np.arange(4096) % 2

def fit(seed):
    model = NetClassifier(max_epochs=1, batch_size=2048, random_state=seed)
    return model.fit(X, y).predict_proba(X[:9])

if __name__ == "__main__":
    expected = fit(0)  # PyTorch has started its threads
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.map_async(fit, [0]).get(timeout=40)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks as Linux has them")
def test_a_fork_after_torch_has_used_several_threads(tmp_path):
    script = tmp_path / "fork.py"
    script.write_text(FORK)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1500:]
