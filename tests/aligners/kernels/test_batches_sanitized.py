"""The hidden Markov and pairwise kernels under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-DPAIRS_ONE_FOR_ALL"]
BUILD = ["-O1", "-g", "-fwrapv", "-fPIC", "-shared", "-pthread", "-Wno-psabi", "-DPy_LIMITED_API=0x030B0000"]


@pytest.mark.hunt
@pytest.mark.needs("gcc")
def test_no_access_outside_a_buffer_and_nothing_undefined(root: Path, tmp_path: Path) -> None:
    for name in ("hmm", "pairs"):
        sources = sorted(str(p) for p in (root / "mmcli/aligners/kernels/csrc").glob(f"{name}_*.c"))
        library = tmp_path / f"_{name}.abi3.so"
        include = f"-I{sysconfig.get_path('include')}"
        subprocess.run(["gcc", *FLAGS, *BUILD, include, *sources, "-o", str(library)], check=True)
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {**os.environ, "LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    script = Path(__file__).parent / "sanitized_batches.py"
    found = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert found.stdout == "clean\n", found.stderr[-3000:]
