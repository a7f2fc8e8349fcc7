"""Sound files, as small as they come: what the search and the mutants start from."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np


def wav() -> list[bytes]:
    import soundfile

    made = []
    rng = np.random.default_rng(1)
    for subtype, channels in (("PCM_16", 1), ("PCM_16", 2), ("PCM_U8", 1), ("FLOAT", 1), ("PCM_24", 2)):
        out = io.BytesIO()
        soundfile.write(out, rng.uniform(-0.5, 0.5, (64, channels)), 8000, format="WAV", subtype=subtype)
        made.append(out.getvalue())
    return made


def png() -> list[bytes]:
    from PIL import Image

    rng = np.random.default_rng(2)
    made = []
    for mode, shape in (("L", (5, 7)), ("RGB", (5, 7, 3)), ("RGBA", (4, 3, 4)), ("I;16", (4, 3)), ("1", (9, 9))):
        out = io.BytesIO()
        picture = Image.fromarray(rng.integers(0, 255, shape).astype(np.uint16 if mode == "I;16" else np.uint8))
        (picture.convert(mode) if mode in ("1",) else picture).save(out, "PNG")
        made.append(out.getvalue())
    return made


def npz() -> list[bytes]:
    made = []
    for arrays in (
        {"time": np.arange(4.0), "x": np.arange(4, dtype=np.float32)},
        {"values": np.arange(6, dtype=np.int16).reshape(3, 2)},
        {"a": np.zeros(2, bool), "b": np.ones((2, 1), np.uint8)},
    ):
        for save in (np.savez, np.savez_compressed):
            out = io.BytesIO()
            save(out, **arrays)  # type: ignore[operator]
            made.append(out.getvalue())
    return made


def maps() -> list[bytes]:
    sha = "0123456789abcdef" * 4
    base: dict[str, Any] = {
        "schema": "mmcli/alignment@1", "mmcli": "0.1.0", "model": "offset", "offset_s": 0.5, "rate": 1.0, "ppm": 0.0,
        "knots": [[0.5, 0.0], [10.5, 10.0]], "breaks": [], "confidence_s": [0.01, 0.01],
        "quality": {"ratio": 3.0, "verdict": "match", "reason": "clear"}, "method": {"name": "offset", "config": {}},
        "cost": 0.0, "reference": {"name": "a.wav", "sha256": sha, "duration_s": 10.5},
        "query": {"name": "b.wav", "sha256": None, "duration_s": 10.0},
    }  # fmt: skip
    warped = base | {
        "model": "warp", "offset_s": None, "rate": None, "ppm": None, "knots": [[0.0, 0.25], [1.0, 1.5], [4.0, 4.75]],
        "confidence_s": None, "path": [[0, 0], [1, 1], [2, 1]], "exact": True,
    }  # fmt: skip
    words = base | {
        "segments": [{"kind": "word", "text": "one", "start": 0.5, "end": 1.0, "score": -1.0, "spoken": True}]
    }
    return [json.dumps(one).encode() for one in (base, warped, words)]


CUES = b"1\n00:00:01,000 --> 00:00:02,500\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\n<i>two</i>\nlines\n"
VTT = b"WEBVTT\n\nNOTE x\n\nid\n00:01.000 --> 00:02.500 align:start\n<v Ann>Hello</v>\n"
ASS = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    b"Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}Hello\\Nthere\n"
    b"Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,x\n"
)
GRID = (
    b'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2\ntiers? <exists>\nsize = 2\nitem []:\n'
    b'    item [1]:\n        class = "IntervalTier"\n        name = "words"\n        xmin = 0\n        xmax = 2\n'
    b"        intervals: size = 2\n        intervals [1]:\n            xmin = 0\n            xmax = 1\n"
    b'            text = "a ""b"""\n        intervals [2]:\n            xmin = 1\n            xmax = 2\n'
    b'            text = "c"\n    item [2]:\n        class = "TextTier"\n        name = "p"\n        xmin = 0\n'
    b"        xmax = 2\n        points: size = 1\n        points [1]:\n            number = 0.5\n"
    b'            mark = "x"\n'
)
SHORT_GRID = b'"ooTextFile"\n"TextGrid"\n0\n2\n<exists>\n1\n"IntervalTier"\n"w"\n0\n2\n1\n0\n2\n"a"\n'
ROWS = (
    b"id,split,label,group,start,end,audio,text_value,num.x,map.audio,city,error\n"
    b'a/1,train,yes,s1,0.5,2.0,w/a.wav,"one, ""two""\nthree",1.5,m.json,,\n'
    b"b,val,no,s2,,,all.npy#3,,,,K\xc3\xb6ln,\nc,test,no,s3,,,,,,,,c.mp4: is damaged\n"
)
LINES = (
    b'{"mmcli": {"schema": "mmcli/manifest@1"}}\n{"id": "a/1", "split": "train", "label": "yes", "audio": "a.wav"}\n'
    b'{"id": "b", "num.x": 1.5, "cat.c": "red", "text_value": "two\\nlines", "start": 1, "end": 2.5}\n'
)


def mid() -> list[bytes]:
    track = bytes.fromhex("00ff5103 07a120 00903c40 60803c00 00ff2f00".replace(" ", ""))
    head = b"MThd\0\0\0\x06\0\1\0\1\0\x60MTrk" + len(track).to_bytes(4, "big")
    return [head + track]


def sound(kind: str) -> list[bytes]:
    """A quarter of a second of a tone, and of noise, as ``kind``: flac, mp3, ogg, opus or m4a. Of the tone most bytes
    are headers, of the noise most are sound."""
    import soundfile

    rate = 16000
    tone = 0.4 * np.sin(np.arange(rate // 4) * 0.2)[:, None].repeat(2, axis=1)
    noise = np.random.default_rng(4).uniform(-0.5, 0.5, tone.shape)
    if kind == "m4a":
        return [_container("mp4", None, wave) for wave in (tone, noise)]
    subtype = {"flac": "PCM_16", "mp3": "MPEG_LAYER_III", "ogg": "VORBIS", "opus": "OPUS"}[kind]
    made = []
    for wave in (tone, noise):
        out = io.BytesIO()
        soundfile.write(out, wave, rate, format={"opus": "OGG"}.get(kind, kind.upper()), subtype=subtype)
        made.append(out.getvalue())
    return made


def film(form: str, codec: str) -> list[bytes]:
    """Four small pictures with a quarter of a second of sound, in a container of libav."""
    wave = 0.4 * np.sin(np.arange(4000) * 0.2)[:, None].repeat(2, axis=1)
    return [_container(form, codec, wave)]


def _container(form: str, codec: str | None, wave: Any) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        pictures = container.add_stream(codec, rate=10) if codec else None
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = 32, 16, "yuv420p"
        track = container.add_stream("libopus" if form == "webm" else "aac", rate=48000 if form == "webm" else 16000)
        track.layout = "stereo"
        for number in range(4 if pictures is not None else 0):
            picture = av.VideoFrame.from_ndarray(np.full((16, 32, 3), 40 * number, np.uint8), format="rgb24")
            picture.pts = number
            container.mux(pictures.encode(picture))
        if pictures is not None:
            container.mux(pictures.encode(None))
        fifo = av.AudioFifo()
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave.T, np.float32), format="fltp", layout="stereo")
        whole.sample_rate = track.rate
        resampler = av.AudioResampler(format=track.codec_context.format.name, layout="stereo", rate=track.rate)
        for part in resampler.resample(whole):
            part.pts = None
            fifo.write(part)
        at = 0
        if not track.codec_context.is_open:
            track.codec_context.open()
        while (part := fifo.read(track.codec_context.frame_size or 960, partial=True)) is not None:
            part.pts = at
            at += part.samples
            container.mux(track.encode(part))
        container.mux(track.encode(None))
    return out.getvalue()


def picture(kind: str) -> list[bytes]:
    """A coloured picture of a few pixels."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (9, 12, 3), dtype=np.uint8)).save(out, kind)
    return [out.getvalue()]


def npy() -> list[bytes]:
    """Two arrays, one of them with names."""
    made = []
    for array in (np.arange(6.0).reshape(3, 2), np.array([(0.0, 1), (1.0, 2)], [("t", "f8"), ("x", "i4")])):
        out = io.BytesIO()
        np.save(out, array)
        made.append(out.getvalue())
    return made
