"""The compiled engine under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
SHORT = ["-DUNROLL=1"]  # the same code with short blocks: long ones take the sanitizers minutes to compile
BUILD = ["-O1", "-g", "-fwrapv", "-fPIC", "-shared", "-pthread", "-Wno-psabi", "-DPy_LIMITED_API=0x030B0000"]


@pytest.mark.hunt
@pytest.mark.needs("gcc")
@pytest.mark.parametrize("machine", ["this one", "any"])
def test_no_access_outside_a_buffer_and_nothing_undefined(root: Path, tmp_path: Path, machine: str) -> None:
    """Once as built here, once with the code that other processors get in place of the intrinsics of SSE2."""
    sources = sorted((root / "mmcli/aligners/kernels/csrc").glob("dtw_*.c"))
    include = f"-I{sysconfig.get_path('include')}"
    other = ["-DDTW_GENERIC"] if machine == "any" else []
    library = tmp_path / "_dtw.abi3.so"
    subprocess.run(["gcc", *FLAGS, *SHORT, *BUILD, *other, include, *map(str, sources), "-o", str(library)], check=True)
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {**os.environ, "LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    script = Path(__file__).parent / "sanitized_exercise.py"
    found = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert found.stdout == "clean\n", found.stderr[-3000:]
