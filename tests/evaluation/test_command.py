"""`mmcli evaluate`, from a trained model to files, through the command line itself."""

from __future__ import annotations

import csv
import io
import json

import pytest

from mmcli.artifacts.formats import dataset as datasets
from mmcli.artifacts.formats import report as reports
from mmcli.cli.app import run
from mmcli.evaluation.judge import integrity

from .conftest import made


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with data.npz and the model.pt trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    datasets.save(folder / "data.npz", made(120, missing=0.2))
    assert run(["train", str(folder / "data.npz"), "-o", str(folder / "model.pt"), "--epochs", "8", "-q"]) == 0
    return folder


def test_report_plot_and_predictions_are_written_and_the_main_figures_printed(trained, tmp_path, capsys):
    paths = [str(trained / "model.pt"), str(trained / "data.npz")]
    options = ["-o", str(tmp_path / "r.json"), "--plot", str(tmp_path / "c.png"), "--json"]
    code = run(["evaluate", *paths, *options, "--predictions", str(tmp_path / "p.csv")])
    out, err = capsys.readouterr()
    found = reports.load(tmp_path / "r.json")

    assert code == 0
    assert json.loads(out)["metrics"] == found["metrics"]
    assert "accuracy" in err
    assert "not compared" in err
    assert found["reproduce"] == "mmcli evaluate model.pt data.npz --split test --seed 0 --explain 10 -o r.json"
    assert [entry["name"] for entry in found["inputs"]] == ["model.pt", "data.npz"]
    assert str(trained) not in (tmp_path / "r.json").read_text()
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "p.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == [item["id"] for item in found["items"]]


def test_another_model_is_compared_and_the_verdict_is_printed_first(trained, tmp_path, capsys):
    single = str(tmp_path / "x.pt")
    model, data, out = str(trained / "model.pt"), str(trained / "data.npz"), str(tmp_path / "r.json")
    assert run(["train", data, "-o", single, "--modalities", "x", "--epochs", "3", "-q"]) == 0
    capsys.readouterr()

    assert run(["evaluate", model, data, "-o", out, "--against", single]) == 0
    found = reports.load(tmp_path / "r.json")
    assert capsys.readouterr().err.splitlines()[0] == found["verdict"]["text"]
    assert found["verdict"]["against"][0]["kind"] == "single"
    assert found["verdict"]["untried"] == ["y"]
    assert "--against x.pt" in found["reproduce"]
    explained = [item for item in found["items"] if "explanation" in item]
    assert len(explained) == 10


def test_two_reports_are_compared(trained, tmp_path, capsys):
    paths = []
    for seed in ("0", "1"):
        paths.append(str(tmp_path / f"r{seed}.json"))
        arguments = ["evaluate", str(trained / "model.pt"), str(trained / "data.npz"), "-q"]
        assert run([*arguments, "-o", paths[-1], "--seed", seed]) == 0
    capsys.readouterr()

    assert run(["evaluate", "--compare", *paths, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["compare"]["difference"] == 0.0
    assert "No difference between r0.json and r1.json is shown" in err
    assert run(["evaluate", "-o", paths[0]]) == 2
    assert "MODEL.pt and DATASET.npz missing" in capsys.readouterr().err


def test_the_same_command_gives_the_same_bytes(trained, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        arguments = ["evaluate", str(trained / "model.pt"), str(trained / "data.npz"), "-q"]
        assert run([*arguments, "-o", str(tmp_path / name / "r.json")]) == 0

    assert (tmp_path / "a" / "r.json").read_bytes() == (tmp_path / "b" / "r.json").read_bytes()


def test_wrong_calls_end_with_their_exit_codes(trained, tmp_path, capsys):
    model, data, out = str(trained / "model.pt"), str(trained / "data.npz"), str(tmp_path / "r.json")
    for arguments, code, said in (
        ([model, str(tmp_path / "absent.npz"), "-o", out], 2, "absent.npz"),
        ([data, data, "-o", out], 4, "data.npz"),
        ([model, data, "-o", out, "--split", "exam"], 2, "no item is in the split 'exam'"),
        ([model, data, "-o", out, "--set", "intervals.level=2"], 2, "level 2"),
        ([model, data, "-o", out, "--plot", str(tmp_path / "x.bmp")], 2, "png or svg"),
        ([model, data, "-o", str(trained / "model.pt" / "r.json")], 5, "cannot be written"),
        ([model, data, "-o", data], 2, "--output would write over the input"),
        ([model, data, "-o", model], 2, "--output would write over the input"),
        ([model, data, "-o", out, "--html", out], 2, "--html would write over what --output writes"),
        ([model, data, "-o", "-", "--json"], 2, "both write to standard output"),
        ([data, model, "-o", out], 2, "the model comes before the data set"),
        ([model, data, "-o", out, "--device", "gpu"], 2, "no such device: 'gpu'"),
        ([model, data, "-o", out, "--seed", "-3"], 2, "a seed of -3"),
        ([model, data, "-o", out, "--html", out + "l", "--media", data], 4, "data.npz"),
        (["--compare", out, out, "--html", "x.html"], 2, "--html does not go with --compare"),
        (["--compare", out, out, "--split", "val"], 2, "--split does not go with --compare"),
        (["--cv", str(tmp_path), "--robustness"], 2, "--robustness does not go with --cv"),
    ):
        assert run(["evaluate", *arguments]) == code
        assert said in capsys.readouterr().err
        assert not (tmp_path / "r.json").exists()


def test_a_data_set_may_come_through_standard_input(trained, tmp_path, monkeypatch):
    """The report knows its bytes, and differs in nothing but the name."""
    model, data = str(trained / "model.pt"), trained / "data.npz"
    assert run(["evaluate", model, str(data), "-o", str(tmp_path / "a.json"), "-q"]) == 0
    with data.open("rb") as stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        assert run(["evaluate", model, "-", "-o", str(tmp_path / "b.json"), "-q"]) == 0
    a, b = (reports.load(tmp_path / name) for name in ("a.json", "b.json"))

    assert b["inputs"][1] == a["inputs"][1] | {"name": "-"}
    assert a["metrics"] == b["metrics"]
    assert b["reproduce"].split()[3] == "-"


def test_strict_refuses_leaks(trained, tmp_path, capsys):
    data = made(120, missing=0.2)
    data.group[data.rows("test")[0]] = data.group[data.rows("train")[0]]
    datasets.save(tmp_path / "leak.npz", data)
    arguments = ["evaluate", str(trained / "model.pt"), str(tmp_path / "leak.npz"), "-o", str(tmp_path / "r.json")]

    assert run(arguments) == 0
    assert "the splits are not clean" in capsys.readouterr().err
    assert run([*arguments, "--strict"]) == 4
    assert "leaks between splits" in capsys.readouterr().err


def test_reports_with_curves_are_the_same_bytes_twice_and_timings_are_there_when_asked_for(trained, tmp_path, capsys):
    paths = [str(trained / "model.pt"), str(trained / "data.npz"), "--robustness", "--explain", "2"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert run(["evaluate", *paths, "-o", str(tmp_path / name / "r.json")]) == 0
    err = capsys.readouterr().err
    assert (tmp_path / "a" / "r.json").read_bytes() == (tmp_path / "b" / "r.json").read_bytes()
    found = reports.load(tmp_path / "a" / "r.json")
    assert "cost" not in found
    assert found["model"]["file_bytes"] == (trained / "model.pt").stat().st_size
    assert f"{found['model']['parameters']:,} parameters, {found['model']['file_bytes']:,} bytes on disk" in err

    html = str(tmp_path / "r.html")
    assert run(["evaluate", *paths, "--timings", "-o", str(tmp_path / "t.json"), "--html", html]) == 0
    timed = reports.load(tmp_path / "t.json")
    assert timed["cost"]["latency_ms"]["p50"] > 0
    assert "--timings" in timed["reproduce"]
    assert "one item at a time: median" in capsys.readouterr().err
    page = (tmp_path / "r.html").read_text()
    assert "bytes on disk" in page
    assert "One item at a time" in page


def test_the_sample_data_are_clean(sample_data, tmp_path):
    """No item twice, no voice on both sides of a split: the recordings that the documentation measures on."""
    manifest = sample_data / "digits" / "manifest.csv"
    assert run(["extract", str(manifest), "-o", str(tmp_path / "f"), "--jobs", "1", "-q"]) == 0
    assert run(["fuse", str(tmp_path / "f" / "manifest.jsonl"), "-o", str(tmp_path / "d.npz"), "-q"]) == 0
    found = integrity.check(datasets.load(tmp_path / "d.npz"))

    assert found["clean"]
    assert found["duplicates"] == {"between_splits": 0, "within_a_split": 0, "cases": []}
