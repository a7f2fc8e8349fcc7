"""Outputs keep the permissions of what they replace, and nothing planted in a folder leads them out of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mmcli.artifacts.io import append, atomic
from mmcli.artifacts.io.confined import within
from mmcli.cli import app
from mmcli.errors import OutputError


def test_a_new_file_has_the_permissions_of_the_one_it_replaces(tmp_path: Path) -> None:
    for mode in (0o600, 0o640, 0o664):
        target = tmp_path / f"{mode:o}.txt"
        target.write_text("old")
        target.chmod(mode)
        atomic.write_text(target, "new")
        with atomic.writer(target) as stream:
            stream.write(b"newer")
        with atomic.path(target) as temporary:
            temporary.unlink()  # as encoders do that write a file of their own
            temporary.write_bytes(b"newest")
        assert target.read_bytes() == b"newest"
        assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder in which links lead to a file and a folder outside, and one to a file inside."""
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "elsewhere").mkdir()
    (folder / "own").write_text("own")
    for name, target in {"file": "../victim", "inside": "own", "sub": "../elsewhere", "new": "../later"}.items():
        (folder / name).symlink_to(target)
    return folder


def test_a_planted_link_is_replaced_and_not_followed(planted: Path) -> None:
    with within(planted):
        for name in ("file", "inside", "new"):
            atomic.write_text(planted / name, "output")
        with pytest.raises(OutputError, match="leads out of the output folder"):
            atomic.write_text(planted / "sub" / "a.txt", "output")
        atomic.write_text(planted.parent / "beside", "named by the user")

    assert (planted.parent / "victim").read_text() == "precious"
    assert not (planted.parent / "later").exists()
    assert list((planted.parent / "elsewhere").iterdir()) == []
    assert (planted / "file").read_text() == "output"
    assert not (planted / "file").is_symlink()
    assert (planted / "inside").is_symlink()
    assert (planted / "own").read_text() == "output"


def test_a_link_that_the_user_names_is_followed(planted: Path) -> None:
    atomic.write_text(planted / "file", "wanted")
    assert (planted.parent / "victim").read_text() == "wanted"


def test_a_journal_that_is_a_link_is_not_opened(planted: Path) -> None:
    (planted / "journal.jsonl").symlink_to("../victim")
    with pytest.raises(OutputError, match="symbolic link"):
        append.Journal(planted / "journal.jsonl")
    assert (planted.parent / "victim").read_text() == "precious"


def test_a_batch_stays_in_its_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("words\n")
    out = tmp_path / "out"
    (out / "fitted").mkdir(parents=True)
    for name in ("a.text.tokens.npz", "manifest.jsonl", "fitted/tokens.json", ".mmcli-settled.json"):
        (out / name).symlink_to(tmp_path / "victim")

    assert app.run(["extract", str(tmp_path / "in"), "-o", str(out), "--jobs", "1"]) == 0

    assert (tmp_path / "victim").read_text() == "precious"
    assert not any(path.is_symlink() for path in out.rglob("*"))
    (tmp_path / "in" / "sub").mkdir()
    (tmp_path / "in" / "sub" / "b.txt").write_text("words\n")
    (tmp_path / "elsewhere").mkdir()
    (out / "sub").symlink_to(tmp_path / "elsewhere")
    assert app.run(["extract", str(tmp_path / "in"), "-o", str(out), "--jobs", "1"]) == 5
    assert "leads out of the output folder" in capfd.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []
