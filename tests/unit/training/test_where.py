"""Where and in which precision is computed, on machines that are not this one."""

import os
from contextlib import nullcontext

import pytest
import torch

from mlmi_sklearn.training import gpus
from mlmi_sklearn.training.device import (
    autocast,
    device_or_cpu,
    fits_on,
    resolve_device,
    resolve_dtype,
    resolve_precision,
    wants_cpu,
)

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda:1", "mps"))
FLOATS = [torch.float16, torch.bfloat16, torch.float32]


@pytest.fixture
def machine(monkeypatch):
    """Return a function that says which accelerators there are."""
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)

    def has(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return has


@pytest.mark.parametrize(
    ("cuda", "mps", "name"),
    [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")],
)
def test_the_best_device_is_taken(machine, cuda, mps, name, monkeypatch):
    machine(cuda, mps)
    assert resolve_device("auto") == torch.device(name)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert resolve_device("auto") == CPU


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), ("", False), ("0", False), ("false", False), ("2", False)]
    + [(text, True) for text in ("1", "true", "True", "YES", "yes")],
)
def test_accelerate_may_ask_for_the_cpu(monkeypatch, value, expected):
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    if value is not None:
        monkeypatch.setenv("ACCELERATE_USE_CPU", value)
    assert wants_cpu() is expected


@pytest.mark.parametrize(
    ("cuda", "mps", "offered"),
    [
        (0, False, "'cpu'"),
        (2, False, "'cpu', 'cuda:0', 'cuda:1'"),
        (1, True, "'cpu', 'cuda:0', 'mps'"),
    ],
)
def test_a_device_that_is_not_there_is_told_all_that_are(machine, cuda, mps, offered):
    machine(cuda, mps)
    with pytest.raises(ValueError, match="is not available") as caught:
        resolve_device("abacus")
    told = str(caught.value)
    assert told.startswith("device='abacus' is not available here (Expected one of cpu")
    assert told.endswith(
        f"); this machine offers {offered}. Pass one of these, or device='auto'."
    )
    assert "\n" not in told


def test_a_device_that_gives_no_reason_is_refused_too(monkeypatch):
    def silent(*args, **options):
        raise RuntimeError

    monkeypatch.setattr(torch, "empty", silent)
    with pytest.raises(ValueError, match=r"device='cpu' is not available here \(\);"):
        resolve_device("cpu")


def test_devices_by_name():
    assert resolve_device("cpu") == CPU
    assert device_or_cpu("cpu") == "cpu"
    assert device_or_cpu("meta") == "meta"
    assert device_or_cpu("cuda:77") == "cpu"
    assert device_or_cpu("abacus") == "cpu"


@pytest.mark.parametrize("device", [CPU, CUDA, MPS], ids=str)
def test_double_precision_is_kept_on_a_cpu_alone(device):
    kept = torch.float64 if device == CPU else torch.float32
    assert resolve_dtype("auto", torch.float64, device) == kept
    for given in (*FLOATS, torch.int64, torch.uint8):
        assert resolve_dtype("auto", given, device) == torch.float32
    for given in (*FLOATS, torch.float64):
        assert resolve_dtype("float64", given, device) == torch.float64
        assert resolve_dtype("float32", given, device) == torch.float32


@pytest.mark.parametrize("major", [7, 8, 9])
def test_half_precision_is_for_gpus_that_compute_it_at_full_rate(major, monkeypatch):
    asked = []

    def capability(device):
        asked.append(device)
        return major, 9 - major

    monkeypatch.setattr(torch.cuda, "get_device_capability", capability)
    wanted = torch.bfloat16 if major >= 8 else None
    assert resolve_precision("auto", torch.float32, CUDA) == wanted
    assert asked == [CUDA]
    for device in (CPU, CUDA, MPS):
        assert resolve_precision("auto", torch.float64, device) is None
        assert resolve_precision("full", torch.float32, device) is None
        assert resolve_precision("bf16", torch.float32, device) == torch.bfloat16
        assert resolve_precision("fp16", torch.float64, device) == torch.float16
    for device in (CPU, MPS):
        assert resolve_precision("auto", torch.float32, device) is None
    assert asked == [CUDA]


def test_the_context_of_a_forward_pass():
    assert isinstance(autocast(CPU, None), nullcontext)
    x = torch.ones(2, 2)
    with autocast(CPU, torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
    with autocast(CPU, None):
        assert (x @ x).dtype == torch.float32


def test_a_set_may_take_a_quarter_of_a_gpus_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1003, 4000))
    assert fits_on(CUDA, 249)
    assert not fits_on(CUDA, 250)
    assert fits_on(CPU, 2**60)
    assert fits_on(MPS, 2**60)


# -- a GPU for each worker -------------------------------------------------------------


@pytest.fixture
def visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-5a,,")


def test_visible_gpus_are_named(visible, monkeypatch):
    assert gpus.visible_gpus() == ["3", "GPU-5a"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert gpus.visible_gpus() == ["0", "1"]


def test_a_worker_is_shown_the_gpu_whose_turn_it_is(visible, tmp_path, monkeypatch):
    shown = []
    for _ in range(5):
        gpus._claim_gpu(str(tmp_path / "claims"), ["a", "b", "c"])
        shown.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert shown == ["a", "b", "c", "a", "b"]
    assert gpus.show_gpu(4, ["x", "y", "z"]) == "y"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "y"


def test_no_gpu_and_one_that_was_used_are_told(visible, monkeypatch):
    with pytest.raises(
        ValueError, match=r"^gpus is empty: this process can see no GPU"
    ):
        gpus.show_gpu(0, [])
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match=r"^This process has used a GPU already"):
        gpus.show_gpu(0, ["a"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3, GPU-5a,,"


@pytest.mark.parametrize(
    ("given", "each", "names"),
    [(None, 1, ["3", "GPU-5a"]), (["a"], 3, ["a"]), (("a", "b"), 1, ["a", "b"])],
)
def test_joblib_is_told_of_as_many_workers(visible, monkeypatch, given, each, names):
    told, config = [], gpus.parallel_config

    def noted(**options):
        told.append(options)
        assert os.path.isdir(options["initargs"][0])
        return config(**options)

    monkeypatch.setattr(gpus, "parallel_config", noted)
    with pytest.raises(KeyError), gpus.one_gpu_per_worker(given, workers_per_gpu=each):
        raise KeyError
    (options,) = told
    folder, shown = options.pop("initargs")
    assert shown == names
    assert not os.path.exists(folder)
    assert os.path.basename(folder).startswith("gpus-")
    assert options == {
        "backend": "loky",
        "n_jobs": each * len(names),
        "inner_max_num_threads": 1,
        "initializer": gpus._claim_gpu,
    }


def test_workers_without_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    told = "^gpus: this process can see no GPU. Use joblib.parallel_config"
    with pytest.raises(ValueError, match=told), gpus.one_gpu_per_worker():
        pass
    told = "^workers_per_gpu must be at least 1, got 0.$"
    with pytest.raises(ValueError, match=told), gpus.one_gpu_per_worker(["a"], 0):
        pass
