"""Sound: every format, rate and channel count on one sample clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.errors import MediaError
from mmcli.media import AudioClip, MediaOptions, open_clip

from .conftest import PYAV, SNDFILE, peak_hz, tone, write_sound, write_video

RATES = {"opus": (8000, 48000), "webm": (16000, 48000)}
# What an encoder may add at the end: nothing where the container says how long the sound is.
PADDING_S = {"webm": 0.02, "mkv": 0.14}


def audio(path: Path, **options: object) -> AudioClip:
    clip = open_clip(path, "audio", options=MediaOptions(**options))
    assert isinstance(clip, AudioClip)
    return clip


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", [*SNDFILE, *PYAV])
def test_a_tone_keeps_its_pitch_level_and_length_in_every_format(sound, kind, channels):
    for rate in RATES.get(kind, (8000, 44100)):
        clip = audio(sound(kind, rate=rate, seconds=1.3, channels=channels, name=f"t{rate}"))
        samples = clip.samples()

        assert clip.channels == channels
        assert samples.dtype == np.float32
        assert peak_hz(samples, clip.rate) == pytest.approx(440.0, abs=0.1)
        assert np.abs(samples[2000:-4000]).max() == pytest.approx(0.5, abs=0.07)
        assert len(samples) / clip.rate == pytest.approx(1.3, abs=PADDING_S.get(kind, 1e-4))
        assert clip.duration_s == pytest.approx(1.3, abs=PADDING_S.get(kind, 1e-4) + 0.02 * (kind in PADDING_S))


@pytest.mark.parametrize("kind", ["flac", "ogg", "opus", "mp3", "m4a", "mkv", "webm"])
def test_every_decoder_puts_an_event_at_the_same_time(tmp_path, kind):
    """A click at 0.5 s in a 48 kHz file is found within 2 ms of it, whatever delay the encoder adds."""
    wave = np.zeros((48000, 1), np.float32)
    wave[24000:24200, 0] = np.hanning(200) * 0.9
    samples = audio(write_sound(tmp_path / f"click.{kind}", wave, 48000, kind)).samples()

    energy = samples.astype(float) ** 2
    centre = (energy * np.arange(len(energy))).sum() / energy.sum() / 48000
    assert centre == pytest.approx((24000 + 99.5) / 48000, abs=0.002)


def test_several_channels_are_averaged_or_one_is_picked(tmp_path):
    data = np.stack([np.full(800, 0.5), np.full(800, -0.25), np.zeros(800)], axis=1).astype(np.float32)
    path = write_sound(tmp_path / "three.wav", data, 8000, "float.wav")

    assert audio(path).samples() == pytest.approx(0.25 / 3)
    assert (audio(path, channel=1).samples() == -0.25).all()
    with pytest.raises(MediaError, match=r"3 channel\(s\).*no channel 3"):
        audio(path, channel=3)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3", "m4a", "mkv", "webm"])
def test_a_segment_equals_that_stretch_of_the_whole(tmp_path, kind):
    rate = 48000
    time = np.arange(rate * 3) / rate
    sweep = 0.4 * np.sin(2 * np.pi * (200 + 400 * time) * time)  # no noise: AAC may replace noise by other noise
    path = write_sound(tmp_path / f"sweep.{kind}", sweep[:, None].astype(np.float32), rate, kind)
    whole = audio(path).samples()
    part = audio(path, start=1.25, end=2.0)

    assert part.duration_s == 0.75
    assert part.segment == {"start": 1.25, "end": 2.0}
    slack = 48 if kind in ("mkv", "webm") else 0  # timestamps in milliseconds
    found = part.samples()
    distances = [
        np.abs(found[30:-30] - whole[60000 + lag + 30 : 96000 + lag - 30]).max() for lag in range(-slack, slack + 1)
    ]
    assert len(found) == 36000
    assert min(distances) < 1e-3
    assert np.array_equal(audio(path, end=0.5).samples(), whole[: rate // 2])


def test_a_segment_outside_the_file_is_refused(sound):
    path = sound("wav", seconds=1.0)

    with pytest.raises(MediaError, match=r"ends at 1\.00 s, the segment starts at 2\.00 s"):
        audio(path, start=2.0)
    with pytest.raises(MediaError, match=r"ends at 1\.00 s, the segment at 5\.00 s"):
        audio(path, end=5.0)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_a_track_that_begins_late_is_preceded_by_silence(tmp_path, kind):
    """Sound and picture of one file share one clock."""
    from .conftest import numbered_frames

    path = write_video(tmp_path / f"late.{kind}", numbered_frames(20), sound=(tone(48000, 1.0), 48000), delay=24000)
    samples = audio(path).samples()

    assert np.flatnonzero(np.abs(samples) > 0.2)[0] / 48000 == pytest.approx(0.5, abs=0.005)
    assert (samples[:20000] == 0).all()


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "m4a", "webm"])
@pytest.mark.parametrize("rate", [None, 16000, 22050])
def test_blocks_joined_are_the_samples_exactly(sound, kind, rate):
    clip = audio(sound(kind, rate=48000, seconds=3.1, channels=2))
    whole = clip.samples(rate)
    for seconds in (0.01, 0.37, 1.0, 30.0):
        blocks = list(clip.blocks(rate, seconds))

        assert np.array_equal(np.concatenate(blocks), whole)
        assert {len(b) for b in blocks[:-1]} <= {round(seconds * (rate or clip.rate))}


@given(
    n=st.integers(10, 200_000),
    rate=st.sampled_from([8000, 11025, 16000, 44100]),
    wanted=st.sampled_from([None, 8000, 16000, 44100, 48000]),
    seconds=st.floats(0.01, 8.0),
)
def test_blocks_of_any_size_join_to_the_samples_of_any_clip(n, rate, wanted, seconds):
    clip = AudioClip.from_array(np.random.default_rng(n).normal(size=n), rate)
    whole = clip.samples(wanted)

    assert np.array_equal(np.concatenate(list(clip.blocks(wanted, seconds))), whole)
    assert abs(len(whole) - n * (wanted or rate) / rate) <= 1


def test_sound_that_resampling_leaves_nothing_of_is_refused():
    with pytest.raises(MediaError, match="too short to be resampled to 8000 Hz"):
        AudioClip.from_array([0.5], 44100).samples(8000)


def test_resampling_keeps_time_and_pitch(sound):
    for rate in (8000, 16000, 22050, 48000):
        samples = audio(sound("flac", rate=44100, seconds=2.0)).samples(rate)

        assert len(samples) == 2 * rate
        assert peak_hz(samples, rate) == pytest.approx(440.0, abs=0.05)


def test_a_clip_can_be_read_twice(sound):
    clip = audio(sound("ogg"))

    assert np.array_equal(clip.samples(), clip.samples())


def test_the_source_names_the_file_without_its_folder(sound):
    import hashlib

    path = sound("wav")
    source = audio(path).source

    assert source == {
        "name": "tone.wav",
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize(("layout", "channels"), [("stereo", 2), ("7.1", 8), ("hexadecagonal", 16), ("22.2", 24)])
def test_planes_of_many_channels_are_read_and_nothing_behind_them(layout, channels):
    """A mutant of an mp4 file turned to 39 channels on the way; reading until a plane is null ended the process."""
    import av
    from av.audio.plane import AudioPlane

    from mmcli.media import frames

    packed = np.random.default_rng(5).uniform(-1, 1, (channels, 100)).astype(np.float32)
    frame = av.AudioFrame(format="fltp", layout=layout, samples=100)
    for k in range(channels):
        AudioPlane(frame, k).update(packed[k].tobytes().ljust(AudioPlane(frame, k).buffer_size, b"\0"))

    np.testing.assert_array_equal(frames.values(frame, "a"), packed.T)
