"""Each worker sees one GPU; tried with GPUs that are names alone."""

import os
import time

import joblib
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from joblib import Parallel, delayed

from mlmi_sklearn.training.gpus import one_gpu_per_worker, show_gpu, visible_gpus


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-5a")


def test_names_come_from_the_environment_or_are_counted(monkeypatch):
    assert visible_gpus() == ["3", "GPU-5a"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert visible_gpus() == ["0", "1", "2"]


@given(n_gpus=st.integers(1, 8), each=st.integers(1, 4))
def test_every_gpu_gets_as_many_workers(n_gpus, each):
    before = os.environ["CUDA_VISIBLE_DEVICES"]
    gpus = [f"g{i}" for i in range(n_gpus)]
    shown = [show_gpu(worker, gpus) for worker in range(n_gpus * each)]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == shown[-1]
    os.environ["CUDA_VISIBLE_DEVICES"] = before
    assert all(shown.count(gpu) == each for gpu in gpus)


def test_too_late_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match="has used a GPU already"):
        show_gpu(0, ["0"])


def test_no_gpu_is_said(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ValueError, match="can see no GPU"), one_gpu_per_worker():
        pass
    with (
        pytest.raises(ValueError, match="workers_per_gpu must be at least 1, got 0"),
        one_gpu_per_worker(["0"], workers_per_gpu=0),
    ):
        pass


def seen(_):
    time.sleep(0.3)  # so that no worker does all
    return os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.slow
@pytest.mark.parametrize(("gpus", "each"), [(None, 1), (["0"], 2)])
def test_workers_of_loky_see_one_gpu_each(gpus, each):
    with one_gpu_per_worker(gpus, workers_per_gpu=each):
        found = set(Parallel()(delayed(seen)(i) for i in range(12)))
    names = gpus or ["3", "GPU-5a"]
    assert sorted(gpu for _, gpu in found) == sorted(names * each)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3, GPU-5a"


@pytest.mark.slow
def test_workers_of_ray_get_the_gpus_that_they_ask_for(monkeypatch, start_ray):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    start_ray(num_gpus=2)  # Ray takes our word for it
    options = {"num_gpus": 1}
    with joblib.parallel_config("ray", n_jobs=2, ray_remote_args=options):
        found = set(Parallel()(delayed(seen)(i) for i in range(8)))
    assert sorted(gpu for _, gpu in found) == ["0", "1"]
