"""`mmcli list` names every member of every family with the fields that it has, and the shell completes the names."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from mmcli.cli.app import run
from mmcli.cli.kinds import ABOUT, registries

FAMILIES = [(kind, registry, prefix) for kind in ABOUT if kind != "metrics" for registry, prefix in registries(kind)]


def listed(capsys, *words: str) -> dict:
    assert run(["list", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("kind", "registry", "prefix"), FAMILIES, ids=lambda v: v if isinstance(v, str) else "")
def test_every_field_of_every_member_is_told_as_it_is(kind, registry, prefix):
    for name in registry.names():
        told, module = registry.described(name), registry.load(name)
        assert told.about, name
        config = getattr(module, "Config", None)
        fields = dataclasses.fields(config) if config is not None else ()
        assert [field.name for field in told.fields] == [field.name for field in fields], name
        for field, real in zip(told.fields, fields, strict=True):
            needed = real.default is dataclasses.MISSING and real.default_factory is dataclasses.MISSING
            assert (field.default is None) == needed, (name, field.name)


def test_all_kinds_are_named_and_each_of_them_lists_its_members(capsys):
    whole = listed(capsys)
    assert list(whole) == ["schema", *ABOUT]
    assert run(["list"]) == 0
    assert "audio.logmel" in capsys.readouterr().out
    (hop,) = [
        f for m in whole["extractors"] if m["name"] == "audio.logmel" for f in m["fields"] if f["name"] == "hop_s"
    ]
    assert hop["default"] == "0.01"
    assert hop["about"].startswith("seconds, ")
    assert {"classify.accuracy", "alignment.mean_s"} <= {m["name"] for m in whole["metrics"]}


def test_one_name_is_enough_and_a_wrong_one_names_the_nearest(capsys):
    assert [m["name"] for m in listed(capsys, "dtw")["aligners"]] == ["dtw"]
    assert set(listed(capsys, "attention")) == {"schema", "strategies", "blocks"}
    assert run(["list", "lgmel"]) == 2
    assert "audio.logmel" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "offered", "not_offered"),
    [
        ("mmcli train d.npz --fusion ", "auto crossmodal", "logmel"),
        ("mmcli extract a.wav --audio rms,log", "rms,logmel", "tokens"),
        ("mmcli align a b --method sub", "subtitles", "dtw"),
        ("mmcli fuse a.npz --strategy c", "cca concat", "mean"),
    ],
)
def test_values_are_completed(words, offered, not_offered):
    environment = {
        "_MMCLI_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mmcli"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    said = done.stdout.split()
    assert set(offered.split()) <= set(said)
    assert not_offered not in said
    assert "numpy" not in done.stderr
