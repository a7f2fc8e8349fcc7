"""An input that is beyond the limits costs itself while an extractor learns, too."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from mmcli.artifacts.formats import fitted
from mmcli.batch.jobs import learning
from mmcli.cli import app


def test_a_text_beyond_the_memory_of_an_input_teaches_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.txt").write_text("two words\n")
    (tmp_path / "in" / "huge.txt").write_text("w1 w2 w3 " * 700_000)

    code = app.run(["extract", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--jobs", "1", "--memory", "40"])

    assert code == 3
    assert "1 of 2 rows are beyond the limits" in capfd.readouterr().err
    assert fitted.load(tmp_path / "out" / "fitted" / "tokens.json")["state"]["tokens"] == ["two", "words"]
    (line,) = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "huge"
    assert (tmp_path / "out" / "good.text.tokens.npz").exists()


def test_a_text_over_its_time_ends_the_worker_even_in_code_that_never_returns() -> None:
    child = os.fork()
    if child == 0:
        with learning._deadline(0.05):
            re.match(r"(a+)+$", "a" * 60 + "b")  # takes centuries, and holds the interpreter
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGALRM


def test_a_text_within_its_time_goes_on() -> None:
    with learning._deadline(60.0):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_is_wrong_with_all_rows_is_said_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    code = app.run(
        ["extract", str(tmp_path / "a.txt"), "-o", str(tmp_path / "out"), "--jobs", "1", "--set", "tokens.min_count=9"]
    )
    assert code == 4
    assert "hold no token to learn" in capfd.readouterr().err
