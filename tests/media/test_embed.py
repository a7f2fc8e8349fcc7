"""Pictures and sounds as data URIs: small ones as they are, large ones smaller, damaged ones never."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmcli.errors import MediaError
from mmcli.media import MediaOptions
from mmcli.media.embed import data_uri

from .conftest import numbered_frames, peak_hz, tone, write_video


def content(uri: str) -> tuple[str, bytes]:
    kind, _, data = uri.removeprefix("data:").partition(";base64,")
    return kind, base64.b64decode(data)


def test_small_files_go_in_as_they_are(tmp_path, sound):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")

    assert content(data_uri(tmp_path / "a.png", "image")) == ("image/png", (tmp_path / "a.png").read_bytes())
    path = sound("ogg")
    assert content(data_uri(path, "audio")) == ("audio/ogg", path.read_bytes())


def test_large_ones_are_made_smaller(tmp_path, sound):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (900, 700, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    kind, data = content(data_uri(tmp_path / "a.png", "image"))
    assert kind == "image/jpeg"
    assert max(Image.open(io.BytesIO(data)).size) == 512

    kind, data = content(data_uri(sound("wav", rate=48000, seconds=20.0), "audio"))
    samples, rate = soundfile.read(io.BytesIO(data))
    assert (kind, rate, len(samples)) == ("audio/wav", 16000, 160000)
    assert peak_hz(samples, rate) == pytest.approx(440, abs=0.1)


def test_the_track_of_a_video_and_a_segment_are_cut_out(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(20), sound=(tone(48000, 2.0), 48000))
    _, data = content(data_uri(path, "audio", options=MediaOptions(start=0.5, end=1.0)))

    assert len(soundfile.read(io.BytesIO(data))[0]) == 8000


def test_what_does_not_decode_is_not_shown(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"junk" * 20)
    with pytest.raises(MediaError):
        data_uri(tmp_path / "a.png", "image")
