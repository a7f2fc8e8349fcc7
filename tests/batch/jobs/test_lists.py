"""Lists made in parts are those made at once, whoever makes them; what is done is not done again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mmcli.batch.jobs import lists
from mmcli.batch.plan import each
from mmcli.batch.state import ledger
from mmcli.cli.app import run as main
from mmcli.cli.batching import Listening
from mmcli.ranking import answers, recommender
from mmcli.ranking.methods import ease
from mmcli.ranking.recommender import Recommender

ITEMS = [f"i{n}" for n in range(30)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    met = [sorted(rng.choice(30, 6, replace=False).tolist()) for _ in range(80)]
    histories = Recommender(ITEMS, None).histories(met)
    model = Recommender(ITEMS, ease.fit(histories, ease.Config(5.0)))
    model.config = {"modalities": {}, "model": {}, "training": {"positive": "every event"}}
    recommender.save(tmp_path / "rec.pt", model)
    rows = [{"user": f"u{n}", "history": [ITEMS[i] for i in own]} for n, own in enumerate(met)]
    (tmp_path / "h.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def go(folder: Path, out: str, **options: object) -> tuple[int, int]:
    with Listening(rows=False, root=out, what="predict", header=False) as listener:
        chosen = each.Options(jobs=1, **options)  # type: ignore[arg-type]
        summary = lists.recommend(
            folder / "h.jsonl", folder / "rec.pt", folder / out, chosen, listener, k=4, part_bytes=1000
        )
    return summary.made, summary.kept


def told(folder: Path, out: str) -> list[dict]:
    files = sorted((folder / out / "lists").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_parts_hold_the_lists_of_one_run_in_order_whoever_makes_them(folder: Path) -> None:
    model = recommender.load(folder / "rec.pt")
    users = [answers.read(json.loads(line), n) for n, line in enumerate((folder / "h.jsonl").open())]
    wanted = list(answers.Lists(model, 4).lines(users))
    made, _ = go(folder, "own")
    assert made > 3
    assert told(folder, "own") == wanted
    with ThreadPoolExecutor(2) as pool:
        assert go(folder, "pool", executor=pool)[0] == made
    assert told(folder, "pool") == wanted
    shards = [go(folder, "both", shard=ledger.shard_of(f"{i}/2"))[0] for i in (1, 2)]
    assert sum(shards) == made
    assert told(folder, "both") == wanted


def test_a_file_that_has_grown_keeps_the_parts_that_were_whole(folder: Path) -> None:
    made, _ = go(folder, "out")
    with (folder / "h.jsonl").open("a") as file:
        file.write('{"user": "late", "history": ["i1"]}\n')
    again, kept = go(folder, "out")
    assert (again, kept) == (1, made - 1)
    assert told(folder, "out")[-1]["user"] == "late"


def test_a_line_that_is_no_history_is_counted_with_its_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "h.jsonl").open("a") as file:
        file.write('{"user": "x"}\nnonsense\n')
    words = ["predict", str(folder / "rec.pt"), str(folder / "h.jsonl"), "-o", f"{folder}/out/", "--jobs", "1", "-q"]
    assert main(words) == 3
    assert "2 histories could not be used" in capsys.readouterr().err
    assert len(told(folder, "out")) == 80


@pytest.mark.parametrize(
    "words", [["--similar", "i1"], ["--new", "x.npz"], ["--address", "h:1"], ["--engine", "spark"]]
)
def test_what_means_nothing_to_parts_is_refused(folder: Path, words: list[str]) -> None:
    command = ["predict", str(folder / "rec.pt"), str(folder / "h.jsonl"), "-o", f"{folder}/out/", *words]
    assert main(command) == 2


def test_parts_are_of_a_file_of_histories(folder: Path) -> None:
    (folder / "e.csv").write_text("user,item\na,i1\n")
    for source in ("-", str(folder / "e.csv"), str(folder / "none.jsonl")):
        assert main(["predict", str(folder / "rec.pt"), source, "-o", f"{folder}/out/"]) == 2
    assert main(["predict", str(folder / "rec.pt"), str(folder / "h.jsonl"), "--jobs", "2"]) == 2
