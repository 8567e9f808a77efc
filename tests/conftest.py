"""Set-up for all tests: one thread, no plugins of this machine, stable hypothesis."""

import ipaddress
import os
import signal
import sys
import warnings
from pathlib import Path

os.environ.setdefault("MLMI_SKLEARN_PLUGINS", "none")

import pytest
import torch
from hypothesis import HealthCheck, settings


def _stay_here(event, arguments):
    """Refuse connections to other machines; nothing here has a reason for one."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host not in (None, "", "localhost", os.uname().nodename) and not _is_own(host):
        raise OSError(f"tests do not use the network: {event} of {host!r}")


def _is_own(host):
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_stay_here)

# Small nets gain nothing from a second thread, and lose a lot beside other tests.
torch.set_num_threads(1)

settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.fixture
def usual_sigint():
    """Give Ctrl-C its usual meaning, whoever started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def start_ray():
    """What starts Ray on this machine; options go to ``ray.init``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    def start(**options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ray.init(
                    num_cpus=2,
                    include_dashboard=False,
                    object_store_memory=100 * 2**20,
                    _node_ip_address="127.0.0.1",
                    logging_level="ERROR",
                    **options,
                )
            except (OSError, RuntimeError, TimeoutError) as error:
                pytest.skip(f"Ray cannot start here: {error}")
        register_ray()

    yield start
    ray.shutdown()


@pytest.fixture(scope="session")
def shared_data():
    """Folder of larger real data sets, where a checkout has one beside it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of larger data sets is not here")
    return folder
