"""Imports point one way, and each room opens only what is its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "mmcli").rglob("*.py"))

# From the bottom up; a module may import its own room and what stands lower. The longest matching prefix counts.
LAYERS = [
    ["mmcli.errors", "mmcli._version"],
    ["mmcli.registry"],
    ["mmcli.models", "mmcli.models.kernels", "mmcli.media", "mmcli.artifacts.io"],
    ["mmcli.models.encoders", "mmcli.models.blocks", "mmcli.artifacts.formats"],
    ["mmcli.models.nets", "mmcli.artifacts"],
    ["mmcli.models.nets", "mmcli.models.nets"],
    ["mmcli.models.nets"],
    ["mmcli.extractors", "mmcli.fusion"],
    ["mmcli.fusion.strategies"],
    ["mmcli.fusion.dataset"],
    ["mmcli.aligners.kernels", "mmcli.training", "mmcli.evaluation", "mmcli.evaluation.intervals"],
    ["mmcli.aligners.core", "mmcli.training.fit", "mmcli.evaluation.metrics", "mmcli.evaluation.explain"],
    ["mmcli.aligners.linear", "mmcli.training.ensemble", "mmcli.evaluation.judge"],
    # Two voices are compared by the phones that are heard in them: speech stands below warp.
    ["mmcli.aligners.speech", "mmcli.training.use", "mmcli.evaluation.report"],
    ["mmcli.aligners.warp", "mmcli.aligners.subtitles"],
    ["mmcli.aligners.output"],
    ["mmcli.aligners.methods"],
    ["mmcli.aligners"],
    ["mmcli.batch.workers"],
    ["mmcli.batch.state"],
    ["mmcli.batch.plan"],
    ["mmcli.batch.jobs"],
    ["mmcli.batch"],
    ["mmcli.cli"],
    ["mmcli.__main__"],
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
KERNEL_IMPORTS = {"numpy", "numba", "mmcli.errors", "mmcli.aligners.kernels"}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room_of(module: str) -> str | None:
    fitting = [room for room in RANK if module == room or module.startswith(room + ".")]
    return max(fitting, key=len) if fitting else None


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            for alias in node.names:
                deeper = f"{base}.{alias.name}"
                is_module = base.startswith("mmcli") and (
                    (ROOT / (deeper.replace(".", "/") + ".py")).exists() or (ROOT / deeper.replace(".", "/")).is_dir()
                )
                found.add(deeper if is_module else base)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = room_of(module_name(path))
    for name in imported(path):
        room = room_of(name)
        if own is None or room is None or room == own:
            continue
        lower = RANK[room] < RANK[own]
        assert lower, f"{module_name(path)} ({own}) imports {name} ({room})"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "mmcli/aligners/kernels").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_kernels_know_arrays_and_nothing_else(path):
    standard = __import__("sys").stdlib_module_names
    for name in imported(path):
        if name.split(".")[0] in standard:
            continue
        assert any(name == ok or name.startswith(ok + ".") for ok in KERNEL_IMPORTS), name


def test_media_libraries_are_opened_by_the_media_room_only():
    decoders = {"av", "soundfile", "pysubs2"}
    for path in FILES:
        if "media" not in path.relative_to(ROOT).parts:
            assert not {n.split(".")[0] for n in imported(path)} & decoders, path


def test_click_is_never_imported():
    """Newer releases of typer carry a private copy of it."""
    for path in FILES:
        assert "click" not in {n.split(".")[0] for n in imported(path)}, path


def test_files_stay_rooms():
    """A file past 400 lines holds a second idea."""
    halls = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in FILES}
    assert {name: n for name, n in halls.items() if n > 400} == {}
