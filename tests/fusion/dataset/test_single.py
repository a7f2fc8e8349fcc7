"""Streams of one item on one clock: mixed where all are defined, cut where not, and never with the wrong map."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app
from mmcli.errors import InputError, MismatchError
from mmcli.fusion.dataset import single


def ramp(path, start: float, frames: int, hop: float, *, slope: float = 1.0, sha: str = "a"):
    """A stream whose value is its own time, so that what it gives at another time is known."""
    times = start + np.arange(frames) * hop
    source = {"name": path.name, "size": 1, "sha256": sha * 64}
    features.save(path, Features((slope * times)[:, None].astype(np.float32), times, {"source": source}))
    return path


def shift(path, offset: float, reference: str, query: str):
    alignment.save(
        path,
        Alignment(
            model="offset",
            knots=np.array([[offset, 0.0], [offset + 1.0, 1.0]]),
            offset_s=offset,
            rate=1.0,
            ppm=0.0,
            reference={"name": "r", "sha256": reference * 64, "duration_s": 10.0},
            query={"name": "q", "sha256": query * 64, "duration_s": 10.0},
            quality={"ratio": None, "verdict": "match", "reason": "by hand"},
            method={"name": "hand", "config": {}},
        ),
    )
    return path


def test_the_clock_is_the_first_file_s(tmp_path):
    a, b = ramp(tmp_path / "a.npz", 0.0, 20, 0.1), ramp(tmp_path / "b.npz", 0.0, 40, 0.05, slope=-1.0)

    found, notes = single.fuse(single.open_inputs([a, b]))

    assert np.allclose(found.times, np.arange(20) * 0.1)
    assert np.allclose(found.values[:, 0], found.times, atol=1e-6)
    assert np.allclose(found.values[1:-1, 1], -found.times[1:-1], atol=0.026)
    assert notes == []


def test_a_map_moves_the_second_file(tmp_path):
    a, b = ramp(tmp_path / "a.npz", 0.0, 50, 0.1), ramp(tmp_path / "b.npz", 0.0, 50, 0.1, sha="b")
    path = shift(tmp_path / "map.json", 2.0, "a", "b")

    found, notes = single.fuse(single.open_inputs([a, b]), single.load_maps([path]))

    assert np.allclose(found.values[:, 1], found.times - 2.0, atol=1e-5)
    assert found.times[0] == pytest.approx(2.0)
    assert "left out" in notes[0]


def test_a_rate_gives_a_clock_of_its_own(tmp_path):
    a, b = ramp(tmp_path / "a.npz", 0.0, 20, 0.1), ramp(tmp_path / "b.npz", 0.0, 20, 0.1)

    found, _ = single.fuse(single.open_inputs([a, b]), plan=single.Plan(rate_hz=20.0))

    assert np.allclose(np.diff(found.times), 0.05)


def test_words_are_frames_and_every_stream_is_pooled_over_them(tmp_path):
    a, b = ramp(tmp_path / "a.npz", 0.0, 100, 0.1), ramp(tmp_path / "b.npz", 0.0, 100, 0.1, sha="b")
    said = [("word", 1.0, 2.0, True), ("word", 4.0, 4.4, True), ("word", 5.0, 6.0, False), ("line", 1.0, 4.4, True)]
    transcript = Alignment(
        model="warp",
        knots=np.zeros((0, 2)),
        segments=[{"kind": k, "text": "x", "start": s, "end": e, "score": 0.0, "spoken": sp} for k, s, e, sp in said],
        quality={"ratio": None, "verdict": "match", "reason": "by hand"},
        method={"name": "hand", "config": {}},
    )
    alignment.save(tmp_path / "t.json", transcript)
    shifted = shift(tmp_path / "map.json", 0.5, "a", "b")

    found, _ = single.fuse(
        single.open_inputs([a, b]), single.load_maps([shifted]), single.Plan(spans=tmp_path / "t.json")
    )

    assert np.allclose(found.times, [1.5, 4.2])
    assert np.allclose(found.values[:, 0], [1.5, 4.2], atol=0.06)
    assert np.allclose(found.values[:, 1], [1.0, 3.7], atol=0.06)


def test_a_map_of_other_files_is_refused(tmp_path):
    inputs = single.open_inputs([ramp(tmp_path / "a.npz", 0, 5, 0.1), ramp(tmp_path / "b.npz", 0, 5, 0.1, sha="b")])

    with pytest.raises(MismatchError, match="none of the files after the first"):
        single.fuse(inputs, single.load_maps([shift(tmp_path / "m.json", 0.0, "a", "c")]))
    with pytest.raises(MismatchError, match="name the reference first") as raised:
        single.fuse(inputs, single.load_maps([shift(tmp_path / "m.json", 0.0, "d", "b")]))
    assert raised.value.exit_code == 4


def test_streams_that_never_meet_are_refused(tmp_path):
    inputs = single.open_inputs([ramp(tmp_path / "a.npz", 0, 5, 0.1), ramp(tmp_path / "b.npz", 100, 5, 0.1)])

    with pytest.raises(InputError, match="at no time"):
        single.fuse(inputs)


def test_the_command_writes_features_that_name_their_inputs(tmp_path, capsys):
    a, b = ramp(tmp_path / "a.npz", 0, 20, 0.1), ramp(tmp_path / "b.npz", 0, 20, 0.1)
    out = tmp_path / "f.npz"

    code = app.run(
        [
            "fuse",
            str(a),
            str(b),
            "-o",
            str(out),
            "--strategy",
            "weighted",
            "--weight",
            "a=3",
            "--weight",
            "b=1",
            "--json",
        ]
    )

    assert code == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 20
    found = features.load(out)
    assert [i["name"] for i in found.meta["inputs"]] == ["a.npz", "b.npz"]
    assert found.meta["config"]["weighted"]["weights"] == {"a": 3.0, "b": 1.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "none"], "needs a manifest"),
        (["--strategy", "avg"], "unknown fusion strategy"),
        (["--weight", "a=1"], "--weight needs --strategy weighted"),
        (["--strategy", "weighted", "--weight", "a"], "not NAME=NUMBER"),
        (["--rate", "-1"], "not positive"),
        (["--reference", "a"], "for manifests"),
    ],
)
def test_a_wrong_flag_is_one_clear_line(tmp_path, capsys, arguments, said):
    a, b = ramp(tmp_path / "a.npz", 0, 5, 0.1), ramp(tmp_path / "b.npz", 0, 5, 0.1)

    assert app.run(["fuse", str(a), str(b), "-o", str(tmp_path / "f.npz"), *arguments]) == 2

    assert said in capsys.readouterr().err
    assert not (tmp_path / "f.npz").exists()
