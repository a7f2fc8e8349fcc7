"""`mmcli predict` on raw files gives what it gives on the data set they were made into."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest

from mmcli.cli.app import run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with raw media (a picture of a level, a tone, a word), data.npz and model.pt made of them."""
    import soundfile
    from PIL import Image

    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    rows = []
    for k in range(40):
        label = k % 2
        level = 40 + 150 * label + rng.integers(0, 30)
        Image.new("L", (12, 12), int(level)).save(folder / f"i{k:02d}.png")
        wave = np.sin(np.arange(4000) * (0.1 + 0.3 * label)) * 0.5
        soundfile.write(folder / f"i{k:02d}.wav", wave, 8000)
        split = "train" if k < 24 else "val" if k < 32 else "test"
        has_sound = k % 5 != 0
        name, words = f"i{k:02d}", ("dark and low", "bright and high")[label]
        rows.append([name, split, ("no", "yes")[label], f"{name}.png", f"{name}.wav" if has_sound else "", words])
    with (folder / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "split", "label", "image", "audio", "text_value"], *rows])
    steps = (
        ["extract", str(folder / "m.csv"), "-o", str(folder / "out"), "--jobs", "1", "-q"],
        ["fuse", str(folder / "out" / "manifest.jsonl"), "-o", str(folder / "data.npz"), "-q"],
        ["train", str(folder / "data.npz"), "-o", str(folder / "model.pt"), "--epochs", "3", "-q"],
    )
    for step in steps:
        assert run(step) == 0
    return folder


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def predicted(folder, capsys, *sources: str, code: int = 0) -> list[dict]:
    capsys.readouterr()
    assert run(["predict", str(folder / "model.pt"), *sources]) == code
    return lines(capsys)


def test_raw_files_give_the_predictions_of_the_data_set(trained, capsys):
    whole = predicted(trained, capsys, str(trained / "data.npz"))
    raw = predicted(trained, capsys, str(trained / "m.csv"))

    assert [line["id"] for line in raw] == [line["id"] for line in whole]
    for a, b in zip(raw, whole, strict=True):
        assert a["prediction"] == b["prediction"]
        assert sorted(a["present"]) == sorted(b["present"])
        for name, value in a["probabilities"].items():
            assert value == pytest.approx(b["probabilities"][name], abs=1e-5)


def test_any_part_of_the_modalities_will_do(trained, capsys):
    picture, sound = str(trained / "i01.png"), str(trained / "i01.wav")

    assert [line["present"] for line in predicted(trained, capsys, picture)] == [["image"]]
    assert [line["present"] for line in predicted(trained, capsys, sound)] == [["audio"]]
    both = predicted(trained, capsys, picture, sound)
    assert [sorted(line["present"]) for line in both] == [["audio", "image"]]


def test_damaged_and_useless_items_have_no_line_and_the_others_do(trained, capsys, tmp_path):
    shutil.copy(trained / "i01.png", tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"junk" * 10)
    np.save(tmp_path / "other.npy", np.zeros((3, 2)))
    capsys.readouterr()

    assert run(["predict", str(trained / "model.pt"), str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["good"]
    assert "bad: left out" in err
    assert "other: left out: has nothing that the model reads" in err
    assert "2 items could not be used" in err


def test_explanations_name_words_and_seconds(trained, capsys):
    line = predicted(trained, capsys, str(trained / "m.csv"), "--explain")[1]
    found = line["explanation"]

    assert found["toward"] == line["prediction"]
    assert found["modalities"]["text"]["words"] == ["bright", "and", "high"]
    assert len(found["modalities"]["audio"]["times"]) == len(found["modalities"]["audio"]["values"])
    assert np.array(found["modalities"]["image"]["grid"]).shape[0] >= 8


def test_a_class_below_the_threshold_is_not_predicted(trained, capsys):
    source = str(trained / "i01.png")

    assert predicted(trained, capsys, source, "--threshold", "1.0")[0]["prediction"] is None
    assert predicted(trained, capsys, source, "--threshold", "0.0")[0]["prediction"] is not None


def test_wrong_sources_are_usage_errors(trained, capsys, tmp_path):
    assert run(["predict", str(trained / "model.pt"), str(tmp_path / "absent.png")]) == 2
    assert "absent.png" in capsys.readouterr().err


def many(trained, out, *more: str, model: str = "model.pt") -> list[str]:
    return ["predict", str(trained / model), *more, "-o", str(out), "-q"]


def test_a_folder_of_predictions_has_the_answers_of_a_stream(trained, capsys, tmp_path):
    """Each item on its own, in workers: the same answers, a journal, and nothing done twice."""
    some = trained / "some.csv"
    some.write_text("".join((trained / "m.csv").read_text().splitlines(keepends=True)[:13]))
    whole = predicted(trained, capsys, str(some), "--explain")
    out = tmp_path / "predictions"

    assert run(many(trained, out, str(some), "--explain", "--jobs", "2")) == 0

    text = (out / "predictions.jsonl").read_text()
    assert capsys.readouterr().out == text  # on its way through the pipe
    found = [json.loads(line) for line in text.splitlines()]
    assert [line["id"] for line in found] == [line["id"] for line in whole]
    for a, b in zip(found, whole, strict=True):
        assert (a["prediction"], a["present"]) == (b["prediction"], b["present"])
        assert a["probabilities"] == pytest.approx(b["probabilities"], abs=1e-5)
        assert a["explanation"]["toward"] == b["explanation"]["toward"]
    assert sorted(p.name for p in out.iterdir()) == [".mmcli-settled.json", "journal.jsonl", "predictions.jsonl"]

    assert run([*many(trained, out, str(some), "--explain", "--json")]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == len(whole) == 12
    assert (out / "predictions.jsonl").read_text() == text


def test_a_list_with_damaged_files_goes_on_where_it_was(trained, capsys, tmp_path):
    for name in ("i01.png", "i02.png", "i03.wav"):
        shutil.copy(trained / name, tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"junk" * 10)
    (tmp_path / "list").write_text("".join(f"{tmp_path / n}\n" for n in ("bad.png", "i01.png", "i02.png", "i03.wav")))
    command = many(trained, f"{tmp_path}/out/", "--from", str(tmp_path / "list"), "--jobs", "1", "--json")

    assert run(command) == 3
    first = json.loads(capsys.readouterr().out)
    assert (first["schema"], first["done"], first["failed"]) == ("mmcli/predicted@1", 3, 1)
    (failure,) = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert (failure["id"], failure["path"]) == ("bad", str(tmp_path / "bad.png"))

    shutil.copy(trained / "i05.png", tmp_path / "bad.png")
    assert run(command) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["done"], again["skipped"], again["failed"]) == (1, 3, 0)
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["bad", "i01", "i02", "i03"]
    assert not (tmp_path / "out" / "failures.jsonl").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "nothing to predict"),
        (["{folder}/m.csv", "--jobs", "2"], "--jobs is for many raw files"),
        (["{folder}/data.npz", "-o", "{folder}/p/"], "predicted whole"),
        (["{folder}/m.csv", "-o", "{folder}/p", "--split", "test"], "--split is for a data set"),
        (["{folder}/m.csv", "-o", "{folder}/out"], "holds the outputs of another command"),
        (["{folder}/m.csv", "-o", "{folder}/p", "--shard", "3/2"], "shards are numbered"),
    ],
)
def test_options_of_folders_and_of_streams_are_kept_apart(trained, capsys, more, said):
    assert run(["predict", str(trained / "model.pt"), *(m.format(folder=trained) for m in more)]) == 2
    assert said in capsys.readouterr().err
    assert not (trained / "p").exists()


def test_rows_through_a_pipe_are_answered_like_the_same_rows_in_a_file(trained, capsys, monkeypatch):
    header = {"mmcli": {"schema": "mmcli/manifest@1", "root": str(trained)}}
    rows = [{"id": "p", "image": "i01.png"}, {"id": "w", "text_value": "dark and low"}, {"id": "n"}]
    stream = "".join(json.dumps(row) + "\n" for row in (header, *rows))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stream.encode())))
    found = predicted(trained, capsys, "-", code=3)

    assert [line["id"] for line in found] == ["p", "w"]
    assert found[0]["probabilities"] == predicted(trained, capsys, str(trained / "i01.png"))[0]["probabilities"]
    assert found[1]["present"] == ["text"]


def test_features_through_a_pipe_are_a_manifest(trained, capsys, monkeypatch):
    header = json.dumps({"mmcli": {"schema": "mmcli/manifest@1", "root": str(trained / "out")}})
    whole = header + "\n" + (trained / "out" / "manifest.jsonl").read_text()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(whole.encode())))
    piped = predicted(trained, capsys, "-")

    assert piped == predicted(trained, capsys, str(trained / "out" / "manifest.jsonl"))


def test_a_split_that_is_not_there_is_no_silence(trained, capsys):
    assert run(["predict", str(trained / "model.pt"), str(trained / "data.npz"), "--split", "tets"]) == 2
    assert "no item is in the split 'tets'" in capsys.readouterr().err
    assert run(["predict", str(trained / "model.pt"), str(trained / "i01.png"), "--split", "test"]) == 2
    assert "--split is for a data set" in capsys.readouterr().err
    assert len(predicted(trained, capsys, str(trained / "data.npz"), "--split", "test")) == 8


def test_predictions_do_not_go_over_what_they_are_made_from(trained, capsys):
    model, data = str(trained / "model.pt"), str(trained / "data.npz")

    assert run(["predict", model, data, "-o", data]) == 2
    assert run(["predict", model, data, "-o", model]) == 2
    assert capsys.readouterr().err.count("--output would write over the input") == 2
