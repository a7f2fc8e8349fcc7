"""A rerun with nothing to do looks at sizes and times alone; whatever is not as it was left is opened and made anew."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmcli.artifacts.formats import features
from mmcli.batch.state import settled
from mmcli.batch.workers import run
from mmcli.cli import app

Tones = Callable[..., Path]
MARK = pytest.mark.skipif(settled._start() is None, reason="only Linux tells one start of a machine from another")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of tasks of every run of workers."""
    numbers: list[int] = []
    real = run.run

    def counted(tasks: Any, *rest: Any) -> Any:
        given = list(tasks)
        numbers.append(len(given))
        return real(given, *rest)

    monkeypatch.setattr(run, "run", counted)
    return numbers


def extract(source: Path, out: Path, *more: str) -> int:
    return app.run(["extract", str(source), "-o", str(out), "--jobs", "1", *more])


@MARK
def test_nothing_to_do_starts_no_worker(tones: Tones, tmp_path: Path, started: list[int]) -> None:
    source, out = tones(3), tmp_path / "out"
    (source / "words.txt").write_text("three words here\n")
    assert extract(source, out) == 0
    assert started == [1, 4]  # the vocabulary, then the inputs
    before = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    started.clear()
    assert extract(source, out) == 0

    assert started == []
    assert {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert extract(source, out, "--verify-source") == 0
    assert started == [1, 4]


def _gone(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _changed(path: Path) -> None:
    time.sleep(0.02)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def _replaced(path: Path) -> None:
    twin = path.with_name("twin")
    twin.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(twin)


@MARK
@pytest.mark.parametrize("harm", [_gone, _cut, _changed, _replaced])
def test_an_output_that_is_not_as_it_was_left_is_looked_at(
    tones: Tones, tmp_path: Path, started: list[int], harm: Callable[[Path], None]
) -> None:
    source, out = tones(2), tmp_path / "out"
    assert extract(source, out) == 0
    output = out / "tone0001.audio.logmel.npz"
    whole = output.read_bytes()
    harm(output)
    started.clear()

    assert extract(source, out) == 0

    assert started == [1]
    assert output.read_bytes() == whole
    features.load(output)


@MARK
def test_after_a_restart_of_the_machine_outputs_are_opened(
    tones: Tones, tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tones(2), tmp_path / "out"
    assert extract(source, out) == 0
    output = out / "tone0001.audio.logmel.npz"
    whole, times = output.read_bytes(), output.stat()
    output.write_bytes(bytes(len(whole)))  # what a power cut leaves of data that had not reached the disk
    os.utime(output, ns=(times.st_atime_ns, times.st_mtime_ns))
    monkeypatch.setattr(settled, "_start", lambda: "another start")
    started.clear()

    assert extract(source, out) == 0

    assert started == [2]
    assert output.read_bytes() == whole


@MARK
def test_a_batch_that_was_broken_off_is_not_trusted(tones: Tones, tmp_path: Path, started: list[int]) -> None:
    source, out = tones(2), tmp_path / "out"
    assert extract(source, out) == 0
    assert (out / settled.NAME).exists()
    (source / "new.wav").write_bytes((source / "tone0000.wav").read_bytes()[:100])
    assert extract(source, out) == 3
    with (out / "journal.jsonl").open("a") as journal:  # as a run that did not come to its end leaves it
        journal.write(json.dumps({"id": "x", "task": "audio", "status": "done", "key": "", "source": {}}) + "\n")
    started.clear()
    assert extract(source, out) == 3
    assert started == [2]


def test_files_to_warp_are_told_by_their_content_where_asked(
    tones: Tones, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tones(1)
    facts = {"name": "a.wav", "sha256": None, "duration_s": 10.0}
    clock = {
        "schema": "mmcli/alignment@1", "mmcli": "0.1.0", "model": "offset", "offset_s": 0.5, "rate": 1.0, "ppm": 0.0,
        "knots": [[0.5, 0.0], [10.5, 10.0]], "breaks": [], "confidence_s": None, "cost": None,
        "quality": {"ratio": None, "verdict": "not judged", "reason": ""}, "method": {"name": "offset", "config": {}},
        "reference": facts, "query": facts,
    }  # fmt: skip
    (tmp_path / "map.json").write_text(json.dumps(clock))
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n")
    call = ["warp", str(tmp_path / "a.srt"), str(source / "tone0000.wav"), "--map", str(tmp_path / "map.json"),
            "-o", f"{tmp_path / 'warped'}/", "--jobs", "1"]  # fmt: skip
    assert app.run(call) == 0
    times = (tmp_path / "a.srt").stat()
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nOther\n\n")
    os.utime(tmp_path / "a.srt", ns=(times.st_atime_ns, times.st_mtime_ns))
    capfd.readouterr()

    assert app.run(call) == 0
    assert "done 0  skipped 2" in capfd.readouterr().err
    assert app.run([*call, "--verify-source"]) == 0
    assert "done 1  skipped 1" in capfd.readouterr().err
    assert "Other" in (tmp_path / "warped" / "a.srt").read_text()


def test_a_huge_file_of_nothing_is_looked_at_before_it_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 GB of zeros called wav: the hash alone would take minutes."""
    from mmcli.artifacts.io import provenance
    from mmcli.batch.plan import task
    from mmcli.errors import MediaError

    huge = tmp_path / "huge.wav"
    with huge.open("wb") as file:
        file.truncate(100 << 30)
    monkeypatch.setattr(provenance, "sha256_stream", lambda *_: pytest.fail("hashed"))
    payload = {
        "name": "huge", "column": "audio", "as": "audio", "of": "audio", "optional": False, "path": str(huge),
        "row": None, "text": None, "numbers": {}, "categories": {}, "start": None, "end": None, "known": None,
        "size": 100 << 30, "force": False, "outputs": {},
    }  # fmt: skip
    do = task.prepare({"streams": {}, "media": {}, "device": "cpu"})
    with pytest.raises(MediaError, match="damaged or of an unknown kind"):
        do(payload)
