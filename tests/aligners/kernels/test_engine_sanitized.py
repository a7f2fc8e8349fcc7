"""The compiled kernels under the address and undefined-behaviour sanitizers: quickly in every run, all in the hunt."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-fwrapv"]
SHORT = ["-DUNROLL=1"]  # the same code with short blocks: long ones take the sanitizers minutes to compile
BUILD = ["-g", "-fPIC", "-shared", "-pthread", "-Wno-psabi", "-DPy_LIMITED_API=0x030B0000"]
KERNELS = {"dtw": "aligners", "hmm": "aligners", "live": "aligners", "cross": "models"}
TWINS = ["aligners/kernels/test_hmm.py", "aligners/kernels/test_live.py", "models/blocks/test_crossmodal.py"]

QUICK = [
    f"{TWINS[0]}::test_extension_and_twin_agree",
    f"{TWINS[0]}::test_the_extension_refuses_arrays_that_do_not_fit",
    f"{TWINS[1]}::test_the_compiled_kernel_gives_what_the_twin_gives",
    f"{TWINS[2]}::test_arrays_that_do_not_fit_are_refused",
    f"{TWINS[2]}::test_two_calls_before_their_gradients_do_not_share_memory",
]


def built(root: Path, folder: Path, *flags: str) -> None:
    """All extensions with the sanitizers in them."""
    include = f"-I{sysconfig.get_path('include')}"
    for name, room in KERNELS.items():
        sources = sorted((root / f"mmcli/{room}/kernels/csrc").glob(f"{name}_*.c"))
        library = folder / f"_{name}.abi3.so"
        command = ["gcc", *FLAGS, *SHORT, *BUILD, *flags, include, *map(str, sources), "-o", str(library)]
        subprocess.run(command, check=True)


def exercised(root: Path, folder: Path, rounds: int, *tests: str) -> str:
    """What the exercise says; the sanitizers end the process at the first fault."""
    libraries = [  # the second so that exceptions of C++ in torch are known from the start
        subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so.6")
    ]
    environment = {**os.environ, "LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0"}
    environment |= {"PYTHONPATH": str(root)}
    script = Path(__file__).parent / "sanitized_exercise.py"
    child = subprocess.run(
        [sys.executable, str(script), str(folder), str(rounds), *(str(root / "tests" / name) for name in tests)],
        env=environment, capture_output=True, text=True, check=False, cwd=root,
    )  # fmt: skip
    said = child.stdout.splitlines()
    return said[-1] if said and child.returncode == 0 else f"{child.stdout[-2000:]}{child.stderr[-3000:]}"


@pytest.mark.needs("gcc")
def test_the_kernels_of_every_machine_stay_inside_their_buffers(root: Path, tmp_path: Path) -> None:
    """Quickly: what is there for every instruction set is compiled without optimisation, and less is tried."""
    built(root, tmp_path, "-O0", "-DBASE_ONLY")

    said = exercised(root, tmp_path, 40, *QUICK)

    assert said == "clean"


@pytest.mark.hunt
@pytest.mark.needs("gcc")
@pytest.mark.parametrize("machine", ["this one", "any"])
def test_no_access_outside_a_buffer_and_nothing_undefined(root: Path, tmp_path: Path, machine: str) -> None:
    """Once as built here, once with the code that other processors get in place of the intrinsics of SSE2."""
    built(root, tmp_path, "-O1", *(["-DDTW_GENERIC"] if machine == "any" else []))

    assert exercised(root, tmp_path, 1500, *TWINS) == "clean"
