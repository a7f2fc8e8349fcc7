"""Everything wrong with an npz, on features and data sets."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

import fuzz_seeds
import numpy as np
from fuzz_mutants import stored

Member = tuple[str, bytes]


class Evil:
    """Runs a command when it is unpickled by a reader that trusts it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("touch /tmp/mmcli-hostile-file-ran",)


def npy(array: Any) -> bytes:
    """An array as ``.npy``."""
    memory = io.BytesIO()
    np.lib.format.write_array(memory, np.asarray(array), allow_pickle=True)
    return memory.getvalue()


def raw_npy(descr: str, shape: str, data: bytes = b"", *, order: str = "False", version: int = 1) -> bytes:
    """An array file with a header of our wording."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def meta(**changed: Any) -> bytes:
    """The meta member of features."""
    return text({"schema": "mmcli/features@1", "mmcli": "0.1.0"} | changed)


def text(value: Any) -> bytes:
    """A JSON text, or a text as it is, as an array of one string."""
    return npy(np.array(value if isinstance(value, str) else json.dumps(value)))


def features(**changed: bytes | None) -> bytes:
    """Sound features with some members replaced, added, or (None) left out."""
    members: dict[str, bytes | None] = {
        "values": npy(np.ones((2, 3), np.float32)),
        "times": npy(np.array([0.0, 0.5])),
        "meta": meta(),
    }
    members |= changed
    return stored([(f"{key}.npy", content) for key, content in members.items() if content is not None])


def feature_cases() -> Iterator[tuple[str, bytes]]:
    """Everything wrong with an npz, on features."""
    sound = features()
    plain: list[Member] = [("values.npy", npy(np.ones((2, 3), np.float32))), ("times.npy", npy(np.array([0.0, 0.5])))]
    yield "sound", sound
    yield "sound-fortran-order", features(values=npy(np.asfortranarray(np.ones((2, 3), np.float32))))
    yield "header-of-256-MiB", features(values=b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 28) + b"{" * 64)
    yield "header-of-10001", features(values=b"\x93NUMPY\x01\x00" + struct.pack("<H", 10_001) + b" " * 10_001)
    yield "header-version-9", features(values=b"\x93NUMPY\x09\x00" + npy(np.ones((2, 3), np.float32))[8:])
    yield "header-with-code", features(values=raw_npy("'<f4'", "(9**9**9,)"))
    yield "header-negative-shape", features(values=raw_npy("'<f4'", "(-2, 3)"))
    yield "header-shape-no-tuple", features(values=raw_npy("'<f4'", "(2)", bytes(8)))
    yield "header-structured", features(values=raw_npy("[('a', '<f4')]", "(2, 3)", bytes(24)))
    yield "header-4000-axes", features(values=b"\x93NUMPY\x01\x00" + _long_header())
    yield "shape-of-8-TB", features(values=raw_npy("'<f4'", "(1000000000000, 2)"))
    yield "shape-overflow", features(values=raw_npy("'<f4'", "(4294967296, 4294967296)"))
    yield "shape-too-short", features(values=raw_npy("'<f4'", "(2, 3)", bytes(20)))
    yield "shape-too-long", features(values=raw_npy("'<f4'", "(2, 3)", bytes(28)))
    yield "shape-no-frames", features(values=raw_npy("'<f4'", "(0, 1000000000000)"), times=npy(np.zeros(0)))
    yield "shape-no-width", features(values=raw_npy("'<f4'", "(2, 0)"))
    yield "shape-scalar", features(values=npy(np.float32(1)))
    yield "shapes-differ", features(times=npy(np.array([0.0, 0.5, 1.0])))
    yield "dtype-float64", features(values=npy(np.ones((2, 3))))
    yield "dtype-big-endian", features(values=npy(np.ones((2, 3), ">f4")))
    yield "dtype-complex", features(values=npy(np.ones((2, 3), np.complex64)))
    yield "dtype-object", features(values=npy(np.array([Evil(), None, None], object)))
    yield "dtype-object-meta", features(meta=npy(np.array(Evil(), object)))
    yield "dtype-bytes-meta", features(meta=npy(np.array(b"{}")))
    yield "meta-vector", features(meta=npy(np.array(["{}"])))
    yield "values-nan", features(values=npy(np.array([[1.0, np.nan], [1.0, 1.0]], np.float32)))
    yield "values-infinite", features(values=npy(np.array([[1.0, 1.0], [np.inf, 1.0]], np.float32)))
    yield "times-backwards", features(times=npy(np.array([0.5, 0.0])))
    yield "times-equal", features(times=npy(np.array([0.5, 0.5])))
    yield "times-nan", features(times=npy(np.array([0.0, np.nan])))
    for name, wrong in meta_cases():
        yield f"meta-{name}", features(meta=text(wrong))
    yield "meta-beyond-unicode", features(meta=raw_npy("'<U1'", "()", struct.pack("<I", 0x110000)))
    yield "meta-surrogate", features(meta=raw_npy("'<U1'", "()", struct.pack("<I", 0xD800)))
    yield "meta-of-no-length", features(meta=raw_npy("'<U0'", "()"))
    yield "member-missing", features(times=None)
    yield "member-extra", features(extra=npy(np.zeros(1)))
    yield "member-renamed", features(values=None, valuez=npy(np.ones((2, 3), np.float32)))
    yield "member-twice", stored([*plain, ("meta.npy", meta()), plain[0]])
    yield "member-above", stored([*plain, ("meta.npy", meta()), ("../../values.npy", plain[0][1])])
    yield "member-absolute", stored([*plain, ("/meta.npy", meta())])
    yield "member-no-array", stored([*plain, ("meta.npy", meta()), ("readme.txt", b"x")])
    yield "members-65", stored([(f"m{i}.npy", b"") for i in range(65)])
    yield "encrypted", _flags(sound, 0x1)
    yield "strongly-encrypted", _flags(sound, 0x41)
    yield "patched", _flags(sound, 0x20)
    yield "deflated", _deflated({"values": np.ones((2, 3), np.float32), "times": np.array([0.0, 0.5])}, meta())
    yield "two-names", sound.replace(b"values.npy", b"valueZ.npy", 1)
    yield "size-lie", _central(sound, 24, struct.pack("<I", 1 << 30))
    yield "offset-beyond", _central(sound, 42, struct.pack("<I", 1 << 30))
    yield "overlapping", _central(sound, 42, struct.pack("<I", 0), last=True)
    yield "flipped-bit", sound.replace(np.ones(6, np.float32).tobytes(), np.full(6, 2, np.float32).tobytes())
    yield "empty", b""
    yield "only-the-end", b"PK\x05\x06" + bytes(18)
    yield "sound-count-lie", sound[:-12] + struct.pack("<H", 65535) + sound[-10:]
    yield "a-picture", b"GIF89a" + bytes(40)
    yield "a-lone-npy", npy(np.ones((2, 3), np.float32))


def meta_cases() -> Iterator[tuple[str, Any]]:
    """Wrong meta strings."""
    sound = {"schema": "mmcli/features@1", "mmcli": "0.1.0"}
    yield "no-json", "values"
    yield "nan", '{"schema": "mmcli/features@1", "mmcli": "0", "rate_hz": NaN}'
    yield "twice", '{"schema": "mmcli/features@1", "mmcli": "0", "mmcli": "1"}'
    yield "array", [1]
    yield "unknown-key", sound | {"modalty": "audio"}
    yield "missing-key", {"schema": "mmcli/features@1"}
    yield "later-schema", sound | {"schema": "mmcli/features@2"}
    yield "other-schema", sound | {"schema": "mmcli/dataset@1"}
    yield "unhashable-schema", sound | {"schema": []}
    yield "deep", '{"schema": ' + "[" * 3000 + "]" * 3000 + "}"
    yield "bool-for-number", sound | {"rate_hz": True}
    yield "wrong-columns", sound | {"columns": ["a"]}
    yield "wrong-kind", sound | {"kind": "image"}
    yield "no-token-ids", sound | {"kind": "tokens"}


def dataset_cases() -> Iterator[tuple[str, bytes]]:
    """Wrong data sets."""
    sound = fuzz_seeds.formats()["dataset"].seed
    yield "sound", sound

    def changed(**members: Any) -> bytes:
        with zipfile.ZipFile(io.BytesIO(sound)) as archive:
            found = {entry.filename[:-4]: archive.read(entry) for entry in archive.infolist()}
        found |= {key.replace("__", "/"): value for key, value in members.items()}
        return stored([(f"{key}.npy", content) for key, content in found.items() if content is not None])

    yield "offsets-backwards", changed(audio__offsets=npy(np.array([0, 3, 2, 4])))
    yield "offsets-beyond", changed(audio__offsets=npy(np.array([0, 2, 2, 5])))
    yield "offsets-negative", changed(audio__offsets=npy(np.array([-1, 2, 2, 4])))
    yield "offsets-too-few", changed(audio__offsets=npy(np.array([0, 4])))
    yield "offsets-none", changed(audio__offsets=npy(np.zeros(0, np.int64)))
    yield "present-lies", changed(audio__present=npy(np.array([True, True, True])))
    yield "present-is-2", changed(audio__present=raw_npy("'|b1'", "(3,)", b"\x01\x00\x02"))
    yield "made-in-test", changed(audio__made=npy(np.array([False, False, True])))
    yield "times-backwards", changed(audio__times=npy(np.array([0.5, 0.0, 0.0, 0.25])))
    yield "values-nan", changed(audio__values=npy(np.full((4, 2), np.nan, np.float32)))
    yield "width-of-8-TB", changed(audio__values=raw_npy("'<f4'", "(0, 1000000000000)"))
    yield "no-token-ids", changed(text__values=npy(np.array([[1.5], [2], [3]], np.float32)))
    yield "id-above", changed(id=npy(np.array(["../a", "b", "c"])))
    yield "id-absolute", changed(id=npy(np.array(["/a", "b", "c"])))
    yield "id-twice", changed(id=npy(np.array(["a", "a", "c"])))
    yield "id-escape", changed(id=npy(np.array(["\x1b[2J", "b", "c"])))
    yield "id-numbers", changed(id=npy(np.arange(3)))
    yield "id-of-no-length", changed(id=raw_npy("'<U0'", "(1000000000000,)"))
    yield "id-of-1-MiB", changed(id=raw_npy("'<U300000'", "(0,)"))
    yield "split-unknown", changed(split=npy(np.array(["train", "dev", "test"])))
    yield "label-unknown", changed(label=npy(np.array(["no", "perhaps", ""])))
    yield "label-numbers", changed(label=npy(np.zeros(3)))
    yield "source-no-hash", changed(source=npy(np.array(["x", "", ""])))
    yield "too-few-splits", changed(split=npy(np.array(["train"])))
    yield "stream-missing", changed(text__values=None, text__offsets=None, text__times=None, text__present=None)
    yield "stream-half", changed(text__times=None)
    yield "stream-above", changed(**{"..__values": npy(np.zeros((0, 1), np.float32))})
    yield "stream-nested", changed(**{"a/b__values": npy(np.zeros((0, 1), np.float32))})
    yield "no-items", changed(id=npy(np.zeros(0, "<U1")))


def _long_header() -> bytes:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1, " * 3000 + b"), }\n"
    return struct.pack("<H", len(header)) + header


def _flags(data: bytes, flags: int) -> bytes:
    """Set the flags of the first member, in both its records."""
    at = data.index(b"PK\x01\x02")
    data = data[: at + 8] + struct.pack("<H", flags) + data[at + 10 :]
    return data[:6] + struct.pack("<H", flags) + data[8:]


def _central(data: bytes, offset: int, value: bytes, *, last: bool = False) -> bytes:
    """Overwrite a field of the first or last entry of the directory."""
    at = (data.rindex if last else data.index)(b"PK\x01\x02") + offset
    return data[:at] + value + data[at + len(value) :]


def _deflated(arrays: dict[str, Any], text_member: bytes) -> bytes:
    return zip_deflated([*((f"{key}.npy", npy(array)) for key, array in arrays.items()), ("meta.npy", text_member)])


def zip_deflated(members: list[Member]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return memory.getvalue()
