"""Journals: whole lines in order, whatever was torn, and one writer at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mmcli.artifacts.io import append
from mmcli.errors import ArtifactError, MissingError, OutputError


def test_a_torn_last_line_is_ignored_and_then_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "below" / "journal.jsonl"
    with append.Journal(path) as journal:
        journal.append({"n": 1})
    whole = path.read_bytes()
    for torn in (b'{"n": 2', b'{"n": 2}', b"\xff", b"x" * 200_000):  # without its newline no line counts
        path.write_bytes(whole + torn)
        assert list(append.read(path)) == [{"n": 1}]
        with append.Journal(path) as journal:
            journal.append({"n": 3})
        assert list(append.read(path)) == [{"n": 1}, {"n": 3}]


def test_a_journal_of_one_torn_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"x" * 100_000)

    assert list(append.read(path)) == []
    append.Journal(path).close()
    assert path.read_bytes() == b""


def test_damage_within_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"n": 1}\n{"n": \n{"n": 3}\n')

    with pytest.raises(ArtifactError, match="line 2"):
        list(append.read(path))


def test_two_runs_do_not_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with append.Journal(path), pytest.raises(OutputError, match="another run"):
        append.Journal(path)
    with append.Journal(path):
        pass  # released


def test_threads_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with append.Journal(path) as journal:
        threads = [
            threading.Thread(target=lambda k: [journal.append({"k": k, "i": i}) for i in range(100)], args=(k,))
            for k in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    entries = list(append.read(path))
    assert len(entries) == 400
    for k in range(4):
        assert [entry["i"] for entry in entries if entry["k"] == k] == list(range(100))


def test_where_no_journal_can_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")

    for path in (file / "journal", tmp_path, Path("/dev/full")):
        with pytest.raises(OutputError):
            append.Journal(path).append({})
    with pytest.raises(MissingError):
        list(append.read(tmp_path / "nothing"))
