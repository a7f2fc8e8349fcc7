"""Makes the hostile files of this folder: each is one way in which a file can lie to a loader.

    python tests/golden/hostile/make_hostile.py

A name starts with the format it claims to be; names with ``sound`` have to load, all others have to be refused. Files
that would be large are made by :func:`bombs`, at test time.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "artifacts")]

import fuzz_seeds  # noqa: E402
from hostile_npz import dataset_cases, feature_cases, features, meta, raw_npy, text, zip_deflated  # noqa: E402
from hostile_pt import checkpoint_cases, repacked  # noqa: E402
from hostile_text import json_cases, manifest_cases, report_cases  # noqa: E402


def bombs() -> dict[str, bytes]:
    """Files of about a megabyte that stand for much more, or for very many small things."""
    header = b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 25) + b" " * (1 << 25)
    huge = raw_npy("'<f4'", f"({1 << 21}, 4)", bytes(1 << 25))
    numbers = b"[" + b"1.5," * 250_000 + b"1]"
    opening = b'{"schema": "mmcli/features@1", "mmcli": "0", "notes": '
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for index in range(9_000):
            archive.writestr(zipfile.ZipInfo(f"{index}.npy"), b"")
    pickled = b"\x80\x02" + b"}" * 300_000 + b"."
    marks = b"\x80\x02" + b"(" * 300_000 + b"."
    calls = b"\x80\x02ccollections\nOrderedDict\nq\x00" + b"h\x00)R" * 100_000 + b"."
    sound = fuzz_seeds.checkpoint_format().seed
    return {
        "features-deflated-header.npz": zip_deflated(
            [("values.npy", header), ("times.npy", b""), ("meta.npy", meta())]
        ),
        "features-deflated-data.npz": zip_deflated([("values.npy", huge), ("times.npy", b""), ("meta.npy", meta())]),
        "features-many-members.npz": many.getvalue(),
        "features-meta-lists.npz": features(meta=text((opening + b"[" + b"[]," * 80_000 + b"[]]}").decode())),
        "alignment-numbers.json": b'{"schema": ' + numbers + b"}",
        "alignment-lists.json": b'{"schema": [' + b"[]," * 333_000 + b"[]]}",
        "alignment-objects.json": b'{"schema": [' + b"{}," * 333_000 + b"{}]}",
        "alignment-open.json": b"[" * 1_000_000,
        "alignment-keys.json": b'{"schema": 1,' + b",".join(b'"%x":1' % i for i in range(100_000)) + b"}",
        "alignment-text.json": b'{"schema": "' + b"\\u00e9" * 160_000 + b'"}',
        "manifest-short-rows.csv": b"id\n" + b"\n".join(b"%x" % i for i in range(170_000)),
        "manifest-short-rows.jsonl": b"\n".join(b'{"id":"%x"}' % i for i in range(20_000)),
        "manifest-commas.csv": b"id" + b"," * 1_000_000,
        "manifest-columns.jsonl": b"{" + b",".join(b'"%x":1' % i for i in range(100_000)) + b"}\n",
        "manifest-one-line.csv": b"id,x\na," + b"x" * 1_000_000 + b"\n",
        "manifest-blank-lines.csv": b"id\na\n" + b"\n" * 1_000_000,
        "checkpoint-dicts.pt": repacked(sound, replace=("archive/data.pkl", pickled)),
        "checkpoint-marks.pt": repacked(sound, replace=("archive/data.pkl", marks)),
        "checkpoint-calls.pt": repacked(sound, replace=("archive/data.pkl", calls)),
    }


def cases() -> dict[str, bytes]:
    """All small files by name."""
    files = {f"features-{name}.npz": data for name, data in feature_cases()}
    files |= {f"dataset-{name}.npz": data for name, data in dataset_cases()}
    files |= {f"alignment-{name}.json": data for name, data in json_cases()}
    files |= {f"{name}.json": data for name, data in report_cases()}
    files |= {f"manifest-{name}": data for name, data in manifest_cases()}
    files |= {f"checkpoint-{name}.pt": data for name, data in checkpoint_cases()}
    return files


if __name__ == "__main__":
    for filename, content in cases().items():
        (HERE / filename).write_bytes(content)
