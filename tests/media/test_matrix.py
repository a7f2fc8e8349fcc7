"""A fair sample of the matrix of ``tests/benchmarks/media_matrix.py``: every cell right, or refused with its reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import media_matrix

pytestmark = pytest.mark.needs(*media_matrix.TOOLS)
LIGHT = [cell for cell in media_matrix.cells() if cell.light]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("matrix")
    media_matrix.sources(made)
    return made


@pytest.mark.parametrize("cell", LIGHT, ids=lambda cell: cell.name.replace(" ", "-"))
def test_what_is_in_the_file_is_what_comes_out(folder: Path, tmp_path: Path, cell: media_matrix.Cell) -> None:
    path = tmp_path / f"cell.{cell.suffix}"
    media_matrix.run(cell.make, folder, path)
    wanted, erred = media_matrix.reference(path, cell)
    outcome = media_matrix.judged(path, cell, wanted, erred, media_matrix.mmcli_reads)

    assert outcome.verdict in ("right", "refused"), outcome.reason


def test_the_matrix_has_at_least_400_cells_of_different_names() -> None:
    names = [cell.name for cell in media_matrix.cells()]

    assert len(set(names)) == len(names) >= 400
