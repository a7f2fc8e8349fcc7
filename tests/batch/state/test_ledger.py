"""What a batch remembers: the newest of every task, rows in the order of the items, and whose items they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.artifacts.io import append
from mmcli.batch.state import ledger
from mmcli.batch.state.ledger import Ledger, Shard
from mmcli.errors import UsageError


class Batch:
    """Two items, the first of two tasks."""

    def row(self, item: int) -> str:
        return f"row {item}\n"

    def report(self, number: int, entry: Any) -> dict[str, Any]:
        return {"id": entry["id"], **entry["error"]}

    def owns(self, task: str) -> bool:
        return task == "do"

    def outputs(self, number: int) -> list[str]:
        return []


def entry(name: str, status: str = "done", **more: Any) -> dict[str, Any]:
    return {"id": name, "task": "do", "status": status, **more}


def test_a_later_line_replaces_an_earlier_one_and_every_shard_is_read(tmp_path: Path) -> None:
    for name, entries in (
        ("journal.1-of-2.jsonl", [entry("a", n=1), entry("a", n=2)]),
        ("journal.2-of-2.jsonl", [entry("b", n=3)]),
        ("journal.jsonl", [entry("b", n=4)]),
    ):
        with append.Journal(tmp_path / name) as journal:
            for one in entries:
                journal.append(one)

    newest = ledger.read(tmp_path)
    assert {key: value["n"] for key, value in newest.items()} == {("a", "do"): 2, ("b", "do"): 4}


def test_rows_are_told_in_the_order_of_the_items_whatever_is_done_first(tmp_path: Path) -> None:
    told: list[str] = []
    with Ledger(tmp_path, [[0, 1], [2]], Batch(), told.append, None) as kept:
        kept.record(2, entry("b"))
        kept.record(1, entry("a", n=1))
        kept.pass_on()
        assert told == []
        kept.record(0, entry("a", "failed", error={"message": "torn"}))
        kept.pass_on()
    assert told == ["row 0\n", "row 1\n"]
    assert kept.finish() == [{"id": "a", "message": "torn"}]
    assert (tmp_path / "manifest.jsonl").read_text() == "row 0\nrow 1\n"
    assert len((tmp_path / "failures.jsonl").read_text().splitlines()) == 1


def test_the_folder_of_another_command_is_refused(tmp_path: Path) -> None:
    with append.Journal(tmp_path / "journal.jsonl") as journal:
        journal.append({"id": "a", "task": "other", "status": "done"})

    with (
        pytest.raises(UsageError, match="another command"),
        Ledger(tmp_path, [[0]], Batch(), lambda row: None, None),
    ):
        pass


@given(st.text(min_size=1, max_size=20), st.integers(1, 12))
def test_an_item_is_in_one_shard_and_no_other(identifier: str, count: int) -> None:
    assert [Shard(i, count).holds(identifier) for i in range(1, count + 1)].count(True) == 1


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "a/b", "1/2/3", "auto"])
def test_what_is_no_shard_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    with pytest.raises(UsageError, match="--shard"):
        ledger.shard_of(text)
