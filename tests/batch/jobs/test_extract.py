"""A folder of outputs: complete, continued, the same bytes however it came about."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import features, fitted, manifest
from mmcli.artifacts.io import provenance
from mmcli.batch.jobs import extract
from mmcli.batch.state import ledger
from mmcli.cli import app
from mmcli.errors import ArtifactError, BatchFailedError, MismatchError, MissingError, OutputError, UsageError
from mmcli.media import wav

Tones = Callable[..., Path]
Go = Callable[..., extract.Summary]
Tree = Callable[[Path], dict[str, str]]


def text_manifest(folder: Path) -> Path:
    rows = [("a", "train", "odd and large"), ("b", "train", "even"), ("c", "test", "odd and unseen")]
    lines = [json.dumps({"id": i, "split": s, "label": i, "text_value": t, "note": "kept"}) for i, s, t in rows]
    folder.mkdir(exist_ok=True)
    path = folder / "m.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_input_gives_a_file_and_a_row_in_order(tones: Tones, tmp_path: Path, go: Go, heard: Any) -> None:
    summary = go(tones(5), tmp_path / "out", jobs=2)
    assert (summary.made, summary.kept, summary.failed) == (5, 0, 0)
    rows = manifest.load(tmp_path / "out" / "manifest.jsonl").rows
    assert [r.id for r in rows] == [f"tone{i:04d}" for i in range(5)]
    assert "".join(heard.lines) == (tmp_path / "out" / "manifest.jsonl").read_text()
    found = features.load(tmp_path / "out" / rows[3].cells["audio.logmel"])
    assert found.meta["source"] == provenance.source_of(tmp_path / "in" / "tone0003.wav")
    assert heard.begun is not None
    assert heard.begun[0] == 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_bytes_do_not_depend_on_the_jobs(tones: Tones, tmp_path: Path, go: Go, tree: Tree, jobs: int) -> None:
    source = tones(12)
    go(source, tmp_path / "one", named={"audio": ["logmel", "mfcc"]})
    go(source, tmp_path / "many", named={"audio": ["logmel", "mfcc"]}, jobs=jobs)
    assert tree(tmp_path / "one") == tree(tmp_path / "many")


def test_several_extractors_share_one_decode(
    tones: Tones, tmp_path: Path, go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[Path] = []
    pieces = wav.pieces

    def counted(path: Path, *arguments: Any, **more: Any) -> Any:
        times.append(path)
        return pieces(path, *arguments, **more)

    monkeypatch.setattr(wav, "pieces", counted)
    assert go(tones(2), tmp_path / "out", named={"audio": ["logmel", "mfcc", "rms"]}).made == 2
    assert len(times) == 2


def test_a_library_that_changes_the_folder_sends_no_output_astray(
    tones: Tones, tmp_path: Path, go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs and outputs named from where the command runs, in a worker that goes elsewhere before each task."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "wandering_stub.py").write_text(
        "import os\nfrom mmcli.batch.plan import task\n\ndef prepare(setup):\n    do = task.prepare(setup)\n"
        "    def moved(payload):\n        os.chdir('/')\n        return do(payload)\n    return moved\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.setattr(extract, "TASK", "wandering_stub:prepare")
    tones(3)
    monkeypatch.chdir(tmp_path)
    assert go(Path("in"), Path("out"), jobs=1).made == 3
    assert len(list((tmp_path / "out").glob("*.npz"))) == 3


def test_any_executor_gives_the_same_bytes(tones: Tones, tmp_path: Path, go: Go, tree: Tree) -> None:
    source = tones(6)
    (source / "bad.wav").write_bytes(b"RIFF no sound")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        go(source, tmp_path / "pool", executor=pool)
    go(source, tmp_path / "ours", jobs=2)
    with ThreadPoolExecutor(3) as threads:
        found = go(source, tmp_path / "threads", executor=threads)

    assert (found.made, found.failed) == (6, 1)
    assert tree(tmp_path / "pool") == tree(tmp_path / "ours") == tree(tmp_path / "threads")


def test_a_rerun_does_nothing_and_changes_nothing(tones: Tones, tmp_path: Path, go: Go, tree: Tree) -> None:
    source = tones(4)
    go(source, tmp_path / "out")
    before = tree(tmp_path / "out")
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.npz")}
    summary = go(source, tmp_path / "out", jobs=2)
    assert (summary.made, summary.kept) == (0, 4)
    assert tree(tmp_path / "out") == before
    assert {p: p.stat().st_mtime_ns for p in times} == times


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    "harm",
    [
        damage,
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: shutil.copy(path.parent / "tone0002.audio.logmel.npz", path),
    ],
    ids=["torn", "empty", "gone", "of another input"],
)
def test_an_output_that_is_not_sound_is_made_again(
    tones: Tones, tmp_path: Path, go: Go, tree: Tree, harm: Callable[[Path], None]
) -> None:
    source = tones(3)
    go(source, tmp_path / "out")
    before = tree(tmp_path / "out")
    harm(tmp_path / "out" / "tone0001.audio.logmel.npz")
    summary = go(source, tmp_path / "out")
    assert (summary.made, summary.kept) == (1, 2)
    assert tree(tmp_path / "out") == before


def test_a_changed_input_or_configuration_is_made_again(tones: Tones, tmp_path: Path, go: Go) -> None:
    source = tones(3)
    go(source, tmp_path / "out")
    shutil.copy(source / "tone0002.wav", source / "tone0001.wav")
    assert go(source, tmp_path / "out").made == 1
    assert go(source, tmp_path / "out", config={"logmel": {"bands": 20}}).made == 3


def test_a_change_that_keeps_size_and_time_is_found_by_verify_source(tones: Tones, tmp_path: Path, go: Go) -> None:
    source = tones(2)
    go(source, tmp_path / "out")
    one = source / "tone0001.wav"
    status = one.stat()
    one.write_bytes((source / "tone0000.wav").read_bytes())
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert go(source, tmp_path / "out").made == 0
    assert go(source, tmp_path / "out", verify_source=True).made == 1


def test_a_lost_journal_costs_no_computation(tones: Tones, tmp_path: Path, go: Go, tree: Tree) -> None:
    source = tones(3)
    go(source, tmp_path / "out")
    before = tree(tmp_path / "out")
    (tmp_path / "out" / "journal.jsonl").unlink()
    assert go(source, tmp_path / "out").kept == 3
    assert tree(tmp_path / "out") == before


def test_force_makes_everything_again(tones: Tones, tmp_path: Path, go: Go) -> None:
    source = tones(2)
    go(source, tmp_path / "out")
    assert go(source, tmp_path / "out", force=True).made == 2


def test_a_bad_input_is_a_row_and_a_line_and_counts_again_until_it_is_mended(
    tones: Tones, tmp_path: Path, go: Go, heard: Any
) -> None:
    source = tones(3)
    good = (source / "tone0001.wav").read_bytes()
    (source / "tone0001.wav").write_bytes(b"nonsense")
    summary = go(source, tmp_path / "out")
    assert (summary.made, summary.failed, heard.failures) == (2, 1, 1)
    row = manifest.load(tmp_path / "out" / "manifest.jsonl").rows[1]
    assert row.error is not None
    assert row.error.startswith("audio: ")
    (line,) = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "tone0001"
    assert json.loads(line)["stage"] == "decode"
    again = go(source, tmp_path / "out")
    assert (again.made, again.kept, again.failed) == (0, 2, 1)
    assert go(source, tmp_path / "out", retry_failed=True).failed == 1
    (source / "tone0001.wav").write_bytes(good)
    mended = go(source, tmp_path / "out")
    assert (mended.made, mended.failed) == (1, 0)
    assert not (tmp_path / "out" / "failures.jsonl").exists()


def test_a_missing_file_is_recorded_and_stops_the_plan_where_all_are_missing(
    tones: Tones, tmp_path: Path, go: Go
) -> None:
    source = tones(1)
    (source / "m.jsonl").write_text('{"id": "a", "audio": "tone0000.wav"}\n{"id": "b", "audio": "gone.wav"}\n')
    summary = go(source / "m.jsonl", tmp_path / "out")
    assert (summary.made, summary.failed) == (1, 1)
    assert summary.errors[0]["id"] == "b"

    (source / "all.jsonl").write_text('{"id": "b", "audio": "gone.wav"}\n{"id": "c", "audio": "left.wav"}\n')
    with pytest.raises(MissingError, match=r"no such file.*1 more"):
        go(source / "all.jsonl", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert go(source / "all.jsonl", tmp_path / "none", allow_missing=True).failed == 2


def test_failures_of_earlier_runs_do_not_stop_a_batch(tones: Tones, tmp_path: Path, go: Go) -> None:
    """Fifty broken files that are known to be, and fifty new good ones: it is not that the first fifty all failed."""
    source = tones(1)
    good = (source / "tone0000.wav").read_bytes()
    for k in range(50):
        (source / f"u{k}.wav").write_bytes(good[:100])
    assert go(source, tmp_path / "out", max_failures="100%").failed == 50  # the good one may come last
    for k in range(51):
        (source / f"z{k}.wav").write_bytes(good)
    summary = go(source, tmp_path / "out")
    assert (summary.made, summary.kept, summary.failed) == (51, 1, 50)


def test_nothing_to_do_is_an_error(tmp_path: Path, go: Go) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(MissingError, match="nothing to extract"):
        go(tmp_path / "in", tmp_path / "out")


def test_an_output_below_a_file_cannot_be_written(tones: Tones, tmp_path: Path, go: Go) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        go(tones(1), tmp_path / "file" / "out")


def test_shards_together_give_what_one_run_gives(tones: Tones, tmp_path: Path, go: Go, tree: Tree) -> None:
    source = tones(9)
    go(source, tmp_path / "whole")
    made = [go(source, tmp_path / "parts", shard=ledger.Shard(i, 3)).made for i in (1, 2, 3)]
    assert sum(made) == 9
    assert all(made)
    merged = go(source, tmp_path / "parts")
    assert (merged.made, merged.kept) == (0, 9)
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


def test_a_vocabulary_is_learned_from_the_training_rows_alone(tmp_path: Path, go: Go, heard: Any) -> None:
    go(text_manifest(tmp_path / "in"), tmp_path / "out")
    state = fitted.load(tmp_path / "out" / "fitted" / "tokens.json")["state"]
    assert state["tokens"] == ["and", "even", "large", "odd"]
    rows = manifest.load(tmp_path / "out" / "manifest.jsonl").rows
    assert [(r.id, r.split, r.label, r.extra) for r in rows][2] == ("c", "test", "c", {"note": "kept"})
    last = features.load(tmp_path / "out" / rows[2].cells["text.tokens"])
    assert last.values.ravel().tolist() == [5.0, 2.0, 1.0]  # odd, and, unknown
    assert last.meta["fitted_sha256"] == provenance.sha256_file(tmp_path / "out" / "fitted" / "tokens.json")
    assert not any("split" in message for message in heard.said)


def test_without_a_split_learning_from_all_rows_is_said(tmp_path: Path, go: Go, heard: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one two")
    go(tmp_path / "in", tmp_path / "out")
    assert any("no split" in message for message in heard.said)


def test_a_shard_without_rows_for_a_fitted_file_is_done_all_the_same(tones: Tones, tmp_path: Path, go: Go) -> None:
    """What a shard holds is chance: the file is for an extractor in use, and the other shards need it."""
    go(text_manifest(tmp_path / "in"), tmp_path / "first")
    state = tmp_path / "first" / "fitted" / "tokens.json"
    assert go(tones(2, "sound"), tmp_path / "out", fitted=[state], shard=ledger.Shard(1, 1)).made == 2
    with pytest.raises(MismatchError, match="not in use"):
        go(tmp_path / "sound", tmp_path / "other", fitted=[state])
    with pytest.raises(MismatchError, match="not in use"):
        go(tmp_path / "sound", tmp_path / "other", only="audio", fitted=[state], shard=ledger.Shard(1, 1))


def test_a_fitted_file_is_reused_and_checked(tmp_path: Path, go: Go) -> None:
    source = text_manifest(tmp_path / "in")
    go(source, tmp_path / "first")
    state = tmp_path / "first" / "fitted" / "tokens.json"
    go(source, tmp_path / "second", fitted=[state], shard=ledger.Shard(1, 1))
    found = features.load(next((tmp_path / "second").glob("a.*.npz")))
    assert found.meta["fitted_sha256"] == provenance.sha256_file(state)
    with pytest.raises(UsageError, match="shard"):
        go(source, tmp_path / "third", shard=ledger.Shard(1, 2))
    with pytest.raises(MismatchError):
        go(source, tmp_path / "fourth", named={"text": ["tfidf"]}, fitted=[state])
    with pytest.raises(MismatchError, match="another configuration"):
        go(source, tmp_path / "fifth", fitted=[state], config={"tokens": {"length": 5}})


def test_shards_take_what_fit_only_learned(tmp_path: Path, tree: Tree) -> None:
    source = str(text_manifest(tmp_path / "in"))
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    for dry in ([], ["--dry-run"]):  # what the run refuses is not promised
        assert app.run(["extract", source, "-o", parts, "--shard", "1/2", "--quiet", *dry]) == 2
    assert app.run(["extract", source, "-o", parts, "--fit-only", "--quiet"]) == 0
    assert [p.name for p in (Path(parts) / "fitted").iterdir()] == ["tokens.json"]
    for shard in ("1/2", "2/2"):
        assert app.run(["extract", source, "-o", parts, "--shard", shard, "--quiet", "--dry-run"]) == 0
        assert app.run(["extract", source, "-o", parts, "--shard", shard, "--quiet"]) == 0
    assert app.run(["extract", source, "-o", parts, "--quiet"]) == 0
    assert app.run(["extract", source, "-o", whole, "--quiet"]) == 0
    assert tree(Path(parts)) == tree(Path(whole))


def test_fit_only_refuses_what_it_does_not_do(tones: Tones, tmp_path: Path) -> None:
    text, out = str(text_manifest(tmp_path / "in")), str(tmp_path / "out")
    assert app.run(["extract", str(tones(1, "sound")), "-o", out, "--fit-only"]) == 2
    assert app.run(["extract", text, "-o", out, "--fit-only", "--shard", "1/2"]) == 2
    assert app.run(["extract", text, "-o", out, "--fit-only", "--dry-run"]) == 2


def test_a_dry_run_refuses_a_fitted_file_of_another_extractor(tmp_path: Path, go: Go) -> None:
    source = text_manifest(tmp_path / "in")
    go(source, tmp_path / "first")
    state = str(tmp_path / "first/fitted/tokens.json")
    asked = ["extract", str(source), "-o", str(tmp_path / "out"), "--text", "tfidf", "--fitted", state, "--quiet"]
    assert app.run(asked) == app.run([*asked, "--dry-run"]) == 4


def test_failures_of_earlier_runs_do_not_count(tones: Tones, tmp_path: Path, go: Go) -> None:
    source = tones(3)
    for k in range(4):
        (source / f"bad{k}.wav").write_bytes(b"RIFF")
    with pytest.raises(BatchFailedError):
        go(source, tmp_path / "out", max_failures="3")
    assert go(source, tmp_path / "out", max_failures="3").failed == 4


def test_tables_arrays_and_maps_of_a_manifest(tmp_path: Path, go: Go) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "all.npy", np.arange(12.0).reshape(4, 3))
    (folder / "m.csv").write_text("id,split,series.fac,num.age,cat.sex\na,train,all.npy#1,3,f\nb,train,all.npy#2,,m\n")
    summary = go(folder / "m.csv", tmp_path / "out")
    assert summary.failed == 0
    row = manifest.load(tmp_path / "out" / "manifest.jsonl").rows[0]
    assert list(row.cells) == ["series.fac.raw", "table.raw"]
    assert features.load(tmp_path / "out" / row.cells["series.fac.raw"]).values.tolist() == [[3.0, 4.0, 5.0]]
    assert features.load(tmp_path / "out" / row.cells["table.raw"]).values.tolist() == [[0.0, 0.0, 1.0, 0.0]]


def test_a_segment_of_a_long_file_is_cut(tones: Tones, tmp_path: Path, go: Go) -> None:
    source = tones(1)
    (source / "m.jsonl").write_text('{"id": "a", "audio": "tone0000.wav", "start": 0.02, "end": 0.08}\n')
    go(source / "m.jsonl", tmp_path / "out")
    found = features.load(tmp_path / "out" / "a.audio.logmel.npz")
    assert found.meta["segment"] == {"start": 0.02, "end": 0.08}
    assert found.frames == 7
    assert manifest.load(tmp_path / "out" / "manifest.jsonl").rows[0].start is None


def test_too_many_failures_stop_the_batch(tmp_path: Path, go: Go) -> None:
    (tmp_path / "in").mkdir()
    for i in range(60):
        (tmp_path / "in" / f"bad{i:02d}.wav").write_bytes(b"nonsense")
    with pytest.raises(BatchFailedError, match="after 4 failed"):
        go(tmp_path / "in", tmp_path / "out", max_failures="3")
    with pytest.raises(BatchFailedError, match="first 50"):
        go(tmp_path / "in", tmp_path / "out2")
    assert go(tmp_path / "in", tmp_path / "out", max_failures="100%").failed == 60


def test_what_a_killed_writer_left_is_swept(tones: Tones, tmp_path: Path, go: Go) -> None:
    source = tones(1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".mmcli-tmp-1-0.npz").write_bytes(b"half")
    go(source, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        ".mmcli-settled.json",
        "journal.jsonl",
        "manifest.jsonl",
        "tone0000.audio.logmel.npz",
    ]


def test_two_runs_into_one_folder_are_refused(tones: Tones, tmp_path: Path, go: Go) -> None:
    from mmcli.artifacts.io import append

    source = tones(1)
    go(source, tmp_path / "out")
    with append.Journal(tmp_path / "out" / "journal.jsonl"), pytest.raises(OutputError, match="another run"):
        go(source, tmp_path / "out")


def test_a_journal_that_is_none_is_refused(tones: Tones, tmp_path: Path, go: Go) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "journal.jsonl").write_text("not json\n")
    with pytest.raises(ArtifactError):
        go(tones(1), tmp_path / "out")
