"""A small data set of two modalities, and its rows as a stream brings them."""

from __future__ import annotations

import numpy as np

from mmcli.artifacts.formats.dataset import Dataset, Stream

ITEMS = 60
META = {"task": "classify", "classes": ["no", "yes"]}


def _stream(items: int, width: int, rng, label, kind: str, holes: bool) -> Stream:
    lengths = rng.integers(3, 6, items) if kind == "sequence" else np.ones(items, np.int64)
    present = np.ones(items, bool) if not holes else rng.random(items) > 0.2
    lengths[~present] = 0
    values = rng.normal(size=(int(lengths.sum()), width)).astype(np.float32) + np.repeat(label, lengths)[:, None]
    return Stream(
        values.astype(np.float32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([np.arange(n) * 0.1 for n in lengths]),
        present,
        meta={"kind": kind},
    )


def data_set(kind: str, holes: bool = True) -> Dataset:
    """Audio, and images that some items lack, of one kind: sequence or vector."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, ITEMS)
    streams = {
        "audio": _stream(ITEMS, 4, rng, label, kind, False),
        "image": _stream(ITEMS, 3, rng, label, kind, holes),
    }
    split = np.array((["train"] * 3 + ["val", "test"]) * (ITEMS // 5))
    names = np.array([f"i{k:02d}" for k in range(ITEMS)])
    return Dataset(streams, names, split, np.full(ITEMS, ""), np.array(["no", "yes"])[label], meta=META)


def rows_of(data: Dataset) -> list[dict]:
    rows = []
    for k, name in enumerate(data.id.tolist()):
        for modality, stream in data.streams.items():
            if stream.present[k]:
                values = np.asarray(stream.values)[stream.offsets[k] : stream.offsets[k + 1]]
                rows.append({"id": name, "modality": modality, "t": float(k), "values": values.tolist()})
    return rows
