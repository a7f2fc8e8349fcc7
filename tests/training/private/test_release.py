"""What leaks beside the gradients is refused with its way out; a model tells nothing else of its rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import checkpoint, fitted
from mmcli.artifacts.io import provenance
from mmcli.cli.app import run as main

pytest.importorskip("dp_accounting", reason="needs the extra private")
sys.path.insert(0, str(Path(__file__).parent))
import made

ASKED = "epsilon=3,delta=1e-3"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return made.saved(tmp_path / "d.npz")


def train(data: Path, *words: str, asked: str = ASKED) -> int:
    return main(["train", str(data), "-o", str(data.with_name("m.pt")), "--private", asked, *words])


def changed(data: Path, **meta: object) -> Path:
    """The data set with other facts about its stream of text."""
    rows = made.data()
    rows.streams["text"].meta |= meta
    return made.saved(data, rows)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--cv", "3"), "every fold is a release"),
        (("--seeds", "2"), "every seed is a release"),
        (("--fusion", "auto"), "candidates are compared"),
        (("--class-weights", "inverse"), "how many items a class has"),
        (("--sampling", "balanced"), "chance to be drawn"),
        (("--fusion", "concat", "--modulation", "0.5"), "slows modalities"),
        (("--objective", "contrastive", "--fusion", "concat"), "depends on the other items"),
        (("--resume",), "steps are spent"),
        (("--init", "other.pt"), "weights of --init"),
        (("--clients", "speaker"), "--clients group"),
        (("--budget", "epsilon=none"), "--budget"),
        (("--encoder", "text=mlp"), "no encoders"),
    ],
)
def test_an_option_that_leaks_is_refused_with_its_reason(data, words, reason, capsys):
    assert train(data, *words) == 2
    assert reason in capsys.readouterr().err
    assert not data.with_name("m.pt").exists()
    assert not data.with_name("d.privacy.ndjson").exists()


@pytest.mark.parametrize(
    "asked", ["", "epsilon", "epsilon=0", "epsilon=3,epsilon=4", "delta=1e-5", "epsilon=3,noise=2"]
)
def test_a_promise_that_is_none_is_refused(data, asked):
    assert train(data, asked=asked) == 2


@pytest.mark.parametrize(
    "words", [["--public", "a"], ["--items", "3"], ["--budget", "3"], ["--audit"], ["--clients", "group"]]
)
def test_private_options_mean_nothing_alone(data, words):
    assert main(["train", str(data), "-o", str(data.with_name("m.pt")), *words]) == 2


@pytest.mark.parametrize(
    ("meta", "way"),
    [
        ({"normaliser": {"method": "zscore", "center": [0.0] * 6, "scale": [1.0] * 6}}, "--normalise item"),
        ({"fitted_sha256": "0" * 64, "extractor": "tfidf"}, "--text hash"),
        ({"projection": {"method": "cca"}}, "--strategy none"),
        ({"extractor": "checkpoint:m.pt"}, "--public MODEL.pt"),
    ],
)
def test_what_was_fitted_on_these_rows_is_refused_with_the_way_out(data, meta, way, capsys):
    assert train(changed(data, **meta)) == 4
    assert way in capsys.readouterr().err


def test_made_items_are_refused(data, capsys):
    rows = made.data()
    rows.meta["config"] = {"balance": "augment"}
    assert train(made.saved(data, rows)) == 4
    assert "--balance none" in capsys.readouterr().err


def test_what_was_fitted_elsewhere_may_be_used_when_it_is_declared(data, tmp_path):
    state = {"extractor": "tfidf", "config": {}, "config_sha256": provenance.config_sha256({}), "state": {}}
    fitted.save(tmp_path / "tfidf.json", {"schema": fitted.SCHEMA, "mmcli": "0", **state})
    digest = provenance.sha256_file(tmp_path / "tfidf.json")
    assert train(changed(data, fitted_sha256=digest, extractor="tfidf")) == 4
    assert train(data, "--public", str(tmp_path / "tfidf.json")) == 0
    assert "tfidf.json (--public)" in checkpoint.load(tmp_path / "m.pt").config["privacy"]["public"]
    assert train(data, "--public", str(data)) == 2  # what is protected is not public


def test_a_scale_from_elsewhere_is_applied(data, tmp_path):
    other = made.data(seed=9)
    scale = {"method": "zscore", "center": [0.5] * 6, "scale": [2.0] * 6}
    other.streams["text"].meta["normaliser"] = scale
    made.saved(tmp_path / "public.npz", other)
    assert train(data, "--public", str(tmp_path / "public.npz")) == 0
    assert checkpoint.load(tmp_path / "m.pt").config["modalities"]["text"]["normaliser"] == scale


def test_the_model_holds_its_promise_and_no_count_hash_or_history(data, tmp_path, capsys):
    assert train(data, "--json") == 0
    config = checkpoint.load(tmp_path / "m.pt").config
    privacy = config["privacy"]
    assert privacy["epsilon"] <= 3
    assert privacy["delta"] == 1e-3
    assert privacy["unit"] == "item"
    assert {"relation", "accountant", "noise", "rate", "steps", "public"} <= privacy.keys()
    assert json.loads(capsys.readouterr().out)["privacy"] == privacy
    text = json.dumps(config)
    assert config.get("inputs") is None
    assert "history" not in text
    assert "items" not in config["training"]
    assert provenance.sha256_file(data) not in text
    assert "180" not in text
    assert "item7" not in text
    assert not list(tmp_path.glob("*history*"))
    assert not list(tmp_path.glob("*resume*"))
    assert main(["info", str(tmp_path / "m.pt")]) == 0
    assert "accountant: dp_accounting" in capsys.readouterr().out


def test_evaluate_and_the_page_say_what_is_promised_and_what_an_attack_finds(data, tmp_path, capsys):
    assert train(data) == 0
    report, page = tmp_path / "r.json", tmp_path / "r.html"
    assert main(["evaluate", str(tmp_path / "m.pt"), str(data), "-o", str(report), "--html", str(page)]) == 0
    said = capsys.readouterr().err
    assert "epsilon 3 at delta 0.001 for each item" in said
    assert "a release which no ledger counts" in said
    attack = json.loads(report.read_text())["privacy"]["membership"]
    assert 0.3 < attack["private"] < 0.7
    assert 0.3 < attack["plain"] < 0.9
    assert "What it tells of its training items" in page.read_text()


def test_a_budget_holds_over_runs_and_a_spent_one_ends_with_four(data, tmp_path, capsys):
    assert train(data, "--budget", "epsilon=4,delta=1e-3") == 0
    assert train(data) == 4
    assert "the budget is epsilon 4" in capsys.readouterr().err
    assert len((tmp_path / "d.privacy.ndjson").read_text().splitlines()) == 2


def test_numbers_as_labels_need_bounds(tmp_path, capsys):
    data = made.saved(tmp_path / "n.npz", made.data(task="regress"))
    assert train(data) == 2
    assert "low=0,high=5" in capsys.readouterr().err
    assert train(data, asked=ASKED + ",low=0,high=2") == 0


def test_weak_promises_are_called_weak(data, capsys):
    assert train(data, asked="epsilon=20,delta=0.1") == 0
    said = capsys.readouterr().err
    assert "above 1/" in said
    assert "promises little" in said


@pytest.mark.parametrize("words", [(), ("--clients", "group")])
def test_groups_are_protected_and_clients_are_groups(data, tmp_path, words):
    assert train(data, *words, asked="epsilon=8,delta=0.01,unit=group") == 0
    assert checkpoint.load(tmp_path / "m.pt").config["privacy"]["unit"] == "group"


def test_items_without_a_group_cannot_be_protected_by_group(tmp_path, capsys):
    rows = made.data()
    rows.group = np.full(rows.items, "")
    assert train(made.saved(tmp_path / "g.npz", rows), asked=ASKED + ",unit=group") == 4


def test_private_scales_carry_their_share_of_the_budget():
    from mmcli.training.private import leaks, scales
    from mmcli.training.private.leaks import Public

    rows = made.data(2000)
    bounds = {"text": (-6.0, 6.0), "audio": (-6.0, 6.0)}
    released = scales.scaled(rows, bounds, 8.0, 1e-5)
    for name in bounds:
        values = released.dataset.streams[name].values
        assert abs(float(values.mean())) < 0.2
        assert 0.6 < float(values.std()) < 1.4
    assert abs(released.counts["c0"] - int((rows.label[rows.rows("train")] == "c0").sum())) < 60
    from mmcli.training.config import TrainConfig

    assert leaks.cleared(released.dataset, TrainConfig(), Public([]))[2] == [released.release]
    with pytest.raises(Exception, match="has no bounds"):
        scales.scaled(rows, {"text": (-6.0, 6.0)}, 1.0, 1e-5)
