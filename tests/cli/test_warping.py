"""The named options of the exact warping path reach the engine, and say so where they have no meaning."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(300, 3)), axis=0)
    for name, rows in (("a", walk), ("b", walk[::2] + 0.01 * rng.normal(size=(150, 3)))):
        features.save(tmp_path / f"{name}.npz", Features(rows.astype(np.float32), np.arange(len(rows)) * 0.1, {}))
    return tmp_path


def run(folder, *options: str, method: str = "dtw") -> int:
    arguments = ["align", f"{folder}/a.npz", f"{folder}/b.npz", "-o", f"{folder}/m.json", "--method", method, "-q"]
    return app.run([*arguments, *options])


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (["--band", "0.5"], {"band": 0.5}),
        (["--band", "9s"], {"band_s": 9.0}),
        (["--jobs", "2"], {}),
        (["--memory", "64MB"], {}),
        (["--matches", "2"], {"matches": 2}),
    ],
)
def test_named_options_are_fields_of_the_method(files, options, fields):
    assert run(files, *options) == 0

    config = alignment.load(files / "m.json").method["config"]
    assert {key: config[key] for key in fields} == fields


def test_a_corridor_around_an_earlier_map_and_the_fast_path_agree_with_the_whole(files):
    assert run(files) == 0
    whole = alignment.load(files / "m.json")
    (files / "m.json").rename(files / "first.json")

    assert run(files, "--around", str(files / "first.json"), "--within", "2s") == 0
    near = alignment.load(files / "m.json")
    assert run(files, "--fast") == 0
    fast = alignment.load(files / "m.json")

    assert near.cost == pytest.approx(whole.cost, rel=1e-6)
    assert fast.cost == pytest.approx(whole.cost, rel=1e-6)
    assert fast.exact is not None


def test_a_dry_run_says_what_it_takes_and_writes_nothing(files, capsys):
    assert run(files, "--dry-run", "--json") == 0

    assert json.loads(capsys.readouterr().out)["memory_bytes"] > 0
    assert not (files / "m.json").exists()


def test_what_does_not_fit_the_memory_given_is_refused_before_it_starts(files):
    assert run(files, "--memory", "1kB") == 4
    assert not (files / "m.json").exists()


def test_the_configuration_that_is_printed_is_the_one_in_force(files, capsys):
    assert run(files, "--band", "2s", "--jobs", "2", "--print-config") == 0

    shown = tomllib.loads(capsys.readouterr().out)["align"]["set"]["dtw"]
    assert shown["band_s"] == 2.0
    assert shown["jobs"] == 2


@pytest.mark.parametrize(
    ("options", "method"),
    [(["--fast"], "hmm"), (["--dry-run"], "offset"), (["--within", "1s"], "dtw"), (["--memory", "lots"], "dtw")],
)
def test_an_option_without_a_meaning_is_a_usage_error(files, options, method):
    assert run(files, *options, method=method) == 2
