"""Property tests draw the same examples everywhere: a failure is one of the code, not of the draw or of the machine.

New examples: ``pytest --hypothesis-profile=new``, or `make fuzz`, which draws for as long as one likes. Caches are
those of the tests.
"""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from fuzz.kills import heeded

# How fast examples are drawn and tried says how busy the machine is.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("new"), derandomize=True)
settings.load_profile("same")

# Objects of many tests stay alive here: looking through all of them as often as Python does takes a tenth of the time.
gc.set_threshold(50_000, 20, 20)

# Few networks are drawn by each program that JAX compiles: half of the time of its compiler, and nearly the same speed.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")

# Arrays are small here: threads of BLAS would only wait for each other. Set before NumPy is loaded.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


# Commands that tests start read the package as it was compiled once, instead of compiling it each anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_sessionfinish() -> None:
    """What is left is looked through once; pytest does it five times, and takes seconds for it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Derived diagrams and compiled code are kept for one session of tests, which share them."""
    folder = str(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTHEORY_CACHE", folder)
        patch.setenv("XDG_CACHE_HOME", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def own_signals() -> Iterator[None]:
    """Processes that tests stop heed signals, though whoever started the tests may have had them ignored."""
    with heeded():
        yield
