"""Imports point one way, and each room opens only what is its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "mmcli").rglob("*.py"))

# From the bottom up; a module may import its own room and what stands lower.
LAYERS = [
    ["mmcli.errors", "mmcli._version", "mmcli.threads"],
    ["mmcli.entry_points"],
    ["mmcli.registry"],
    ["mmcli.models", "mmcli.media", "mmcli.artifacts"],
    ["mmcli.extractors", "mmcli.fusion"],
    ["mmcli.aligners", "mmcli.training", "mmcli.evaluation"],
    ["mmcli.ranking"],
    ["mmcli.batch"],
    ["mmcli.installation"],
    ["mmcli.cli"],
    ["mmcli.api"],
    ["mmcli.__main__"],
]
# The same inside a room: its own rooms from the bottom up. The files beside them stand where "." does.
INSIDE = {
    "mmcli.artifacts": ["io", "foreign", "formats", "packs", "."],
    "mmcli.media": ["transcripts", "."],
    "mmcli.models": ["kernels", ".", "encoders blocks turns", "nets"],
    "mmcli.extractors": [".", "audio image learned series table text video"],
    "mmcli.fusion": [".", "strategies", "dataset"],
    # Two voices are compared by the phones that are heard in them: speech stands below warp.
    "mmcli.aligners": [
        "kernels",
        "core",
        "linear",
        "speech",
        "warp subtitles live many",
        "editors",
        "output",
        "methods",
        ".",
    ],
    "mmcli.training": [".", "fit", "ensemble", "private", "use"],
    "mmcli.evaluation": [".", "intervals", "metrics explain", "judge", "report"],
    "mmcli.ranking": [".", "methods"],
    "mmcli.batch": ["workers", "state", "plan", "jobs", "live", "."],
    "mmcli.cli": [".", "align evaluate"],
}
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
INNER = {
    room: {name: rank for rank, names in enumerate(order) for name in names.split()} for room, order in INSIDE.items()
}
KERNEL_IMPORTS = {"numpy", "numba", "mmcli.errors", "mmcli.aligners.kernels"}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def place_of(module: str) -> tuple[str, str] | None:
    """The room of a module, and the room inside that ("." for the files beside those)."""
    room = next((room for room in RANK if module == room or module.startswith(room + ".")), None)
    if room is None:
        return None
    inner = module.removeprefix(room).split(".")
    return room, inner[1] if len(inner) > 1 and (ROOT / room.replace(".", "/") / inner[1]).is_dir() else "."


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
    own = place_of(module_name(path))
    for name in imported(path):
        place = place_of(name)
        if own is None or place is None or place == own:
            continue
        if place[0] != own[0]:
            assert RANK[place[0]] < RANK[own[0]], f"{module_name(path)} imports {name}, which stands higher"
        elif name != own[0]:  # a room's own package: its registry
            order = INNER[own[0]]
            assert order[place[1]] < order[own[1]], f"{module_name(path)} imports {name}, which stands higher"


def test_every_room_has_its_place():
    for room, order in INNER.items():
        folders = {p.parent.name for p in (ROOT / room.replace(".", "/")).glob("*/__init__.py")}
        assert folders == set(order) - {"."}, room


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
