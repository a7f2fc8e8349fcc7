"""Cameras and recorders of made scenes: neighbours overlap, clocks drift, one is silent, one a stranger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import opentimelineio
import pytest
import rpp
import soundfile

from mmcli.aligners.many import heard, screen, shoot
from mmcli.artifacts.formats import alignment
from mmcli.cli import app
from mmcli.media.clips import AudioClip

RATE = 8000
CLIPS = {  # scene, begins at, seconds, ppm, noise against the sound, gain
    "cam1": (0, 0.0, 30.0, 0.0, 0.1, 1.0),
    "cam2": (0, 18.0, 30.0, 60.0, 0.7, 0.01),
    "recorder": (0, 35.0, 40.0, -70.0, 0.3, 0.3),
    "indoors1": (1, 5.0, 25.0, 0.0, 0.2, 0.5),
    "indoors2": (1, 14.0, 22.0, 30.0, 0.5, 0.1),
    "stranger": (2, 0.0, 25.0, 0.0, 0.2, 0.5),
}


def scene(seed: int) -> np.ndarray:
    """Noise whose colour and level change as those of a voice do."""
    draw = np.random.default_rng(seed)
    noise = draw.standard_normal(RATE * 80)
    level = np.repeat(draw.uniform(0.0, 1.0, 80 * 8) ** 2, RATE // 8)
    tone = np.repeat(draw.uniform(0.0, 0.95, 80 * 8), RATE // 8)
    return level * (noise - tone * np.roll(noise, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, scenes, draw = tmp_path_factory.mktemp("a shoot"), [scene(k) for k in range(3)], np.random.default_rng(9)
    for name, (number, start, length, ppm, noise, gain) in CLIPS.items():
        at = (start + np.arange(int(length * RATE)) / RATE * (1 + ppm * 1e-6)) * RATE
        sound = np.interp(at, np.arange(len(scenes[number])), scenes[number])
        sound += noise * sound.std() * draw.standard_normal(len(sound))
        soundfile.write(out / f"{name}.wav", (gain * sound / np.abs(sound).max()).astype(np.float32), RATE)
    soundfile.write(out / "silent.wav", np.zeros(RATE * 20, np.float32), RATE)
    return out


@pytest.fixture(scope="module")
def placed(folder: Path) -> shoot.Shoot:
    return shoot.place([folder / f"{name}.wav" for name in (*CLIPS, "silent")], folder / "cam1.wav")


def test_scenes_stand_apart_each_on_one_clock(placed: shoot.Shoot) -> None:
    names = [[c.path.stem for c in clips] for clips in placed.groups()]
    assert names == [["cam1", "cam2", "recorder"], ["indoors1", "indoors2"]]
    assert {c.path.stem: c.silent for c in placed.alone()} == {"stranger": False, "silent": True}


def test_each_clip_lies_where_it_was_planted(placed: shoot.Shoot) -> None:
    for clips in placed.groups():
        reference = CLIPS[placed.reference(clips[0]).path.stem]
        for clip in clips:
            _, start, _, ppm, *_ = CLIPS[clip.path.stem]
            assert clip.start_s == pytest.approx(start - reference[1], abs=2e-3), clip.path
            assert (clip.rate - 1) * 1e6 == pytest.approx(ppm - reference[3], abs=40), clip.path
            assert clip.half_s is None or 0 < clip.half_s < 0.01


def test_every_clip_is_read_and_the_clip_that_cannot_be_costs_itself(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF nothing")
    result = shoot.place([folder / "cam1.wav", bad, folder / "cam2.wav"])
    assert [len(clips) for clips in result.groups()] == [2]
    assert [path for path, _ in result.unread] == [bad]


def test_a_loop_is_placed_where_the_others_say(tmp_path: Path) -> None:
    """A player repeats eight seconds: two clips that heard only that fit in several places; a third one knows which."""
    draw = np.random.default_rng(4)
    loop = np.tile(scene(11)[: RATE * 8], 9)
    room = scene(12)[: len(loop)] * np.where(np.arange(len(loop)) < RATE * 40, 0.0, 1.0)
    sound = loop + room

    def clip(start: float, length: float) -> heard.Heard:
        part = sound[int(start * RATE) : int((start + length) * RATE)]
        noisy = part + 0.1 * part.std() * draw.standard_normal(len(part))
        return heard.from_clip(AudioClip.from_array(noisy, RATE), Path(f"{start}.wav"))

    clips = [clip(0.0, 60.0), clip(24.0, 40.0), clip(36.0, 34.0)]
    result = shoot.solved(clips, shoot.edges_of(clips))
    starts = [c.start_s for c in result.clips]
    assert starts[2] - starts[1] == pytest.approx(12.0, abs=2e-3)
    assert starts[1] - starts[0] == pytest.approx(24.0, abs=2e-3)
    assert result.doubts() == []
    two = shoot.solved(clips[:2], shoot.edges_of(clips[:2]))
    assert [line.partition(" fit in several places")[0] for line in two.doubts()] == ["0.0.wav and 24.0.wav"]


def test_screening_does_not_depend_on_gain() -> None:
    sound = scene(5)[: RATE * 30]
    x, y = (heard.shape_of((g * sound).astype(np.float16)) for g in (1.0, 0.05))
    assert x is not None
    assert y is not None
    assert np.corrcoef(x.ravel(), y.ravel())[0, 1] > 0.99
    assert heard.shape_of(np.zeros(RATE * 9, np.float16)) is None
    assert screen.LEAST_S > 0


def test_a_folder_holds_a_map_a_clip_that_warps(folder: Path, tmp_path: Path) -> None:
    files = [str(folder / f"{n}.wav") for n in ("cam1", "cam2", "recorder")]
    assert app.run(["align", *files, "-o", str(tmp_path / "out"), "--quiet"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "cam2.json",
        "recorder.json",
        "shoot.html",
        "shoot.json",
    ]
    one = alignment.load(tmp_path / "out/recorder.json")
    assert one.reference["name"] == "cam1.wav"
    assert one.offset_s == pytest.approx(35.0, abs=2e-3)
    page = (tmp_path / "out/shoot.html").read_text()
    assert page.count('class="track"') == 3
    again = tmp_path / "again"
    assert app.run(["align", *files, "-o", str(again), "--quiet"]) == 0
    assert all((again / p.name).read_bytes() == p.read_bytes() for p in (tmp_path / "out").iterdir())


def test_opentimelineio_reads_every_track(folder: Path, tmp_path: Path) -> None:
    files = [str(folder / f"{n}.wav") for n in CLIPS]
    out = tmp_path / "shoot.otio"
    assert app.run(["align", *files, "--reference", "auto", "-o", str(out), "--quiet"]) == 0
    tracks = opentimelineio.adapters.read_from_file(str(out)).tracks
    begins = {}
    for track in tracks:
        clip = next(c for c in track if isinstance(c, opentimelineio.schema.Clip))
        begins[Path(clip.name).stem] = track.range_of_child(clip).start_time.to_seconds()
    assert set(begins) == set(CLIPS) - {"stranger"}
    assert begins["recorder"] - begins["cam2"] == pytest.approx(17.0, abs=0.01)
    assert begins["indoors2"] - begins["indoors1"] == pytest.approx(9.0, abs=0.01)
    assert begins["indoors1"] > begins["recorder"] + 40.0


@pytest.mark.parametrize("suffix", [".fcpxml", ".rpp"])
def test_other_programs_read_every_track(folder: Path, tmp_path: Path, suffix: str) -> None:
    files = [str(folder / f"{n}.wav") for n in CLIPS]
    out = tmp_path / f"shoot{suffix}"
    assert app.run(["align", *files, "--reference", "auto", "-o", str(out), "--quiet"]) == 0
    begins = reaper_reads(out) if suffix == ".rpp" else final_cut_reads(out)
    assert set(begins) == set(CLIPS) - {"stranger"}
    within = 0.01 if suffix == ".rpp" else 0.05  # a frame of film
    assert begins["recorder"] - begins["cam2"] == pytest.approx(17.0, abs=within)
    assert begins["indoors2"] - begins["indoors1"] == pytest.approx(9.0, abs=within)
    assert begins["indoors1"] > begins["recorder"] + 40.0


def reaper_reads(path: Path) -> dict[str, float]:
    tracks = rpp.loads(path.read_text()).findall("TRACK")
    return {t.find("NAME")[1]: float(t.find("ITEM").find("POSITION")[1]) for t in tracks}


def final_cut_reads(path: Path) -> dict[str, float]:
    back = opentimelineio.adapters.read_from_file(str(path), "fcpx_xml")
    while not isinstance(back, opentimelineio.schema.Timeline):
        back = back[0]
    return {
        Path(c.name).stem: c.transformed_time_range(c.trimmed_range(), back.tracks).start_time.to_seconds()
        for c in back.find_clips()
    }


def test_a_subtitle_among_recordings_is_told_its_way(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "late one.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n")
    files = [str(folder / "cam1.wav"), str(folder / "cam2.wav"), str(tmp_path / "late one.srt")]
    assert app.run(["align", *files]) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "by itself: mmcli align" in said
    assert "-o 'late one.fixed.srt'" in said


def test_json_and_refusals(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [str(folder / f"{n}.wav") for n in CLIPS]
    assert app.run(["align", *files, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)["shoot"]
    assert [len(g) for g in found["groups"]] == [3, 2]
    apart = [str(folder / f"{n}.wav") for n in ("cam1", "stranger", "silent")]
    assert app.run(["align", *apart]) == 4
    assert "silent: silent.wav" in capsys.readouterr().err
    assert app.run(["align", *files, "-o", str(tmp_path / "x.edl")]) == 2
    assert app.run(["align", *files, "--method", "dtw"]) == 2
    assert app.run(["align", *files, "--reference", "nobody.wav"]) == 2
    assert app.run(["align", files[0], files[1], files[1]]) == 2
    assert "is given twice" in capsys.readouterr().err
