"""The files of tests/golden/hostile, and larger ones made on the spot: each is refused in one typed line, quickly and
in little memory, and none runs anything."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mmcli.artifacts.formats import checkpoint, features, inspect, manifest
from mmcli.errors import InputError, MissingError

RUN = Path(__file__).parent / "hostile_run.py"
HOSTILE = Path(__file__).parent.parent / "golden" / "hostile"
CANARY = Path("/tmp/mmcli-hostile-file-ran")
GROWTH_MB = 300
SECONDS = 20.0  # a hang; the slowest take one


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_hostile", HOSTILE / "make_hostile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(files: list[Path], root: Path) -> list[dict[str, Any]]:
    command = [sys.executable, str(RUN), *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(root)}
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["file"] for entry in found] == [file.name for file in files]
    return found


def check(found: dict[str, Any], loads: bool) -> None:
    outcome = "loads" if loads else "refused"
    assert found["outcome"] == outcome, found
    assert found["by_content"] in ("refused", outcome), found
    assert found["words"].count("\n") <= 1, found
    assert found["words"].isprintable() or "\n" in found["words"], found
    assert found["seconds"] < SECONDS, found
    assert found["growth_mb"] < GROWTH_MB, found


def test_every_hostile_file_is_refused(root: Path, maker: ModuleType, tmp_path: Path) -> None:
    """Those of the folder, then those that declare gigabytes or hold as many small things as fit into a megabyte."""
    CANARY.unlink(missing_ok=True)
    kept = sorted(file for file in HOSTILE.iterdir() if file.suffix not in (".py", ".pyc") and file.is_file())
    bombs = []
    for name, data in maker.bombs().items():
        assert len(data) <= 1 << 20, name
        bombs.append(tmp_path / name)
        bombs[-1].write_bytes(data)

    for found in run([*kept, *bombs], root):
        check(found, any(word in found["file"] for word in ("-sound", "-short-rows", "-blank-lines")))

    assert len(kept) > 200
    assert not CANARY.exists()


def test_the_files_are_what_their_maker_makes(maker: ModuleType) -> None:
    made = maker.cases()

    kept = {file.name for file in HOSTILE.iterdir() if file.suffix != ".py" and file.is_file()}
    assert kept == made.keys()
    for name, data in made.items():
        if not name.startswith("checkpoint") and "deflated" not in name:  # bytes that torch and zlib choose
            assert (HOSTILE / name).read_bytes() == data, name


def test_a_tensor_marked_as_a_folder_is_read_all_the_same() -> None:
    """torch.load leaves such a tensor as it was in memory; our reader hands it a fresh archive."""
    sound, marked = (checkpoint.load(HOSTILE / f"checkpoint-sound{name}.pt") for name in ("", "-folder-bit"))

    assert checkpoint.dumps(marked) == checkpoint.dumps(sound)


@pytest.mark.parametrize("load", [features.load, manifest.load, inspect.validate])
def test_what_is_no_regular_file_is_refused_at_once(load: Any, tmp_path: Path) -> None:
    pipe, loop, folder = tmp_path / "pipe.npz", tmp_path / "loop.npz", tmp_path / "folder.npz"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    folder.mkdir()

    for path in (pipe, loop, folder, Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(InputError):
            load(path)
    for path in (tmp_path / "nothing.npz", tmp_path / "nothing" / "x.npz", Path("/dev/null/x.npz")):
        with pytest.raises(MissingError):
            load(path)


def test_a_sparse_file_of_four_gigabytes_is_refused_by_its_end(tmp_path: Path) -> None:
    path = tmp_path / "sparse.npz"
    with path.open("wb") as stream:
        stream.truncate(4 << 30)

    with pytest.raises(InputError, match="not a zip file"):
        features.load(path)
