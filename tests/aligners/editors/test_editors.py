"""Projects of editing programs: each is read back by a library or program that is not ours."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import soundfile

from mmcli.aligners.core import timeline as timelines
from mmcli.aligners.editors import reaper, registry, suffixes
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.cli import app

RATE = 8000
CUT_S, AT_S = 2.0, 8.0  # what the query lacks, and from where
STARTS_S = 3.0  # of the reference, before the query begins


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording and a second one that begins later and has a cut, with the map between them."""
    folder = tmp_path_factory.mktemp("two words & more")
    noise = np.random.default_rng(3).standard_normal(RATE * 24).astype(np.float32) * 0.1
    at, length = round((STARTS_S + AT_S) * RATE), round(CUT_S * RATE)
    soundfile.write(folder / "studio.wav", noise, RATE)
    soundfile.write(
        folder / "camera's.wav", np.concatenate([noise[round(STARTS_S * RATE) : at], noise[at + length :]]), RATE
    )
    return folder


@pytest.fixture(scope="module")
def timeline(shoot: Path) -> timelines.Timeline:
    knots = np.array([[3.0, 0.0], [11.0, 8.0], [13.0, 8.0], [24.0, 19.0]])
    gaps = [{"side": "reference", "start": 11.0, "end": 13.0}]
    sides = [{"name": n, "sha256": None, "duration_s": s} for n, s in (("studio.wav", 24.0), ("camera's.wav", 19.0))]
    found = Alignment(model="piecewise", knots=knots, breaks=gaps, reference=sides[0], query=sides[1])
    return timelines.timeline(found, shoot / "studio.wav", shoot / "camera's.wav")


def read(timeline: timelines.Timeline, suffix: str) -> bytes:
    name = next(n for n in registry.names() if suffix in registry.load(n).SUFFIXES)
    return registry.load(name).render(timeline, suffix)


def test_pieces_are_the_map_with_its_ends(timeline: timelines.Timeline) -> None:
    assert [(p.start, p.end, p.at, p.until) for p in timeline.query.pieces] == [
        (0.0, 8.0, 3.0, 11.0),
        (8.0, 19.0, 13.0, 24.0),
    ]
    assert timeline.reference.pieces == (timelines.Piece(0.0, 24.0, 0.0, 24.0),)


def test_a_curve_becomes_few_pieces_that_lie_near_it() -> None:
    q = np.linspace(0.0, 60.0, 3000)
    knots = np.stack([q + 0.5 * np.sin(q / 8.0) + 1.0, q], axis=1)
    side = {"name": "x", "sha256": None, "duration_s": 60.0}
    made = timelines.timeline(Alignment(model="warp", knots=knots, reference=side, query=side), Path("a"), Path("b"))
    pieces = made.query.pieces
    assert 4 < len(pieces) < 40
    for piece in pieces:
        inside = (q >= piece.start) & (q <= piece.end)
        placed = piece.at + (q[inside] - piece.start) / piece.speed
        assert np.abs(placed - knots[inside, 0]).max() <= timelines.WITHIN_S + 1e-9


@pytest.mark.parametrize("suffix", suffixes())
def test_the_same_map_gives_the_same_bytes(timeline: timelines.Timeline, suffix: str) -> None:
    pytest.importorskip("opentimelineio", reason="the extra editors")
    pytest.importorskip("pympi", reason="the extra editors")
    assert read(timeline, suffix) == read(timeline, suffix)


@pytest.mark.parametrize(("suffix", "within"), [(".otio", 1e-4), (".fcpxml", 0.04), (".edl", 0.04)])
def test_opentimelineio_reads_both_tracks_back(timeline: timelines.Timeline, suffix: str, within: float) -> None:
    otio = pytest.importorskip("opentimelineio", reason="the extra editors")
    adapter = {".otio": "otio_json", ".fcpxml": "fcpx_xml", ".edl": "cmx_3600"}[suffix]
    back = otio.adapters.read_from_string(read(timeline, suffix).decode(), adapter)
    if not isinstance(back, otio.schema.Timeline):  # fcpxml comes back as a library of projects
        back = next(t for t in _timelines(otio, back))
    placed = {}
    for clip in back.find_clips():
        start = clip.transformed_time_range(clip.trimmed_range(), back.tracks).start_time.to_seconds()
        placed.setdefault(clip.name.removesuffix(".wav"), []).append(
            (start, clip.trimmed_range().start_time.to_seconds())
        )
    cut = sorted(placed["camera’s" if suffix == ".fcpxml" else "camera's"])
    assert np.allclose(cut, [(3.0, 0.0), (13.0, 8.0)], atol=within)
    if suffix != ".edl":
        assert np.allclose(placed["studio"], [(0.0, 0.0)], atol=within)
    if suffix == ".otio":
        urls = {unquote(urlparse(c.media_reference.target_url).path) for c in back.find_clips()}
        assert urls == {str(timeline.reference.path.resolve()), str(timeline.query.path.resolve())}


def _timelines(otio, found):
    if isinstance(found, otio.schema.Timeline):
        yield found
    else:
        for child in found:
            yield from _timelines(otio, child)


def test_a_parser_of_reaper_projects_reads_items_at_their_places(timeline: timelines.Timeline) -> None:
    rpp = pytest.importorskip("rpp", reason="reads projects of Reaper")
    project = rpp.loads(read(timeline, ".rpp").decode())
    tracks = project.findall("TRACK")
    assert [t.find("NAME")[1] for t in tracks] == ["studio", "camera's"]
    items = [
        [float(item.find(key)[1]) for key in ("POSITION", "LENGTH", "SOFFS", "PLAYRATE")]
        for item in tracks[1].findall("ITEM")
    ]
    assert np.allclose(items, [(3.0, 8.0, 0.0, 1.0), (13.0, 11.0, 8.0, 1.0)])
    assert tracks[1].find(".//FILE")[1] == str(timeline.query.path.resolve())


def test_names_with_every_mark_stay_one_name() -> None:
    rpp = pytest.importorskip("rpp", reason="reads projects of Reaper")
    for name in ("plain", "it's", 'say "no"', "`tick`", "two\nlines"):
        project = rpp.loads(f"<REAPER_PROJECT 0.1\n  <TRACK\n    NAME {reaper.quoted(name)}\n  >\n>\n")
        assert project.find("TRACK").find("NAME")[1] == " ".join(name.splitlines())


def test_elan_plays_both_from_one_moment_on(timeline: timelines.Timeline, tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan", reason="the extra editors")
    (tmp_path / "x.eaf").write_bytes(read(timeline, ".eaf"))
    back = elan.Eaf(str(tmp_path / "x.eaf"))
    origins = {Path(d["MEDIA_URL"]).name: int(d["TIME_ORIGIN"]) for d in back.media_descriptors}
    assert origins == {"studio.wav": 3000, "camera%27s.wav": 0}
    assert [(a, b) for a, b, *_ in sorted(back.get_annotation_data_for_tier("map"))] == [(0, 8000), (10000, 21000)]


@pytest.mark.needs("ffmpeg")
def test_ffmpeg_runs_the_script_and_every_sample_is_in_its_place(
    timeline: timelines.Timeline, shoot: Path, tmp_path: Path
) -> None:
    script = tmp_path / "cut.ffscript"
    script.write_bytes(read(timeline, ".ffscript"))
    inputs = ["-i", str(shoot / "studio.wav"), "-i", str(shoot / "camera's.wav")]
    out = [
        "-filter_complex_script",
        str(script),
        "-map",
        "[sound]",
        "-ar",
        str(RATE),
        "-c:a",
        "pcm_f32le",
        "-f",
        "wav",
        "-",
    ]
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *inputs, *out], capture_output=True, check=True)
    sound, rate = soundfile.read(io.BytesIO(done.stdout))
    whole, _ = soundfile.read(shoot / "studio.wav")
    assert rate == RATE
    assert abs(len(sound) - 24 * RATE) <= 2
    for start, end in ((3.2, 10.8), (13.2, 23.5)):
        a, b = round(start * RATE), round(end * RATE)
        assert np.corrcoef(whole[a:b], sound[a:b])[0, 1] > 0.97  # resampled twice
    assert np.abs(sound[: round(2.9 * RATE)]).max() == 0.0
    assert np.abs(sound[round(11.1 * RATE) : round(12.9 * RATE)]).max() == 0.0


def test_align_writes_a_project_and_refuses_what_has_no_place_in_one(
    shoot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [str(shoot / "studio.wav"), str(shoot / "camera's.wav")]
    assert app.run(["align", *pair, "-o", str(tmp_path / "x.rpp"), "-q"]) == 0
    assert "POSITION 13.00" in (tmp_path / "x.rpp").read_text() or "POSITION 12.99" in (tmp_path / "x.rpp").read_text()
    (tmp_path / "s.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n")
    assert app.run(["align", pair[0], str(tmp_path / "s.srt"), "-o", str(tmp_path / "x.otio")]) == 2
    assert "is a subtitle, which is not written as otio" in capsys.readouterr().err
