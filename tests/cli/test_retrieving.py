"""`mmcli evaluate DATASET --retrieve A,B` through the command line: files, refusals, the same bytes twice."""

from __future__ import annotations

import csv
import json

import pytest

from mmcli.artifacts.formats import dataset as datasets
from mmcli.artifacts.formats import report as reports
from mmcli.cli.app import run

from ..evaluation.judge.test_spaces import shared, twins


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set with a shared space."""
    path = tmp_path_factory.mktemp("shared") / "shared.npz"
    datasets.save(path, shared(twins()))
    return str(path)


def test_report_page_table_and_picture_are_written_and_the_sentence_printed(data, tmp_path, capsys):
    out = str(tmp_path / "r.json")
    files = [
        "--html",
        str(tmp_path / "r.html"),
        "--plot",
        str(tmp_path / "p"),
        "--predictions",
        str(tmp_path / "t.csv"),
    ]
    code = run(["evaluate", data, "--retrieve", "a,b", "-o", out, *files, "--json"])
    printed, err = capsys.readouterr()
    found = reports.load(out)

    assert code == 0
    assert json.loads(printed)["metrics"] == found["metrics"]
    assert err.splitlines()[0] == found["verdict"]["text"]
    assert found["task"] == "retrieval"
    assert found["reproduce"] == (
        "mmcli evaluate shared.npz --retrieve a,b --relevant pair --split test --seed 0 -o r.json"
    )
    assert found["verdict"]["text"].split(",")[0] in (tmp_path / "r.html").read_text()
    assert (tmp_path / "p" / "hits.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "t.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == [item["id"] for item in found["items"]]


def test_the_same_search_gives_the_same_bytes_and_another_question_another_report(data, tmp_path):
    for name, more in (("x", []), ("y", []), ("z", ["--relevant", "label"])):
        (tmp_path / name).mkdir()
        assert run(["evaluate", data, "--retrieve", "a,b", "-o", str(tmp_path / name / "r.json"), "-q", *more]) == 0
    x, y, z = ((tmp_path / name / "r.json").read_bytes() for name in "xyz")

    assert x == y != z
    assert run(["evaluate", "--compare", *(str(tmp_path / name / "r.json") for name in "xy"), "-q"]) == 0
    assert run(["evaluate", "--compare", *(str(tmp_path / name / "r.json") for name in "xz"), "-q"]) == 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--retrieve", "a"], 2, "two modalities are wanted"),
        (["--retrieve", "a,a"], 2, "two modalities are wanted"),
        (["--retrieve", "a,bb"], 2, "did you mean 'b'?"),
        (["--retrieve", "a,b", "--relevant", "pairs"], 2, "one of: pair, label"),
        (["--retrieve", "a,b", "--robustness"], 2, "--robustness does not go with --retrieve"),
        (["--retrieve", "a,b", "--split", "exam"], 2, "no item is in the split 'exam'"),
        (["--retrieve", "a,b", "--plot", "x.bmp"], 2, "png or svg"),
        (["--relevant", "label"], 2, "--relevant is for a search"),
    ],
)
def test_wrong_calls_end_with_their_exit_codes(data, tmp_path, capsys, words, code, said):
    assert run(["evaluate", data, "-o", str(tmp_path / "r.json"), *words]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


def test_without_a_data_set_or_a_report_nothing_is_done(data, tmp_path, capsys):
    assert run(["evaluate", "--retrieve", "a,b", "-o", str(tmp_path / "r.json")]) == 2
    assert run(["evaluate", data, "--retrieve", "a,b"]) == 2
    assert capsys.readouterr().err.count("DATASET.npz and -o REPORT.json are needed") == 2


def test_encoders_trained_on_pairs_are_a_space_of_their_own(tmp_path, capsys):
    data, model, out = (str(tmp_path / name) for name in ("d.npz", "pairs.pt", "r.json"))
    datasets.save(data, twins(300, seed=2))
    assert run(["train", data, "--objective", "contrastive", "-o", model, "--epochs", "20", "-q"]) == 0
    assert run(["evaluate", model, data, "--retrieve", "a,b", "-o", out, "-q"]) == 0
    found = reports.load(out)

    assert found["config"]["space"] == "contrastive"
    assert [entry["name"] for entry in found["inputs"]] == ["pairs.pt", "d.npz"]
    assert found["reproduce"].startswith("mmcli evaluate pairs.pt d.npz --retrieve a,b")
    assert found["metrics"]["a to b/hit_rate@10"]["value"] > 3 * found["baselines"]["chance"]["hit_rate@10"]
    assert run(["evaluate", model, data, "--retrieve", "a,c", "-o", out]) == 2
    assert "the model has no modality 'c'" in capsys.readouterr().err


def test_a_model_that_answers_has_no_shared_space(tmp_path, capsys):
    data, model = (str(tmp_path / name) for name in ("d.npz", "m.pt"))
    datasets.save(data, twins())
    assert run(["train", data, "-o", model, "--epochs", "1", "-q"]) == 0
    assert run(["evaluate", model, data, "--retrieve", "a,b", "-o", str(tmp_path / "r.json")]) == 4
    assert "has no space that its modalities share" in capsys.readouterr().err


def test_streams_of_other_widths_are_sent_to_fuse(tmp_path, capsys):
    datasets.save(tmp_path / "d.npz", twins())

    assert run(["evaluate", str(tmp_path / "d.npz"), "--retrieve", "a,b", "-o", str(tmp_path / "r.json")]) == 4
    assert "--strategy cca" in capsys.readouterr().err
