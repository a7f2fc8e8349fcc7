"""What a long task says: all of it at 80 columns, in full where there is room; and failures by their reason."""

from __future__ import annotations

import time

import pytest

from mmcli.cli import console, progress, reasons


def state(done: float, total: float | None, unit: str = "files", message: str = "") -> progress.State:
    task = progress.State("extract", total, unit)
    task.start = time.monotonic() - 100.0
    task.advance(done, message, None)
    return task


def test_a_batch_says_files_speed_bytes_time_left_and_workers_at_80_columns() -> None:
    message = f"{progress.volume(1.23e9, 3.4e9)}  16 workers  3 failed"
    task = state(12_345, 19_200, message=message)
    line = progress.fitted(task.parts(task.told), 80 - len("extract "))
    for part in ("12,345/19,200 files", "123/s", "0:56 left", "1.2/3.4 GB", "16 workers", "3 failed"):
        assert part in line
    wide = progress.fitted(task.parts(task.told), 120)
    assert wide.startswith("12,345 of 19,200 files  123 files/s  0:56 left")


def test_training_keeps_its_count_however_long_the_figures_are() -> None:
    task = state(7, 120, "epochs", "train_loss 0.1234, val_loss 0.2345, val_accuracy 0.9876, val_macro_f1 0.9")
    line = progress.fitted(task.parts(task.told), 80 - len("train "))
    assert line.startswith("7/120 epochs 0.07/s 26:54 left train_loss")
    assert len(line) <= 74


def test_the_time_left_runs_down_between_two_steps() -> None:
    task = state(10, 20)
    assert any("1:40 left" in full for full, _ in task.parts(task.told))
    assert any("1:10 left" in full for full, _ in task.parts(task.told + 30))
    unknown = state(10, None)
    assert any("2:10 so far" in full for full, _ in unknown.parts(unknown.told + 30))


def test_failures_are_said_by_reason_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [
        {
            "id": f"a/{k}",
            "path": f"a/{k}.wav",
            "class": "MediaError",
            "message": f"{k}.wav: {100 + k} bytes are missing",
        }
        for k in range(600)
    ]
    errors += [{"id": f"b{k}", "class": "MediaError", "message": f"reason {'x' * k}"} for k in range(12)]
    console.settings.quiet = False
    reasons.say(errors)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "600  100 bytes are missing (first a/0.wav)"
    assert len(lines) == reasons.MOST + 1
    assert lines[-1].split() == ["5", "for", "5", "more", "reasons"]


def test_one_thing_that_is_not_counted_says_how_long_it_took() -> None:
    state = progress.State("align", None, "")
    state.advance(0.0, "b.wav on a.wav", None)
    assert progress.fitted(state.parts(state.start + 83), 80) == "1:23 so far  b.wav on a.wav"
