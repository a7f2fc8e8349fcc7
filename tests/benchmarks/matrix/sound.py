# ruff: noqa: E501 - a cell is a line
"""Files of sound alone: plain samples and their headers, mp3, ogg, FLAC."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from matrix.cell import CUT, FF, IN, JOIN, LEN_S, Cell


def plain() -> Iterator[Cell]:
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
        if "bext" not in more:
            yield Cell(f"{tag} cut", suffix, f"{FF} -i $D/t.wav -c:a {codec} {more} $O{CUT}", cut=True)
        if suffix in ("wav", "au", "caf") and not more and codec in ("pcm_s16le", "pcm_s16be", "pcm_f32le"):
            form = suffix
            yield Cell(f"{tag} pipe", suffix, f"{IN} -c:a {codec} -f {form} - | cat > $O")
    for form, codec in itertools.product(("wav", "aiff", "au", "w64"), ("-b 16", "-b 24", "-e float -b 32")):
        if form == "aiff" and "float" in codec:
            continue
        yield Cell(f"sox {form} {codec}", form, f"sox $D/t.wav {codec} $O")
        yield Cell(f"sox {form} {codec} cut", form, f"sox $D/t.wav {codec} $O{CUT}", cut=True)
    yield Cell("sox wav pipe", "wav", "sox $D/t.wav -t wav - | cat > $O")
    yield Cell("sox voc", "voc", "sox $D/t.wav $O")
    for codec, suffix, source in (
        ("ac3", "ac3", "s"), ("eac3", "eac3", "s"), ("wavpack", "wv", "t"), ("tta", "tta", "t"), ("mp2", "mp2", "s"),
        ("wmav2", "wma", "t"), ("wmav1", "wma", "t"), ("aac", "aac", "s"), ("aac", "aac", "t"), ("dca -strict -2", "dts", "s"),
    ):  # fmt: skip
        yield Cell(f"{suffix} {codec} {source}", suffix, f"{FF} -i $D/{source}.wav -c:a {codec} $O")
        yield Cell(f"{suffix} {codec} {source} cut", suffix, f"{FF} -i $D/{source}.wav -c:a {codec} $O{CUT}", cut=True)
    yield Cell("amr", "amr", "sox $D/u.wav -t amr-nb $O")


def mp3() -> Iterator[Cell]:
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
            yield Cell(f"mp3 {rate} cut {tag}", "mp3", f"{make} {tag} $O{CUT}", cut=True)
        yield Cell(f"mp3 {rate} id3v1", "mp3", f"{make} -write_id3v1 1 -metadata title=x $O")
        two = f"{make} -write_xing 0 -f mp3 $D/x; {make} -write_xing 0 -id3v2_version 3 -metadata title=x -f mp3 $D/y; {JOIN}"
        yield Cell(f"mp3 {rate} id3 in the middle", "mp3", two)
        yield Cell(f"mp3 {rate} copied", "mp3", f"{make} -f mp3 $D/x; {FF} -ss 1.5 -f mp3 -i $D/x -c copy $O")


def ogg() -> Iterator[Cell]:
    for codec, source in itertools.product(("libvorbis", "libopus", "flac", "libspeex"), "st"):
        suffix = "opus" if codec == "libopus" else "ogg"
        more = "-ar 16000 -ac 1" if codec == "libspeex" else ""
        make = f"{FF} -i $D/{source}.wav -c:a {codec} {more}"
        yield Cell(f"ogg {codec} {source}", suffix, f"{make} $O")
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


def flac() -> Iterator[Cell]:
    for source, depth in itertools.product("stu", ("s16", "s32")):
        make = f"{FF} -i $D/{source}.wav -c:a flac -sample_fmt {depth}"
        tag = f"flac {depth} {source}"
        yield Cell(tag, "flac", f"{make} $O")
        yield Cell(f"{tag} pipe", "flac", f"{make} -f flac - | cat > $O")
        yield Cell(f"{tag} cut", "flac", f"{make} $O{CUT}", cut=True)
        yield Cell(f"{tag} copied", "flac", f"{make} -f flac $D/x; {FF} -ss 1.5 -i $D/x -c copy $O")
