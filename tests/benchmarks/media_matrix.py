# ruff: noqa: E501 - a cell is a line
"""The media door against ffmpeg: container x codec x trouble, each made by ffmpeg, sox or mkvmerge and read back.

    python tests/benchmarks/media_matrix.py [--light] [--only WORD] [--peers] [--keep FOLDER]

Of sound the decoded length and the place of every stretch are compared with what ffmpeg decodes with
``aresample=async`` (gaps in the timestamps are silence), within 1 ms; of pictures the number of frames and their times
with ffprobe's, within half a frame; of several tracks the one that is flagged as the default has to be taken. A cell is
right, refused (with its reason), or wrong. Refusals are fair where ffmpeg reports an error or the file was cut.
With ``--peers`` soundfile, librosa and a plain PyAV loop are judged in the same way.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LEN_S = 4.0
FAIR = 0.001  # s
TOOLS = ("ffmpeg", "ffprobe", "sox", "mkvmerge")


@dataclass(frozen=True)
class Cell:
    """``make`` writes ``$O``; ``kind`` is what is compared; ``cut``: a part of the file is missing on purpose."""

    name: str
    suffix: str
    make: str
    kind: str = "audio"
    cut: bool = False
    light: bool = False
    fair: float = FAIR  # s
    also: tuple[float, ...] = ()  # a length that is fair too, where ffmpeg is known to be wrong


FF = "ffmpeg -v error -y -nostdin"
IN = f"{FF} -i $D/s.wav"
CUT = "; python3 -c \"import os;p='$O';os.truncate(p,int(os.path.getsize(p)*0.6))\""
JOIN = "cat $D/x $D/y > $O"


def sources(folder: Path) -> None:
    """Noise that swells and fades, so that every stretch of it is known by its shape; and pictures that differ."""
    import soundfile

    rng = np.random.default_rng(14)
    for name, rate, channels in (("s", 48000, 1), ("t", 44100, 2), ("u", 8000, 1), ("v", 22050, 1)):
        n = round(LEN_S * rate)
        noise = rng.normal(size=(n, channels))
        noise = np.cumsum(noise, axis=0) - np.linspace(0, 1, n)[:, None] * noise.sum(axis=0)
        noise -= np.stack([np.convolve(c, np.ones(64) / 64, "same") for c in noise.T], axis=1)
        swell = 0.35 + 0.3 * np.sin(2 * np.pi * 1.7 * np.arange(n) / rate)
        noise = noise / np.abs(noise).max() * swell[:, None]
        soundfile.write(folder / f"{name}.wav", noise, rate, subtype="PCM_16")
    quiet = np.concatenate([np.zeros(48000 * 3), soundfile.read(folder / "s.wav")[0]])
    soundfile.write(folder / "q.wav", quiet, 48000, subtype="PCM_16")
    for name, rate in (("p", "25"), ("n", "30000/1001")):
        size = "testsrc2=s=128x96:d=4:r=" + rate
        run(f"{FF} -f lavfi -i {size} -c:v ffv1 $D/{name}.nut", folder, folder / "none")


def run(script: str, folder: Path, out: Path) -> None:
    subprocess.run(
        ["sh", "-ec", script], env={"D": str(folder), "O": str(out), "PATH": "/usr/bin:/bin"}, check=True,
        capture_output=True, timeout=120,
    )  # fmt: skip


def cells() -> Iterator[Cell]:
    """All of them; the light ones are a fair sample that takes some seconds."""
    found = [*_plain_sound(), *_mp3(), *_ogg(), *_flac(), *_containers(), *_pictures()]
    for k, cell in enumerate(found):
        yield Cell(**{**cell.__dict__, "light": k % 11 == 3})


def _plain_sound() -> Iterator[Cell]:
    wav = [
        "pcm_u8",
        "pcm_s16le",
        "pcm_s24le",
        "pcm_s32le",
        "pcm_f32le",
        "pcm_f64le",
        "pcm_mulaw",
        "pcm_alaw",
        "adpcm_ms",
        "adpcm_ima_wav",
    ]
    kinds = [("wav", c, "") for c in wav] + [("wav", c, "-rf64 always") for c in wav[1:5]]
    kinds += [("wav", c, "-write_bext 1 -metadata description=x") for c in wav[1:3]]
    kinds += [("w64", c, "") for c in ("pcm_s16le", "pcm_s24le", "pcm_f32le")]
    kinds += [("aiff", c, "") for c in ("pcm_s8", "pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_mulaw")]
    kinds += [("caf", c, "") for c in ("pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_mulaw", "alac")]
    kinds += [("au", c, "") for c in ("pcm_s16be", "pcm_f32be", "pcm_mulaw", "pcm_alaw")]
    for suffix, codec, more in kinds:
        tag = f"{suffix} {codec} {more.split()[0] if more else ''}".strip()
        for source in "su" if codec in ("pcm_s24le", "pcm_mulaw") else "t":
            yield Cell(f"{tag} {source}", suffix, f"{FF} -i $D/{source}.wav -c:a {codec} {more} $O")
        if codec in ("pcm_s16le", "pcm_s16be") and "bext" not in more:
            yield Cell(f"{tag} cut", suffix, f"{FF} -i $D/t.wav -c:a {codec} {more} $O{CUT}", cut=True)
        if suffix in ("wav", "au", "caf") and not more and codec in ("pcm_s16le", "pcm_s16be", "pcm_f32le"):
            form = suffix
            yield Cell(f"{tag} pipe", suffix, f"{IN} -c:a {codec} -f {form} - | cat > $O")
    for form, codec in itertools.product(("wav", "aiff", "au", "w64"), ("-b 16", "-b 24", "-e float -b 32")):
        if form == "aiff" and "float" in codec:
            continue
        yield Cell(f"sox {form} {codec}", form, f"sox $D/t.wav {codec} $O")
    yield Cell("sox wav pipe", "wav", "sox $D/t.wav -t wav - | cat > $O")
    yield Cell("sox voc", "voc", "sox $D/t.wav $O")
    for codec, suffix, source in (
        ("ac3", "ac3", "s"), ("eac3", "eac3", "s"), ("wavpack", "wv", "t"), ("tta", "tta", "t"), ("mp2", "mp2", "s"),
        ("wmav2", "wma", "t"), ("wmav1", "wma", "t"), ("aac", "aac", "s"), ("aac", "aac", "t"), ("dca -strict -2", "dts", "s"),
    ):  # fmt: skip
        yield Cell(f"{suffix} {codec} {source}", suffix, f"{FF} -i $D/{source}.wav -c:a {codec} $O")
        if suffix in ("ac3", "wma", "wv"):
            yield Cell(
                f"{suffix} {codec} {source} cut", suffix, f"{FF} -i $D/{source}.wav -c:a {codec} $O{CUT}", cut=True
            )
    yield Cell("amr", "amr", "sox $D/u.wav -t amr-nb $O")


def _mp3() -> Iterator[Cell]:
    for source, rate in itertools.product("stv", ("-b:a 64k", "-b:a 160k", "-q:a 2", "-q:a 7", "-abr 1 -b:a 96k")):
        make = f"{FF} -i $D/{source}.wav -c:a libmp3lame {rate}"
        if source == "v" and "160" in rate:
            continue
        yield Cell(f"mp3 {rate} {source}", "mp3", f"{make} $O")
        yield Cell(f"mp3 {rate} {source} no tag", "mp3", f"{make} -write_xing 0 $O")
    for rate in ("-b:a 96k", "-q:a 4"):
        make = f"{FF} -i $D/q.wav -c:a libmp3lame {rate}"
        yield Cell(f"mp3 {rate} silent start", "mp3", f"{make} $O")
        yield Cell(f"mp3 {rate} silent start no tag", "mp3", f"{make} -write_xing 0 $O")
        make = f"{IN} -c:a libmp3lame {rate}"
        for tag in ("", "-write_xing 0"):
            two = (
                f"{make} {tag} -f mp3 $D/x; {FF} -i $D/q.wav -c:a libmp3lame {rate} -ar 48000 {tag} -f mp3 $D/y; {JOIN}"
            )
            yield Cell(f"mp3 {rate} joined {tag}", "mp3", two)
            if rate == "-q:a 4":
                yield Cell(f"mp3 {rate} cut {tag}", "mp3", f"{make} {tag} $O{CUT}", cut=True)
        yield Cell(f"mp3 {rate} id3v1", "mp3", f"{make} -write_id3v1 1 -metadata title=x $O")
        two = f"{make} -write_xing 0 -f mp3 $D/x; {make} -write_xing 0 -id3v2_version 3 -metadata title=x -f mp3 $D/y; {JOIN}"
        yield Cell(f"mp3 {rate} id3 in the middle", "mp3", two)
        yield Cell(f"mp3 {rate} copied", "mp3", f"{make} -f mp3 $D/x; {FF} -ss 1.5 -f mp3 -i $D/x -c copy $O")


def _ogg() -> Iterator[Cell]:
    for codec, source in itertools.product(("libvorbis", "libopus", "flac", "libspeex"), "st"):
        suffix = "opus" if codec == "libopus" else "ogg"
        more = "-ar 16000 -ac 1" if codec == "libspeex" else ""
        make = f"{FF} -i $D/{source}.wav -c:a {codec} {more}"
        yield Cell(f"ogg {codec} {source}", suffix, f"{make} $O")
        if source == "s":
            yield Cell(f"ogg {codec} {source} cut", suffix, f"{make} $O{CUT}", cut=True)
        yield Cell(f"ogg {codec} {source} pipe", suffix, f"{make} -f ogg - | cat > $O")
        if codec in ("libvorbis", "libopus"):  # of chained Speex ffmpeg loses the first packet
            two = f"{make} -f ogg $D/x; {make} -serial_offset 77 -f ogg $D/y; {JOIN}"
            yield Cell(f"ogg {codec} {source} chained", suffix, two)
            if codec == "libvorbis":  # of Opus ffmpeg 5 reads the priming of the second part as sound
                same = f"{make} -f ogg $D/x; cp $D/x $D/y; {JOIN}"
                yield Cell(f"ogg {codec} {source} chained same serial", suffix, same, also=(2 * LEN_S,))
        if codec in ("libvorbis", "libopus"):
            yield Cell(
                f"ogg {codec} {source} starts late",
                suffix,
                f"{make} -f ogg $D/x; {FF} -ss 1.5 -copyts -f ogg -i $D/x -c copy $O",
            )


def _flac() -> Iterator[Cell]:
    for source, depth in itertools.product("stu", ("s16", "s32")):
        make = f"{FF} -i $D/{source}.wav -c:a flac -sample_fmt {depth}"
        tag = f"flac {depth} {source}"
        yield Cell(tag, "flac", f"{make} $O")
        yield Cell(f"{tag} pipe", "flac", f"{make} -f flac - | cat > $O")
        if source == "s":
            yield Cell(f"{tag} cut", "flac", f"{make} $O{CUT}", cut=True)
        yield Cell(f"{tag} copied", "flac", f"{make} -f flac $D/x; {FF} -ss 1.5 -i $D/x -c copy $O")


# Sound in containers: codec and, of each container, the codecs it takes.
TAKES = {
    "mp4": "aac alac libmp3lame ac3 libopus flac",
    "m4a": "aac alac",
    "mov": "aac alac pcm_s16le pcm_s24le libmp3lame ac3",
    "mkv": "aac libmp3lame libopus libvorbis flac pcm_s16le ac3 alac",
    "webm": "libopus libvorbis",
    "mka": "libopus flac aac",
    "ts": "aac libmp3lame ac3 mp2 libopus",
    "m2ts": "ac3 aac",
    "avi": "libmp3lame pcm_s16le ac3 mp2",
    "flv": "aac libmp3lame",
    "wmv": "wmav2",
    "mpg": "mp2 ac3",
    "3gp": "aac",
}
LIVE = {"mkv", "webm", "mka", "ts", "flv"}
OF_FILM = {
    "mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx", "ts": "libx264", "m2ts": "libx264",
    "avi": "mpeg4", "flv": "flv", "wmv": "wmv2", "mpg": "mpeg2video", "3gp": "mpeg4",
}  # fmt: skip


def _containers() -> Iterator[Cell]:
    for suffix, codecs in TAKES.items():
        for codec in codecs.split():
            source = "t" if codec not in ("libopus",) and suffix not in ("3gp", "m2ts") else "s"
            sound, tag = f"-i $D/{source}.wav", f"{suffix} {codec}"
            track = f"-c:a {codec} -strict -2"
            yield Cell(tag, suffix, f"{FF} {sound} {track} $O")
            if codec == codecs.split()[0]:
                yield Cell(f"{tag} cut", suffix, f"{FF} {sound} {track} $O{CUT}", cut=True)
            if suffix not in ("m4a", "mka"):
                film = f"-c:v {OF_FILM[suffix]} -g 10 -shortest"
                both = f"-i $D/p.nut {sound} -map 0:v -map 1:a {film} {track}"
                late = f"-i $D/p.nut -itsoffset 0.73 {sound} -map 0:v -map 1:a {film} {track}"
                yield Cell(f"{tag} film", suffix, f"{FF} {both} $O")
                if suffix not in ("avi",):
                    yield Cell(f"{tag} late", suffix, f"{FF} {late} $O")
                if suffix in ("mp4", "mov", "mkv", "webm", "ts"):
                    yield Cell(f"{tag} starts at 2.5", suffix, f"{FF} {both} -output_ts_offset 2.5 $O")
                    rest = f"{FF} {both} $D/w.{suffix}; {FF} -ss 1.3 -i $D/w.{suffix} -c copy $O"
                    yield Cell(f"{tag} copied", suffix, rest)
            if suffix in ("mkv", "webm", "mp4", "ts", "flv", "mka"):
                drop = {"one": "eq(n\\,33)", "many": "eq(mod(n\\,7)\\,3)", "gap": "between(n\\,20\\,60)"}
                for name, which in drop.items():
                    lost = f"{FF} {sound} {track} -bsf:a noise=drop='{which}' $O"
                    yield Cell(f"{tag} lost {name}", suffix, lost)
            if suffix in LIVE:
                form = {"mka": "matroska", "mkv": "matroska", "ts": "mpegts"}.get(suffix, suffix)
                yield Cell(f"{tag} live", suffix, f"{FF} {sound} {track} -f {form} - | cat > $O")
            if suffix in ("mp4", "mov", "m4a"):
                yield Cell(
                    f"{tag} fragments",
                    suffix,
                    f"{FF} {sound} {track} -movflags frag_keyframe+empty_moov -frag_duration 500000 $O",
                )
            if suffix in ("mkv", "mp4", "webm"):
                two = (
                    f"{FF} {sound} -i $D/q.wav -map 0:a -map 1:a {track} -disposition:a:0 0 -disposition:a:1 default $O"
                )
                yield Cell(f"{tag} second is default", suffix, two)
        if suffix in ("mkv", "webm"):
            for codec in codecs.split():
                source = "s" if codec == "libopus" else "t"
                first = f"{FF} -i $D/{source}.wav -c:a {codec} -strict -2 $D/w.mkv"
                yield Cell(f"mkvmerge {suffix} {codec}", suffix, f"{first}; mkvmerge -q -o $O $D/w.mkv")
                yield Cell(
                    f"mkvmerge {suffix} {codec} delay",
                    suffix,
                    f"{first}; {FF} -i $D/p.nut -c:v libvpx $D/v.webm; mkvmerge -q -o $O $D/v.webm -y 0:730 $D/w.mkv",
                    # mkvmerge laces packets of PCM and steps their times by whole milliseconds: up to 2 ms from the
                    # truth, at which the clock of ffmpeg jumps. Here the sound lies 0.8 ms from where it belongs.
                    fair=0.002 if codec == "pcm_s16le" else FAIR,
                )


PICTURES = {
    "mp4": "libx264 libx265 libvpx-vp9 libsvtav1 mpeg4 mjpeg",
    "mov": "libx264 mpeg4 mjpeg",
    "mkv": "libx264 libx265 libvpx-vp9 libsvtav1 mpeg2video mjpeg",
    "webm": "libvpx libvpx-vp9 libsvtav1",
    "avi": "libx264 mpeg4 mjpeg mpeg2video",
    "ts": "libx264 libx265 mpeg2video",
    "mts": "libx264",
    "mpg": "mpeg2video mpeg1video",
    "flv": "libx264 flv",
    "wmv": "wmv2",
    "3gp": "mpeg4",
}


def _pictures() -> Iterator[Cell]:
    for suffix, codecs in PICTURES.items():
        for codec in codecs.split():
            fast = {"libx264": "-bf 3 -preset veryfast", "libx265": "-preset ultrafast -x265-params log-level=none",
                    "libvpx-vp9": "-cpu-used 8 -deadline realtime", "libsvtav1": "-preset 12"}.get(codec, "-g 12")  # fmt: skip
            if codec in ("mpeg4", "mpeg2video", "mpeg1video"):
                fast += " -bf 2"
            if codec == "mjpeg":
                fast += " -pix_fmt yuvj420p"
            form = "-f mpegts" if suffix == "mts" else ""
            track, tag = f"-c:v {codec} {fast} {form}", f"{suffix} {codec} pictures"
            yield Cell(tag, suffix, f"{FF} -i $D/p.nut {track} $O", "video")
            yield Cell(f"{tag} 29.97", suffix, f"{FF} -i $D/n.nut {track} $O", "video")
            if codec == codecs.split()[0]:
                yield Cell(f"{tag} cut", suffix, f"{FF} -i $D/p.nut {track} $O{CUT}", "video", cut=True)
            yield Cell(f"{tag} with sound", suffix, f"{FF} -i $D/p.nut -i $D/s.wav {track} -strict -2 $O", "video")
            if suffix in ("mp4", "mov", "mkv", "webm", "ts"):
                vary = "-vf select='not(between(mod(n\\,9)\\,2\\,4))' -vsync vfr"
                yield Cell(f"{tag} vfr", suffix, f"{FF} -i $D/p.nut {vary} {track} $O", "video")
                late = f"{FF} -itsoffset 0.6 -i $D/p.nut -i $D/s.wav {track} -strict -2 $O"
                yield Cell(f"{tag} late", suffix, late, "video")
                yield Cell(
                    f"{tag} starts at 2.5", suffix, f"{FF} -i $D/p.nut {track} -output_ts_offset 2.5 $O", "video"
                )
                rest = f"{FF} -i $D/p.nut -i $D/s.wav {track} -strict -2 $D/w.{suffix}; {FF} -ss 1.3 -i $D/w.{suffix} -c copy {form} $O"
                yield Cell(f"{tag} copied", suffix, rest, "video")


# What ffmpeg says


def probed(path: Path, *what: str) -> dict[str, Any]:
    done = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *what, str(path)], capture_output=True, check=False)
    return dict(json.loads(done.stdout or b"{}"))


def reference(path: Path, cell: Cell) -> tuple[Any, bool]:
    """(samples, rate, other lengths that are fair) or the times of the pictures, as ffmpeg has them; whether it erred."""
    facts = probed(path, "-show_format", "-show_streams")
    streams = [s for s in facts.get("streams", []) if s["codec_type"] == cell.kind]
    if not streams:
        return None, True
    start = max(0.0, float(facts["format"].get("start_time", 0.0)))
    chosen = next((k for k, s in enumerate(streams) if s["disposition"]["default"]), 0)
    kind = cell.kind[0]
    check = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-map", f"0:{kind}:{chosen}", "-f", "null", "-"],
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    erred = bool(check.stderr.strip()) or check.returncode != 0
    entries = "frame=pts_time,best_effort_timestamp_time,nb_samples"
    frames = probed(path, "-select_streams", f"{kind}:{chosen}", "-show_entries", entries).get("frames", [])
    if kind == "v":
        known = [float(f["best_effort_timestamp_time"]) for f in frames if "best_effort_timestamp_time" in f]
        step = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
        times: list[float] = []
        for f in frames:  # the last ones, which the decoder held back, may have no time
            told = f.get("best_effort_timestamp_time")
            times.append(float(told) - start if told is not None else (times[-1] if times else 0.0) + step)
        # Before the beginning that an edit list sets: decoded for what follows, not shown; some decoders give them too.
        return [t for t in times if t > -0.9 * step], erred
    rate, channels = int(streams[chosen]["sample_rate"]), int(streams[chosen]["channels"])
    tick = eval_fraction(streams[chosen]["time_base"])
    hard = max(0.0005, 1.3 * tick if tick < 0.005 else 0.1)
    if "ogg" in facts["format"]["format_name"]:
        hard = 0.1  # libav gives single packets of Vorbis a wrong time
    asks = f"aresample=async=1:min_comp=0.0005:min_hard_comp={hard}:first_pts=0"
    filters = [] if "chained" in cell.name else ["-af", asks]  # the clock begins anew: one part after the other
    raw = subprocess.run(
        ["ffmpeg", "-v", "quiet", "-nostdin", "-i", str(path), "-map", f"0:a:{chosen}", *filters, "-f", "f32le", "-"],
        capture_output=True, check=False, timeout=120,
    ).stdout  # fmt: skip
    samples = (
        np.frombuffer(raw[: len(raw) // 4 // channels * 4 * channels], np.float32).reshape(-1, channels).mean(axis=1)
    )
    begin = float(facts["format"].get("start_time", 0.0))
    lead = round(max(0.0, -begin) * rate)
    if (
        streams[chosen]["codec_name"] == "opus"
        and begin > 0
        and frames
        and "matroska" in facts["format"]["format_name"]
    ):
        late = float(frames[0].get("pts_time", 0.0)) - begin
        lead += (
            round(late * rate) if 0 < late < 0.008 else 0
        )  # ffmpeg 5 counts from the priming, later ones from the sound
    if streams[chosen]["codec_name"] == "vorbis" and "ogg" in facts["format"]["format_name"] and frames:
        lead += round((float(frames[0].get("pts_time", 0.0)) - start) * rate)
    stream = streams[chosen]
    ends = [
        float(s["duration"]) + max(0.0, float(s.get("start_time", 0.0))) - start for s in [stream] if "duration" in s
    ]
    samples = samples[lead:]
    if facts["format"]["format_name"] in ("mpegts", "mpeg") and frames:
        # Of these ffmpeg takes the start of the tracks asked for; the clock here is that of the file, for all tracks.
        samples = np.concatenate([np.zeros(round((float(frames[0].get("pts_time", start)) - start) * rate)), samples])
    return (samples, rate, ends), erred


def eval_fraction(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


def differs(cell: Cell, wanted: Any, told: Any) -> str | None:
    """What is wrong, or None."""
    if cell.kind == "video":
        if len(wanted) != len(told):
            return f"{len(told)} frames for {len(wanted)}"
        steps = np.diff(wanted)
        half = float(np.median(steps)) / 2 if len(steps) else 0.02
        off = float(np.abs(np.array(wanted) - np.array(told)).max()) if len(told) else 0.0
        return f"a frame is {off * 1000:.0f} ms off" if off > half else None
    (samples, rate, ends), (ours, own_rate) = wanted, told
    if rate != own_rate:
        return f"rate {own_rate} for {rate}"
    length, exact = len(ours) / rate, len(samples) / rate
    fair = [exact, *ends, *cell.also]
    if min(abs(length - end) for end in fair) > cell.fair + 1.0 / rate:
        return f"{length:.4f} s for {' or '.join(f'{e:.4f}' for e in fair)}"
    width, reach = round(0.08 * rate), round(0.03 * rate)
    for begin in range(reach, min(len(samples), len(ours)) - width - reach, round(0.2 * rate)):
        there, here = samples[begin : begin + width], ours[begin - reach : begin + width + reach]
        level, own = float(np.sqrt(np.mean(there**2))), float(np.sqrt(np.mean(here[reach:-reach] ** 2)))
        if level < 1e-4:
            if own > 3e-3:
                return f"sound at {begin / rate:.2f} s where there is none"
            continue
        if own < 0.3 * level:
            return f"too little sound at {begin / rate:.2f} s"
        lags = np.correlate(here, there, "valid")
        energy = np.sqrt(np.convolve(here**2, np.ones(width), "valid") * np.sum(there**2)) + 1e-12
        lag = (int(np.argmax(lags / energy)) - reach) / rate
        if abs(lag) > cell.fair + 1.0 / rate:
            return f"{lag * 1000:+.1f} ms at {begin / rate:.2f} s"
    return None


# The readers


def mmcli_reads(path: Path, cell: Cell) -> Any:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, cell.kind)
    if cell.kind == "video":
        return [time for time, _ in clip.frames()]
    return clip.samples(), clip.rate


def soundfile_reads(path: Path, cell: Cell) -> Any:
    import soundfile

    data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return data.mean(axis=1), rate


def librosa_reads(path: Path, cell: Cell) -> Any:
    import warnings

    import librosa

    warnings.simplefilter("ignore")  # it says of every file that it tries another reader

    return librosa.load(path, sr=None, mono=True)


def pyav_reads(path: Path, cell: Cell) -> Any:
    import av

    with av.open(str(path)) as container:
        if cell.kind == "video":
            return [f.time for f in container.decode(video=0)]
        stream = container.streams.audio[0]
        parts, rate = [], stream.rate
        for frame in container.decode(stream):
            data = frame.to_ndarray()
            data = data.T if frame.format.is_planar else data.reshape(-1, len(frame.layout.channels))
            scale = 1.0 if data.dtype.kind == "f" else float(2 ** (8 * data.dtype.itemsize - 1))
            parts.append(((data.astype(np.float32) - (128 if data.dtype == np.uint8 else 0)) / scale).mean(axis=1))
        return np.concatenate(parts), rate


PEERS = {"soundfile": soundfile_reads, "librosa": librosa_reads, "PyAV loop": pyav_reads}
FOR_SOUND = ("soundfile", "librosa")  # which say nothing about pictures


@dataclass(frozen=True)
class Outcome:
    verdict: str  # right, refused, refused unfairly, wrong
    reason: str


def judged(path: Path, cell: Cell, wanted: Any, erred: bool, reads: Callable[[Path, Cell], Any]) -> Outcome:
    fair = cell.cut or erred
    try:
        told = reads(path, cell)
    except Exception as error:  # noqa: BLE001 - peers raise what they like; a refusal is a refusal
        return Outcome(
            "refused" if fair else "refused unfairly", str(error).splitlines()[0][:160] if str(error) else repr(error)
        )
    wrong = "ffmpeg reads nothing" if wanted is None else differs(cell, wanted, told)
    return Outcome("right" if wrong is None else "wrong", wrong or "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="", help="cells with this in their name")
    parser.add_argument(
        "--part", default="0/1", metavar="K/N", help="every N-th cell from K on: several run side by side"
    )
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    readers: dict[str, Callable[[Path, Cell], Any]] = {"mmcli": mmcli_reads, **(PEERS if asked.peers else {})}
    count: dict[str, Counter[str]] = {name: Counter() for name in readers}
    unmade = 0
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(exist_ok=True)
        sources(folder)
        part, parts = map(int, asked.part.split("/"))
        wanted_cells = [c for c in cells() if (c.light or not asked.light) and asked.only in c.name]
        for k, cell in enumerate(wanted_cells[part::parts]):
            path = folder / f"cell{k}.{cell.suffix}"
            try:
                run(cell.make, folder, path)
            except subprocess.CalledProcessError as error:
                unmade += 1
                print(f"not made  {cell.name}: {error.stderr.decode(errors='replace').strip()[-120:]}")
                continue
            wanted, erred = reference(path, cell)
            for name, reads in readers.items():
                if cell.kind == "video" and name in FOR_SOUND:
                    continue
                outcome = judged(path, cell, wanted, erred, reads)
                count[name][outcome.verdict] += 1
                if name == "mmcli" and outcome.verdict != "right":
                    print(f"{outcome.verdict:9} {cell.name}: {outcome.reason}", flush=True)
            if not asked.keep:
                path.unlink()
    print(f"{'':12} {'cells':>6} {'right':>6} {'refused':>8} {'unfairly':>9} {'wrong':>6}")
    for name, c in count.items():
        print(f"{name:12} {sum(c.values()):6} {c['right']:6} {c['refused']:8} {c['refused unfairly']:9} {c['wrong']:6}")
    if unmade:
        print(f"{unmade} cells could not be made by the tools here")


if __name__ == "__main__":
    print(shlex.join(TOOLS))
    main()
