# ruff: noqa: E501 - a cell is a line
"""Moving pictures: codecs with frames out of order, uneven rates, late beginnings."""

from __future__ import annotations

from collections.abc import Iterator

from matrix.cell import CUT, FF, Cell

PICTURES = {
    "mp4": "libx264 libx265 libvpx-vp9 libsvtav1 mpeg4 mjpeg",
    "mov": "libx264 libx265 mpeg4 mjpeg",
    "mkv": "libx264 libx265 libvpx-vp9 libsvtav1 mpeg2video mjpeg",
    "webm": "libvpx libvpx-vp9 libsvtav1",
    "avi": "libx264 mpeg4 mjpeg mpeg2video",
    "ts": "libx264 libx265 mpeg2video",
    "mts": "libx264",
    "m2ts": "libx264",
    "mpg": "mpeg2video mpeg1video",
    "flv": "libx264 flv",
    "wmv": "wmv2",
    "3gp": "mpeg4",
}


def pictures() -> Iterator[Cell]:
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
            yield Cell(f"{tag} cut", suffix, f"{FF} -i $D/p.nut {track} $O{CUT}", "video", cut=True)
            yield Cell(f"{tag} with sound", suffix, f"{FF} -i $D/p.nut -i $D/s.wav {track} -strict -2 $O", "video")
            if suffix in ("mp4", "mov", "ts"):
                early = f"{FF} -i $D/p.nut {track} -output_ts_offset -0.7 -avoid_negative_ts disabled $O"
                yield Cell(f"{tag} starts at -0.7", suffix, early, "video")
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
