"""A share of the matrix of ``tests/benchmarks/media_matrix.py``: every cell right, or refused with its reason.

The hunts take the whole.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import matrix
from matrix import readers, verdict
from matrix.cell import TOOLS, Cell, run, sources
from matrix.ffmpeg import reference

SHARE = matrix.share(28)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("matrix")
    sources(made)
    return made


def named(cell: Cell) -> str:
    return cell.name.replace(" ", "-")


def judge(cell: Cell, folder: Path, path: Path) -> None:
    run(cell.make, folder, path)
    wanted, erred = reference(path, cell)
    outcome = verdict.judged(path, cell, wanted, erred, readers.mmcli_reads)
    print(f"{outcome.verdict}: {cell.name} {outcome.reason}")  # pytest -s counts them

    assert outcome.verdict in ("right", "refused"), outcome.reason


@pytest.mark.needs(*TOOLS)
@pytest.mark.parametrize("cell", SHARE, ids=named)
def test_what_is_in_the_file_is_what_comes_out(folder: Path, tmp_path: Path, cell: Cell) -> None:
    judge(cell, folder, tmp_path / f"cell.{cell.suffix}")


@pytest.mark.hunt
@pytest.mark.needs(*TOOLS)
@pytest.mark.parametrize("cell", matrix.cells(), ids=named)
def test_the_whole_matrix(folder: Path, tmp_path: Path, cell: Cell) -> None:
    judge(cell, folder, tmp_path / f"cell.{cell.suffix}")


def test_the_matrix_has_at_least_400_cells_of_different_names() -> None:
    names = [cell.name for cell in matrix.cells()]

    assert len(set(names)) == len(names) >= 400


def test_the_share_meets_files_of_sound_containers_and_pictures() -> None:
    kinds = {(cell.suffix in ("wav", "mp3", "ogg", "flac", "caf"), cell.kind) for cell in SHARE}

    assert kinds >= {(True, "audio"), (False, "audio"), (False, "video")}
    assert 15 <= len(SHARE) <= 40
