"""One small sound file per format: what the mutations start from. Small, so that a load costs microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mmcli.artifacts.formats import alignment, dataset, features, fitted, manifest, report

HASH = "0123456789abcdef" * 4


class Format(NamedTuple):
    """A format's name, a sound file, and its two functions on bytes."""

    name: str
    seed: bytes
    loads: Callable[[bytes, str], Any]
    dumps: Callable[[Any], bytes]


def features_value() -> features.Features:
    values = np.array([[0.0, -0.0, 1.5], [1e-45, 3.4e38, -2.0], [7.0, 8.0, 9.0]], np.float32)
    meta = {
        "kind": "sequence",
        "modality": "audio",
        "config": {"bands": 3},
        "rate_hz": 10.0,
        "columns": ["a", "b", "ç"],
    }
    return features.Features(values, np.array([0.0, 0.1, 0.2]), meta)


def alignment_value() -> alignment.Alignment:
    return alignment.Alignment(
        model="warp",
        knots=np.array([[0.0, 0.25], [1.0, 1.5], [1.0, 2.5], [4.0, 4.75]]),
        breaks=[{"side": "query", "start": 1.5, "end": 2.5}],
        confidence_s=[0.01, 0.02, 0.02, 0.5],
        quality={"ratio": 2.5, "verdict": "good", "reason": "clear"},
        method={"name": "dtw", "config": {"metric": "euclidean"}},
        cost=12.125,
        reference={"name": "a.wav", "sha256": HASH, "duration_s": 4.0},
        query={"name": "b ü.wav", "sha256": None, "duration_s": 4.75},
        path=np.array([[0, 0], [1, 1], [1, 2], [2, 3]]),
        segments=[{"kind": "word", "text": "é", "start": 0.5, "end": 1.0, "score": -3.5, "spoken": True}],
        exact=True,
    )


def dataset_value() -> dataset.Dataset:
    audio = dataset.Stream(
        np.arange(8, dtype=np.float32).reshape(4, 2),
        np.array([0, 2, 2, 4]),
        np.array([0.0, 0.5, 0.0, 0.25]),
        np.array([True, False, True]),
        np.array([True, False, False]),
        {"kind": "sequence", "modality": "audio", "rate_hz": 2.0},
    )
    text = dataset.Stream(
        np.array([[1.0], [2.0], [3.0]], np.float32),
        np.array([0, 1, 3, 3]),
        np.array([0.0, 0.0, 1.0]),
        np.array([True, True, False]),
        None,
        {"kind": "tokens", "vocabulary_size": 9},
    )
    return dataset.Dataset(
        {"audio": audio, "text": text},
        ["a/1", "b", "ü"],
        ["train", "val", "test"],
        ["s1", "s2", ""],
        ["no", "yes", ""],
        [HASH, "", HASH[::-1]],
        {"task": "classify", "classes": ["no", "yes"], "normalisers": {"audio": {"center": [0.5, 1.0]}}, "seed": 3},
    )


def report_value() -> dict[str, Any]:
    return {
        "task": "classify",
        "metrics": {"accuracy": {"value": 0.75, "interval": [0.5, 0.9], "n": 4}, "auroc": {"value": None, "n": 4}},
        "verdict": {"text": "fusion helps", "gain": 0.08},
        "items": [
            {"id": "a", "label": "no", "prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}, "group": None},
            {"id": "b", "label": "ü", "prediction": "ü", "present": {"audio": True}},
        ],
        "integrity": {"duplicates": []},
        "reproduce": "mmcli evaluate m.pt d.npz -o r.json",
    }


def fitted_value() -> dict[str, Any]:
    return {
        "extractor": "tfidf",
        "config": {"terms": 3},
        "state": {"vocabulary": ["a", "b", "é"], "idf": [1.0, 1.5, 2.25]},
    }


def rows_value() -> list[manifest.Row]:
    row = manifest.Row
    return [
        row(
            "a/1",
            {"audio": "w/a.wav", "text_value": 'one, "two"\nthree', "num.x": "1.5"},
            "train",
            "yes",
            "s1",
            0.5,
            2.0,
        ),
        row("b", {"audio": "all.npy#3", "cat.c": "réd"}, "val", "no", "s2", extra={"city": "Köln"}),
        row("c", {"video": "c.mp4"}, "test", "no", "s3", error="c.mp4: is damaged"),
    ]


def csv_bytes() -> bytes:
    return (
        b"id,split,label,group,start,end,audio,text_value,num.x,city,error\n"
        b'a/1,train,yes,s1,0.5,2.0,w/a.wav,"one, ""two""\nthree",1.5,,\n'
        b"b,val,no,s2,,,all.npy#3,,,K\xc3\xb6ln,\n"
        b"c,test,no,s3,,,,,,,c.mp4: is damaged\n"
    )


def checkpoint_value() -> Any:
    import torch

    from mmcli.artifacts.formats.checkpoint import Checkpoint

    tensors = {
        "head.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) - 2.5,
        "head.steps": torch.tensor(7),
        "empty": torch.zeros(0, 3),
    }
    config = {
        "task": "classify",
        "model": {"width": 3},
        "classes": ["no", "ü"],
        "modalities": {"audio": {"kind": "sequence", "shape": [3], "rate_hz": 10.0}},
        "training": {"seed": 1},
    }
    return Checkpoint(tensors, config)


def _manifest(name: str, seed: bytes, suffix: str) -> Format:
    return Format(
        name, seed, lambda data, _: manifest.loads(data, "m" + suffix), lambda found: manifest.dumps(found.rows)
    )


def formats() -> dict[str, Format]:
    """Every format that needs no torch."""
    named = [
        Format("features", features.dumps(features_value()), features.loads, features.dumps),
        Format("dataset", dataset.dumps(dataset_value()), dataset.loads, dataset.dumps),
        Format("alignment", alignment.dumps(alignment_value()), alignment.loads, alignment.dumps),
        Format("report", report.dumps(report_value()), report.loads, report.dumps),
        Format("fitted", fitted.dumps(fitted_value()), fitted.loads, fitted.dumps),
        _manifest("ndjson", manifest.dumps(rows_value()), ".jsonl"),
        _manifest("csv", csv_bytes(), ".csv"),
    ]
    return {found.name: found for found in named}


def checkpoint_format() -> Format:
    from mmcli.artifacts.formats import checkpoint

    return Format("checkpoint", checkpoint.dumps(checkpoint_value()), checkpoint.loads, checkpoint.dumps)
