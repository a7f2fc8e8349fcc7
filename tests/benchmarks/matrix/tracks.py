"""Sound in containers: alone and beside pictures, late, cut, copied, live, with lost packets, one of several tracks."""

from __future__ import annotations

from collections.abc import Iterator

from matrix.cell import CUT, FAIR, FF, Cell

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


def tracks() -> Iterator[Cell]:
    for suffix, codecs in TAKES.items():
        for codec in codecs.split():
            source = "t" if codec not in ("libopus",) and suffix not in ("3gp", "m2ts") else "s"
            sound, tag = f"-i $D/{source}.wav", f"{suffix} {codec}"
            track = f"-c:a {codec} -strict -2"
            yield Cell(tag, suffix, f"{FF} {sound} {track} $O")
            yield Cell(f"{tag} cut", suffix, f"{FF} {sound} {track} $O{CUT}", cut=True)
            if suffix not in ("m4a", "mka"):
                film = f"-c:v {OF_FILM[suffix]} -g 10 -shortest"
                both = f"-i $D/p.nut {sound} -map 0:v -map 1:a {film} {track}"
                late = f"-i $D/p.nut -itsoffset 0.73 {sound} -map 0:v -map 1:a {film} {track}"
                yield Cell(f"{tag} film", suffix, f"{FF} {both} $O")
                yield Cell(f"{tag} film cut", suffix, f"{FF} {both} $O{CUT}", cut=True)
                if suffix not in ("avi",):
                    yield Cell(f"{tag} late", suffix, f"{FF} {late} $O")
                if suffix in ("mp4", "mov", "mkv", "webm", "ts"):
                    yield Cell(f"{tag} starts at 2.5", suffix, f"{FF} {both} -output_ts_offset 2.5 $O")
                    rest = f"{FF} {both} $D/w.{suffix}; {FF} -ss 1.3 -i $D/w.{suffix} -c copy -strict -2 $O"
                    yield Cell(f"{tag} copied", suffix, rest)
            if suffix in ("mkv", "webm", "mp4", "ts", "flv", "mka"):
                drop = {"one": "eq(n\\,33)", "many": "eq(mod(n\\,7)\\,3)", "gap": "between(n\\,20\\,60)"}
                for name, which in drop.items():
                    lost = f"{FF} {sound} {track} -bsf:a noise=drop='{which}' $O"
                    yield Cell(f"{tag} lost {name}", suffix, lost)
            if suffix in LIVE:
                form = {"mka": "matroska", "mkv": "matroska", "ts": "mpegts"}.get(suffix, suffix)
                yield Cell(f"{tag} live", suffix, f"{FF} {sound} {track} -f {form} - | cat > $O")
            if suffix in ("mp4", "mov", "ts"):
                early = f"{FF} {sound} {track} -output_ts_offset -0.7 -avoid_negative_ts disabled $O"
                yield Cell(f"{tag} starts at -0.7", suffix, early)
            if suffix in ("mp4", "mov", "m4a") and codec != "ac3":  # of AC-3 ffmpeg writes no fragments
                parts = f"{FF} {sound} {track} -movflags frag_keyframe+empty_moov -frag_duration 500000 $O"
                yield Cell(f"{tag} fragments", suffix, parts)
                yield Cell(f"{tag} fragments cut", suffix, f"{parts}{CUT}", cut=True)
                front = f"{FF} {sound} {track} -movflags faststart $O"
                yield Cell(f"{tag} index first cut", suffix, f"{front}{CUT}", cut=True)
            if suffix in ("mkv", "mp4", "webm", "mov"):
                two = (
                    f"{FF} {sound} -i $D/q.wav -map 0:a -map 1:a {track} -disposition:a:0 0 -disposition:a:1 default $O"
                )
                yield Cell(f"{tag} second is default", suffix, two)
        if suffix in ("mkv", "webm"):
            for codec in codecs.split():
                source = "s" if codec == "libopus" else "t"
                first = f"{FF} -i $D/{source}.wav -c:a {codec} -strict -2 $D/w.mkv"
                merged = f"{first}; mkvmerge -q -o $O $D/w.mkv"
                yield Cell(f"mkvmerge {suffix} {codec}", suffix, merged)
                yield Cell(f"mkvmerge {suffix} {codec} cut", suffix, f"{merged}{CUT}", cut=True)
                again = f"{first}; mkvmerge -q -o $D/m.mkv -y 0:730 $D/w.mkv; {FF} -i $D/m.mkv -c copy -strict -2 $O"
                yield Cell(f"mkvmerge {suffix} {codec} copied", suffix, again)
                yield Cell(
                    f"mkvmerge {suffix} {codec} delay",
                    suffix,
                    f"{first}; {FF} -i $D/p.nut -c:v libvpx $D/v.webm; mkvmerge -q -o $O $D/v.webm -y 0:730 $D/w.mkv",
                    # mkvmerge laces packets of PCM and steps their times by whole milliseconds: up to 2 ms from the
                    # truth, at which the clock of ffmpeg jumps. Here the sound lies 0.8 ms from where it belongs.
                    fair=0.002 if codec == "pcm_s16le" else FAIR,
                )


def packets() -> Iterator[Cell]:
    """Packets of 1 to 60 ms, of which one, some in a row, or every seventh is lost on the way."""
    drop = {"one": "eq(n\\,33)", "many": "eq(mod(n\\,7)\\,3)", "gap": "between(n\\,20\\,33)"}
    for name, which in drop.items():
        lost = f"-bsf:a noise=drop='{which}' $O"
        for suffix in ("mkv", "webm", "mp4"):
            for length in ("2.5", "5", "10", "40", "60"):
                track = f"-c:a libopus -frame_duration {length} -strict -2"
                yield Cell(f"{suffix} libopus {length} ms lost {name}", suffix, f"{FF} -i $D/s.wav {track} {lost}")
        for length, count in (("1", 48), ("5", 240), ("10", 480), ("50", 2400)):
            track = f"-af asetnsamples=n={count}:p=0 -c:a pcm_s16le"
            yield Cell(f"mkv pcm_s16le {length} ms lost {name}", "mkv", f"{FF} -i $D/s.wav {track} {lost}")
        yield Cell(f"3gp amr lost {name}", "3gp", f"sox $D/u.wav -t amr-nb $D/x; {FF} -f amr -i $D/x -c:a copy {lost}")
    yield Cell("3gp amr", "3gp", f"sox $D/u.wav -t amr-nb $D/x; {FF} -f amr -i $D/x -c:a copy $O")
