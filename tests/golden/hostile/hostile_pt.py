"""Everything wrong with a checkpoint."""

from __future__ import annotations

import io
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import fuzz_seeds
import torch
from fuzz_mutants import stored
from hostile_npz import Evil, Member, zip_deflated


def checkpoint_cases() -> Iterator[tuple[str, bytes]]:
    """Wrong checkpoints."""
    sound = fuzz_seeds.checkpoint_format().seed
    config = json.dumps(fuzz_seeds.checkpoint_value().config)
    weight = torch.ones(2, 3)
    torch.manual_seed(0)
    yield "sound", sound

    def saved(value: Any, **how: Any) -> bytes:
        memory = io.BytesIO()
        torch.save(value, memory, **how)
        return memory.getvalue()

    def tensors(**named: Any) -> bytes:
        return saved({"config": config, "tensors": named})

    yield "runs-a-command", saved({"config": config, "tensors": {"w": Evil()}})
    yield (
        "runs-a-command-legacy",
        saved({"config": config, "tensors": {"w": Evil()}}, _use_new_zipfile_serialization=False),
    )
    yield "runs-a-command-bare", pickle.dumps(Evil())
    yield "legacy-format", saved({"config": config, "tensors": {"w": weight}}, _use_new_zipfile_serialization=False)
    yield "sparse", tensors(w=torch.eye(3).to_sparse())
    yield "sparse-broken", tensors(w=_sparse_out_of_range())
    with warnings.catch_warnings(action="ignore"):  # deprecated, and still in the files of others
        quantised = torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)
    yield "quantised", tensors(w=quantised)
    yield "expanded-to-4-TB", tensors(w=torch.ones(1).expand(1_000_000, 1_000_000))
    yield "a-corner-of-its-storage", tensors(w=torch.ones(1000)[:1])
    yield "shared", tensors(a=weight, b=weight)
    yield "transposed", tensors(w=weight.t())
    yield "nan", tensors(w=torch.tensor([1.0, float("nan")]))
    yield "infinite", tensors(w=torch.tensor([float("inf")]))
    yield "complex", tensors(w=torch.ones(2, dtype=torch.complex64))
    yield "on-meta", tensors(w=torch.ones(2, device="meta"))
    yield "parameter", tensors(w=torch.nn.Parameter(weight))
    yield "name-no-text", saved({"config": config, "tensors": {1: weight}})
    yield "tensors-list", saved({"config": config, "tensors": [weight]})
    yield "a-plain-state-dict", saved({"w": weight})
    yield "a-lone-tensor", saved(weight)
    yield "a-module", saved(torch.nn.Linear(2, 2))
    yield "third-key", saved({"config": config, "tensors": {}, "extra": 1})
    yield "config-dict", saved({"config": {}, "tensors": {}})
    yield "config-no-json", saved({"config": "x", "tensors": {}})
    yield "config-unknown-key", saved({"config": config[:-1] + ', "x": 1}', "tensors": {}})
    yield "config-missing-key", saved({"config": "{}", "tensors": {}})
    yield "config-deep", saved({"config": '{"schema":' + "[" * 5000 + "]" * 5000 + "}", "tensors": {}})
    yield "sound-folder-bit", _folder_bit(sound)
    yield "flipped-bit", sound.replace(torch.arange(6.0).sub(2.5).numpy().tobytes(), bytes(24))
    yield "deflated", repacked(sound, compression=zipfile.ZIP_DEFLATED)
    yield "two-archives", sound + repacked(sound, drop="archive/version")
    yield "torchscript", repacked(sound, extra=("archive/constants.pkl", b"\x80\x02)."))
    yield "other-byte-order", repacked(sound, replace=("archive/byteorder", b"big"))
    yield "bytearray-of-4-GB", repacked(sound, replace=("archive/data.pkl", _call(b"builtins\nbytearray\n", 1 << 32)))
    yield "builds-an-object", repacked(sound, replace=("archive/data.pkl", b"\x80\x02}}b."))
    yield "storage-short", repacked(sound, replace=("archive/data/0", bytes(4)))
    yield "storage-long", repacked(sound, replace=("archive/data/0", bytes(4000)))
    yield "storage-unused", repacked(sound, extra=("archive/data/9", bytes(4)))
    yield "storage-missing", repacked(sound, drop="archive/data/0")
    yield "empty", b""


def repacked(
    data: bytes,
    *,
    drop: str | None = None,
    extra: Member | None = None,
    replace: Member | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """A checkpoint's archive with one member changed and all checksums right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {entry.filename: archive.read(entry) for entry in archive.infolist() if entry.filename != drop}
    members |= dict([pair for pair in (extra, replace) if pair is not None])
    if compression != zipfile.ZIP_STORED:
        return zip_deflated(list(members.items()))
    return stored(list(members.items()))


def _folder_bit(data: bytes) -> bytes:
    """Mark the first tensor as a folder: torch then reads nothing into its memory."""
    at = data.rindex(b"archive/data/0") - 46 + 38
    return data[:at] + b"\x10" + data[at + 1 :]


def _call(function: bytes, argument: int) -> bytes:
    return b"\x80\x02c" + function + b"\x8a\x08" + struct.pack("<q", argument) + b"\x85R."


def _sparse_out_of_range() -> Any:
    return torch.sparse_coo_tensor(torch.tensor([[100]]), torch.ones(1), (2,), check_invariants=False)
