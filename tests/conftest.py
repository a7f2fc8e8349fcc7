"""Settings that every test shares."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests share two cores with the processes they start, and results must not depend on the thread count.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A shell starts its background jobs with Ctrl-C ignored, and their children would inherit that; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("hunt", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

ROOT = Path(__file__).resolve().parent.parent


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``needs("program")`` where the program is absent, and say which.

    With MMCLI_REQUIRE_PROGRAMS set, as in CI, it fails instead.
    """
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                answer = pytest.fail if os.environ.get("MMCLI_REQUIRE_PROGRAMS") else pytest.skip
                answer(f"needs the program {program}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sample_data(root: Path) -> Path:
    """The committed sample data."""
    return root / "sample_data"


@pytest.fixture(scope="session")
def shared(root: Path) -> Path:
    """The shared benchmark data beside the checkout; tests that ask for it skip where it is absent."""
    path = root.parent / "shared"
    if not (path / "data").is_dir():
        pytest.skip("needs the shared benchmark data beside the checkout")
    return path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """The examples of docstrings are run in the package only; generators and benchmarks here are not imported."""
    if collection_path.suffix == ".py" and not collection_path.name.startswith(("test_", "conftest")):
        return ROOT / "tests" in collection_path.parents or None
    return None
