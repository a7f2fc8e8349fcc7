"""Small data sets whose answer is known by construction."""

from __future__ import annotations

import socket

import numpy as np

from mmcli.artifacts.formats.dataset import Dataset, Stream


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def stream(items: list[np.ndarray | None], **meta: object) -> Stream:
    """A stream from one array ``(frames, ...)`` an item; None is an absent item."""
    there = [np.asarray(a, np.float32) for a in items if a is not None]
    lengths = [0 if a is None else len(a) for a in items]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = np.concatenate([np.arange(n) * 0.01 for n in lengths])
    present = np.array([a is not None for a in items])
    return Stream(np.concatenate(there), offsets, times, present, None, dict(meta))


def splits(items: int) -> np.ndarray:
    """Half to train on, a quarter each for validation and test."""
    return np.array(["train", "train", "val", "test"])[np.arange(items) % 4]


def dataset(streams: dict[str, Stream], label: np.ndarray, task: str = "classify", classes: object = None) -> Dataset:
    """With the usual splits."""
    names = [f"item{i}" for i in range(len(label))]
    meta = {"task": task, "classes": classes}
    return Dataset(streams, names, splits(len(label)), [""] * len(label), label, meta=meta)


def pair(items: int = 320, holes: bool = True) -> Dataset:
    """The label is the exclusive or of a sign in ``left`` and one in ``right``: neither alone knows anything."""
    rng = np.random.default_rng(1)
    sign = rng.integers(0, 2, (items, 2))
    rows = rng.normal(0, 0.3, (items, 2, 1, 6)) + np.where(sign, 1.0, -1.0)[:, :, None, None]
    label = np.where(sign[:, 0] ^ sign[:, 1], "differ", "agree")
    left = [None if holes and i % 19 == 0 else row for i, row in enumerate(rows[:, 0])]
    streams = {"left": stream(left, kind="vector"), "right": stream(list(rows[:, 1]), kind="vector")}
    return dataset(streams, label, classes=["agree", "differ"])


def noise_beside_signal(items: int = 240) -> Dataset:
    """Three classes that ``good`` shows clearly; ``bad`` is noise of varying length."""
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, items)
    centers = rng.normal(0, 1.5, (3, 8))
    good = [centers[c][None] + rng.normal(0, 0.5, (1, 8)) for c in label]
    bad = [rng.normal(size=(int(rng.integers(5, 40)), 4)) for _ in label]
    streams = {"good": stream(good, kind="vector"), "bad": stream(bad, kind="sequence")}
    return dataset(streams, np.array(list("abc"))[label], classes=["c", "a", "b"])


def slope(items: int = 240) -> Dataset:
    """Regression on a number of which each of two sequences tells a part."""
    rng = np.random.default_rng(3)
    parts = rng.normal(size=(items, 2))
    columns = {}
    for m, name in enumerate(("first", "second")):
        rows = [parts[i, m] + rng.normal(0, 0.3, (int(rng.integers(4, 12)), 3)) for i in range(items)]
        columns[name] = stream(rows, kind="sequence")
    return dataset(columns, 100.0 + 20.0 * parts.sum(1), task="regress")


def shared_in_pairs(items: int = 2400, known: int = 40) -> tuple[Dataset, np.ndarray]:
    """Two vectors that share three numbers and hold noise of their own four times as wide; the class is two signs.

    Only ``known`` items of the training and of the validation split keep their label; all labels come beside.
    """
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(items, 3))
    streams = {}
    for name in ("left", "right"):
        turn = np.linalg.qr(rng.normal(size=(15, 15)))[0]
        rows = np.concatenate([shared + rng.normal(0, 0.2, shared.shape), rng.normal(0, 1.5, (items, 12))], 1) @ turn
        streams[name] = stream(list(rows[:, None]), kind="vector")
    label = np.array(list("abcd"))[(shared[:, 0] > 0) * 2 + (shared[:, 1] > 0)]
    few = label.copy()
    for split in ("train", "val"):
        few[np.flatnonzero(splits(items) == split)[known:]] = ""
    return dataset(streams, few, classes=list("abcd")), label


def dialogues(groups: int = 40, seed: int = 4, longest: int = 10, shuffled: int | None = 0) -> Dataset:
    """The label of a turn is a sign that the turn before it shows: an item alone knows nothing.

    Turns stand in no order (``shuffled`` is the seed of it, None: in order); a quarter of the dialogues each for
    validation and test.
    """
    rng = np.random.default_rng(seed)
    turns = [(g, t) for g in range(groups) for t in range(int(rng.integers(4, longest)))]
    sign = rng.integers(0, 2, len(turns))
    label = np.where([t > 0 and sign[i - 1] for i, (_, t) in enumerate(turns)], "yes", "no")
    rows = np.where(sign, 1.0, -1.0)[:, None, None] + rng.normal(0, 0.3, (len(turns), 1, 6))
    more = [rng.normal(size=(int(rng.integers(1, 5)), 3)) for _ in turns]
    order = np.arange(len(turns)) if shuffled is None else np.random.default_rng(shuffled).permutation(len(turns))
    names = [f"d{turns[i][0]:02d}/{turns[i][1]}" for i in order]
    meta = {"task": "classify", "classes": ["no", "yes"], "order": {n: int(n.split("/")[1]) for n in names}}
    return Dataset(
        {
            "said": stream([rows[i] for i in order], kind="vector"),
            "noise": stream([more[i] for i in order], kind="sequence"),
        },
        names,
        [["train", "train", "val", "test"][turns[i][0] % 4] for i in order],
        [f"d{turns[i][0]:02d}" for i in order],
        label[order],
        meta=meta,
    )
