"""Everything wrong with json and with manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fuzz_seeds

from mmcli.artifacts.io import jsonfile


def json_cases() -> Iterator[tuple[str, bytes]]:
    """Everything wrong with json, and with an alignment."""
    seed = json.loads(fuzz_seeds.formats()["alignment"].seed)
    del seed["content_sha256"]

    def changed(**keys: Any) -> bytes:
        content = seed | keys
        return json.dumps({key: value for key, value in content.items() if value is not ...}).encode()

    whole = changed()
    yield "sound-without-seal", whole
    yield "sound-with-mark", b"\xef\xbb\xbf" + whole
    yield "nan", whole.replace(b"12.125", b"NaN")
    yield "infinity", whole.replace(b"12.125", b"-Infinity")
    yield "1e999", whole.replace(b"12.125", b"1e999")
    yield "5000-digits", whole.replace(b"12.125", b"1" * 5000)
    yield "beyond-64-bits", whole.replace(b"12.125", b"9223372036854775808")
    yield "key-twice", whole.replace(b'"cost": 12.125', b'"cost": 12.125, "cost": 1')
    yield "deep-arrays", b'{"schema": ' + b"[" * 20_000
    yield "deep-objects", b'{"schema": ' + b'{"a":' * 2_000 + b"1" + b"}" * 2_001
    yield "65-deep", changed(runner_up=_nested(65))
    yield "latin-1", whole.replace(b"clear", b"cl\xe9ar")
    yield "utf-16", whole.decode().encode("utf-16")
    yield "surrogate", whole.replace(b'"clear"', b'"\\ud800"')
    yield "rest", whole + b"{}"
    yield "array", b"[" + whole + b"]"
    yield "null", b"null"
    yield "empty", b""
    yield "nul", b"\0" * 64
    yield "wrong-seal", changed(content_sha256="0" * 64)
    yield "seal-no-text", changed(content_sha256=1)
    yield "unknown-key", changed(pathh=[])
    yield "missing-key", changed(knots=...)
    yield "later-schema", changed(schema="mmcli/alignment@2")
    yield "model-unknown", changed(model="spline")
    yield "model-list", changed(model=[])
    yield "knots-ragged", changed(knots=[[0, 0], [1]])
    yield "knots-deeper", changed(knots=[[[0, 0], [1, 1]], [[2, 2], [3, 3]]])
    yield "knots-words", changed(knots=[["0", "0"], ["1", "1"]])
    yield "knots-bools", changed(knots=[[False, False], [True, True]])
    yield "knots-one", changed(knots=[[0, 0]], confidence_s=None)
    yield "knots-none", changed(knots=[], confidence_s=None, segments=...)
    yield "knots-backwards", changed(knots=[[0, 0], [2, 2], [1, 1], [4, 4]])
    yield "knots-standing", changed(knots=[[0, 0], [1, 1], [1, 1], [4, 4]], breaks=[])
    yield "knots-standing-far-from-the-break", changed(knots=[[0, 0], [1, 4], [1, 5], [4, 6]])
    yield "confidence-too-few", changed(confidence_s=[0.1])
    yield "confidence-negative", changed(confidence_s=[0.1, -0.1, 0.1, 0.1])
    yield "break-backwards", changed(breaks=[{"side": "query", "start": 2.5, "end": 1.5}])
    yield "break-side", changed(breaks=[{"side": "left", "start": 1.5, "end": 2.5}])
    yield "path-negative", changed(path=[[0, 0], [-1, 1]])
    yield "path-backwards", changed(path=[[0, 0], [1, 1], [0, 2]])
    yield "path-standing", changed(path=[[0, 0], [0, 0]])
    yield "path-fractions", changed(path=[[0.0, 0.0], [1.5, 1.0]])
    yield "path-empty", changed(path=[])
    line = {"rate": 1, "offset_s": 0, "ppm": 0, "knots": [[0, 0], [1.5, 1]], "confidence_s": None}
    yield "rate-for-warp", changed(rate=1.0)
    yield "rate-missing", changed(model="affine")
    yield "rate-for-offset", changed(model="offset", **(line | {"rate": 1.5, "ppm": 500_000}))
    yield "rate-negative", changed(model="affine", **(line | {"rate": -1, "ppm": -2_000_000}))
    yield "ppm-disagrees", changed(model="affine", **(line | {"rate": 1.5, "ppm": 500}))
    yield "knot-off-the-line", changed(model="offset", **(line | {"offset_s": 1, "knots": [[0, 0], [1, 1]]}))
    nowhere = {"kind": "word", "text": "a", "start": None, "end": None, "score": None, "spoken": True}
    yield "segment-spoken-nowhere", changed(segments=[nowhere])
    yield "end-negative", changed(query={"name": "q", "sha256": None, "duration_s": -1})
    yield "hash-short", changed(query={"name": "q", "sha256": "abc", "duration_s": None})


def report_cases() -> Iterator[tuple[str, bytes]]:
    """Wrong reports and fitted states: the seal fits, the content does not."""
    sound = {"schema": "mmcli/report@1", "mmcli": "0.1.0"} | fuzz_seeds.report_value()
    yield "report-sound", jsonfile.dumps_sealed(sound)
    yield "report-no-seal", json.dumps(sound).encode()
    yield "report-metric-no-value", jsonfile.dumps_sealed(sound | {"metrics": {"accuracy": {"n": 3}}})
    backwards = {"accuracy": {"value": 0.5, "interval": [0.9, 0.1], "n": 3}}
    yield "report-interval-backwards", jsonfile.dumps_sealed(sound | {"metrics": backwards})
    yield "report-interval-of-3", jsonfile.dumps_sealed(sound | {"metrics": {"a": {"value": 1, "interval": [1, 2, 3]}}})
    yield "report-verdict-mute", jsonfile.dumps_sealed(sound | {"verdict": {"gain": 1}})
    yield "report-item-twice", jsonfile.dumps_sealed(sound | {"items": [{"id": "a"}, {"id": "a"}]})
    yield "report-item-nameless", jsonfile.dumps_sealed(sound | {"items": [{"label": "a"}]})
    yield "report-metrics-list", jsonfile.dumps_sealed(sound | {"metrics": []})
    fitted = {"schema": "mmcli/fitted@1", "mmcli": "0.1.0", "config_sha256": "0" * 64} | fuzz_seeds.fitted_value()
    yield "fitted-other-config", jsonfile.dumps_sealed(fitted)


def manifest_cases() -> Iterator[tuple[str, bytes]]:
    """Wrong manifests."""
    yield "sound.csv", fuzz_seeds.csv_bytes()
    yield "sound-mark-and-crlf.csv", b"\xef\xbb\xbfid,audio\r\na,x.wav\r\n\r\nb,\r\n"
    yield "sound.jsonl", b'{"mmcli": {"schema": "mmcli/manifest@1"}}\n{"id": "a", "num.x": 1.5, "label": null}\n'
    ids = {
        "above": "../a",
        "inside-above": "a/../../b",
        "absolute": "/etc/passwd",
        "empty-part": "a//b",
        "dot": "a/./b",
        "folder": "a/",
        "backslash": "a\\b",
        "escape": "a\x1b[31m",
        "nul": "a\0b",
        "newline": "a\nb",
        "line-separator": "a\u2028b",
        "201-bytes": "a" * 201,
        "1025-bytes": "/".join(["a" * 99] * 11),
        "empty": "",
    }
    for name, item in ids.items():
        yield f"id-{name}.jsonl", json.dumps({"id": item}).encode() + b"\n"
    yield "id-twice.csv", b"id\na\nb\na\n"
    yield "id-missing.csv", b"name,audio\na,x.wav\n"
    yield "id-missing.jsonl", b'{"id": "a"}\n{"audio": "x.wav"}\n'
    yield "id-list.jsonl", b'{"id": ["a"]}\n'
    for name, path in {
        "above": "../x.wav",
        "absolute": "/etc/passwd",
        "escape": "x\x1b.wav",
        "row-above": "../x.npy#1",
    }.items():
        yield f"path-{name}.jsonl", json.dumps({"id": "a", "audio": path}).encode() + b"\n"
    yield "path-map-above.jsonl", b'{"id": "a", "map.audio": "../m.json"}\n'
    yield (
        "root-of-the-machine.jsonl",
        b'{"mmcli": {"schema": "mmcli/manifest@1", "root": "/"}}\n{"id": "a", "audio": "etc/passwd"}\n',
    )
    yield "header-later.jsonl", b'{"mmcli": {"schema": "mmcli/manifest@2"}}\n{"id": "a"}\n'
    yield "header-twice.jsonl", b'{"mmcli": {"schema": "mmcli/manifest@1"}}\n' * 2 + b'{"id": "a"}\n'
    yield "header-only.jsonl", b'{"mmcli": {"schema": "mmcli/manifest@1"}}\n'
    yield "column-twice.csv", b"id,audio,audio\na,x.wav,y.wav\n"
    yield "column-empty.csv", b"id,\na,b\n"
    yield "column-path.csv", b"id,audio.../x\na,x.wav\n"
    yield "column-escape.csv", b"id,\x1b[2J\na,b\n"
    yield "column-map-of-nothing.csv", b"id,map.\na,m.json\n"
    yield "cells-too-few.csv", b"id,audio,label\na,x.wav\n"
    yield "cells-too-many.csv", b"id,audio\na,x.wav,y.wav\n"
    yield "quote-open.csv", b'id,audio\na,"x.wav\nb,y.wav\n'
    yield "quote-rest.csv", b'id,audio\na,"x"y.wav\n'
    yield "nul.csv", b"id,audio\na,x\0.wav\n"
    yield "carriage-return.csv", b"id,audio\na,x\rb,y\n"
    yield "sound-utf-16.csv", "id,audio\na,x.wav\n".encode("utf-16")
    yield "latin-1.csv", b"id,label\na,caf\xe9\n"
    yield "time-backwards.csv", b"id,audio,start,end\na,x.wav,2,1\n"
    yield "time-negative.csv", b"id,audio,start\na,x.wav,-1\n"
    yield "time-nan.csv", b"id,audio,start\na,x.wav,nan\n"
    yield "number-infinite.csv", b"id,num.x\na,inf\n"
    yield "number-word.csv", b"id,num.x\na,many\n"
    yield "split-unknown.csv", b"id,split\na,holdout\n"
    yield "label-escape.jsonl", b'{"id": "a", "label": "\\u001b[2J"}\n'
    yield "torn.jsonl", b'{"id": "a"}\n{"id": "b", "lab'
    yield "nested.jsonl", b'{"id": "a", "extra": {"b": 1}}\n'
    yield "nan.jsonl", b'{"id": "a", "num.x": NaN}\n'
    yield "array.jsonl", b'["a"]\n'
    yield "empty.csv", b""
    yield "blank.jsonl", b"\n\n\n"


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value
