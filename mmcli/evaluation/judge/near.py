"""The same content once more, changed a little: near-duplicates across the splits of a data set.

What is compared is what the model sees. Pictures: the correlation of small grey copies, whatever their size, brightness
and contrast, with edges cut off and tones clipped (:mod:`.pictures`). Sound: that of its frames at the lag where they
agree best, so that a cut start, another loudness or some noise hides nothing. Texts of enough words: the share of their
word triples that both hold (A. Broder, "On the resemblance and containment of documents", 1997). Two items are near
where they differ much less than neighbours in this data set usually do, so that digits of eight by eight pixels are not
all taken for copies of each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import FUSED, Dataset, Stream
from mmcli.evaluation.judge import pictures

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

MOST_ITEMS, MOST_OTHERS = 2000, 20_000  # that are looked up, and among which; of more every so many-th
SHOWN = 50  # cases in a report
BANDS, FRAMES = 12, 256  # of a sound that is compared
BY_SHAPE = 8  # candidates of a sound that are compared at every lag
REPEATED = 0.02  # of the texts of a split that others of it repeat: beyond, sentences are stock, and tell of no leak
CLIPPED = 4.0  # median absolute deviations beyond which a band is cut off
LEAST_OVERLAP = 0.5  # of the shorter of two sounds
SHINGLE, FEWEST_WORDS = 3, 10  # words of a text that are taken together, and that it has at least
# One less the similarity of a near pair is below both: this much, and this share of what is usual between nearest
# neighbours. That of pictures was chosen on the digits of sample_data and half of Tux Paint's stamps (drawings and
# photographs), 40 copies of each kind: shrunk to .7 or .5, cropped by up to 6 %, dimmed, noisy or saved as JPEG (50)
# they lay at .003 at most, as JPEG (20) at .001 but for one of .010; the nearest of the others at .0045 and .0069. On
# the other half and on 126 pictures of web pages 638 of 640 such copies were found and no pair that was none; of copies
# a quarter brighter, whose light tones were one, 66 of 80. Sounds made quiet, cut, delayed or noisy (20 dB) lay at
# .053, others at .49.
LIMITS = {"image": (0.004, 0.06), "audio": (0.15, 0.25), "text": (0.4, 0.6)}


@dataclass(frozen=True)
class Nearest:
    """For each item that was looked up its nearest one of the other side, and one less their similarity."""

    looked_up: Rows
    other: Rows
    distance: NDArray[np.float64]


def check(dataset: Dataset) -> dict[str, Any]:
    """``{between_splits, cases, streams}``: pairs of items of different splits that are nearly the same, the first of
    them with their stream and similarity, and what was looked at: items of each stream."""
    cases: list[dict[str, Any]] = []
    looked: dict[str, int] = {}
    for name, stream in dataset.streams.items():
        kind = kind_of(name, stream)
        if kind is None:
            continue
        pairs: dict[tuple[int, int], float] = {}
        for first, second in (("test", "train"), ("val", "train"), ("test", "val")):
            ours, theirs = (_real(dataset, stream, split) for split in (first, second))
            if len(ours) < 1 or len(theirs) < 1:
                continue
            nearest = SEARCHES[kind](stream, _some(ours, MOST_ITEMS), _some(theirs, MOST_OTHERS))
            looked[name] = looked.get(name, 0) + len(nearest.looked_up)
            most, share = LIMITS[kind]
            # What is usual: a median over few items would be that of the copies themselves.
            usual = float(np.median(nearest.distance)) if len(nearest.distance) >= 8 else most / share
            for item, other, distance in zip(*vars(nearest).values(), strict=True):
                if distance < min(most, share * usual) or (distance <= 1e-6 < usual):
                    pairs[int(item), int(other)] = float(distance)
        cases += [
            {
                "stream": name,
                "similarity": 1.0 - distance,
                "items": [{"id": str(dataset.id[i]), "split": str(dataset.split[i])} for i in pair],
            }
            for pair, distance in sorted(pairs.items(), key=lambda entry: entry[1])
        ]
    return {"between_splits": len(cases), "cases": cases[:SHOWN], "streams": looked}


def kind_of(name: str, stream: Stream) -> str | None:
    """What a stream is compared as: image, audio or text; None where its copies cannot be told."""
    modality = str(stream.meta.get("modality") or name.partition(".")[0])
    shape = stream.values.shape[1:]
    if name == FUSED:
        return None
    if modality == "image" and stream.meta.get("kind") == "image" and len(shape) == 3 and min(shape[:2]) >= 8:
        return "image"
    if modality == "text" and stream.meta.get("kind") == "tokens":
        return "text"
    if modality == "audio" and len(shape) == 1 and len(stream.values) > len(stream.present):
        return "audio"
    return None


def sentence(checked: dict[str, Any]) -> str | None:
    """A note about what :func:`check` found; None where that is nothing."""
    if not checked["between_splits"]:
        return None
    first = checked["cases"][0]
    a, b = first["items"]
    count = checked["between_splits"]
    what = "1 pair of items of different splits is" if count == 1 else f"{count} pairs of items of different splits are"
    return (
        f"{what} nearly the same (see integrity.near): {first['stream']} of {a['id']!r} ({a['split']}) "
        f"and {b['id']!r} ({b['split']}), similarity {first['similarity']:.3f}"
    )


def _real(dataset: Dataset, stream: Stream, split: str) -> Rows:
    rows = dataset.rows(split)
    there = stream.present[rows] & (True if stream.made is None else ~stream.made[rows])
    return rows[there]


def _some(rows: Rows, most: int) -> Rows:
    return rows[:: -(-len(rows) // most)]


def _pictures(stream: Stream, ours: Rows, theirs: Rows) -> Nearest:
    def first(row: int) -> Any:
        return stream.item(row).values[0]

    a, b = (np.stack([pictures.small(first(i)) for i in rows.tolist()]) for rows in (ours, theirs))
    place, distance = pictures.nearest(
        a, b, lambda i: pictures.grey(first(int(ours[i]))), lambda j: pictures.grey(first(int(theirs[j])))
    )
    return Nearest(ours, theirs[place], distance)


def _unit(values: Any) -> Array:
    flat = np.asarray(values, np.float32).ravel()
    flat = flat - flat.mean()
    length = float(np.linalg.norm(flat))
    unit: Array = flat / length if length > 1e-6 * (1 + float(np.abs(values).max(initial=0.0))) else flat * 0
    return unit


def _sounds(stream: Stream, ours: Rows, theirs: Rows) -> Nearest:
    """Those of a like shape over time first (a spectrum knows no lag), then these at every lag."""
    first, second = ([_bands(stream.item(i).values) for i in rows.tolist()] for rows in (ours, theirs))
    a, b = (np.stack([_shape(bands) for bands in some]) for some in (first, second))
    like = a @ b.T
    count = min(BY_SHAPE, len(theirs))
    chosen = np.argpartition(-like, count - 1, axis=1)[:, :count]
    best, distance = np.zeros(len(ours), np.int64), np.ones(len(ours))
    for i, candidates in enumerate(chosen):
        agrees = [_agreement(first[i], second[j]) for j in candidates.tolist()]
        k = int(np.argmax(agrees))
        best[i], distance[i] = candidates[k], 1.0 - agrees[k]
    return Nearest(ours, theirs[best], distance)


def _bands(frames: Any) -> Array:
    """The first FRAMES of a sound in at most BANDS bands, each less its median over time ``(frames, bands)``."""
    values = np.asarray(frames[:FRAMES], np.float32)
    parts = np.array_split(np.arange(values.shape[1]), min(BANDS, values.shape[1]))
    bands = np.stack([values[:, part].mean(axis=1) for part in parts], axis=1)
    bands = bands - np.median(bands, axis=0)
    most = CLIPPED * np.median(np.abs(bands))  # digital silence lies far below everything else
    return np.asarray(np.clip(bands, -most, most), np.float32)


def _shape(bands: Array) -> Array:
    return _unit(np.abs(np.fft.rfft(bands, 2 * FRAMES, axis=0))[: FRAMES // 2])


def _agreement(a: Array, b: Array) -> float:
    """The largest correlation of two sounds over all lags at which enough of the shorter one takes part."""
    size = 2 * FRAMES
    product = (np.fft.rfft(a, size, axis=0) * np.conj(np.fft.rfft(b, size, axis=0))).sum(axis=1)
    together = np.fft.irfft(product, size)
    lags = np.arange(-(len(b) - 1), len(a))
    start, stop = np.maximum(lags, 0), np.minimum(len(a), len(b) + lags)
    enough = stop - start >= max(1.0, LEAST_OVERLAP * min(len(a), len(b)))
    lags, start, stop = lags[enough], start[enough], stop[enough]
    # Over the frames that both have alone: silence before one of them must not move the mean of the rest.
    count = (stop - start)[:, None]
    sums, squares = [], []
    for x, first, last in ((a, start, stop), (b, start - lags, stop - lags)):
        so_far = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x.astype(np.float64), axis=0)])
        energy = np.concatenate([[0.0], np.cumsum(np.square(x.astype(np.float64)).sum(axis=1))])
        sums.append(so_far[last] - so_far[first])
        squares.append(energy[last] - energy[first] - (np.square(sums[-1]) / count).sum(axis=1))
    shared = together[lags % size] - (sums[0] * sums[1] / count).sum(axis=1)
    scale = np.sqrt(np.maximum(squares[0], 0.0) * np.maximum(squares[1], 0.0))
    return float(np.max(np.where(scale > 1e-6, shared / np.maximum(scale, 1e-6), 0.0), initial=0.0))


def _texts(stream: Stream, ours: Rows, theirs: Rows) -> Nearest:
    holders: dict[tuple[float, ...], list[int]] = defaultdict(list)
    sizes = []
    whole: Counter[frozenset[tuple[float, ...]]] = Counter()
    for place, i in enumerate(theirs.tolist()):
        shingles = _shingles(stream.item(i).values)
        sizes.append(len(shingles))
        whole[frozenset(shingles)] += bool(shingles)
        for one in shingles:
            holders[one].append(place)
    if sum(n for n in whole.values() if n > 1) > REPEATED * len(theirs):
        return Nearest(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    looked, best, distance = [], [], []
    for i in ours.tolist():
        shingles = _shingles(stream.item(i).values)
        if not shingles:
            continue
        shared = Counter(place for one in shingles for place in holders.get(one, ()))
        share = {place: n / (len(shingles) + sizes[place] - n) for place, n in shared.items()}
        place = max(share, key=lambda p: share[p], default=0)
        looked.append(i)
        best.append(place)
        distance.append(1.0 - share.get(place, 0.0))
    return Nearest(np.array(looked, np.int64), theirs[np.array(best, np.int64)], np.array(distance, np.float64))


def _shingles(tokens: Any) -> set[tuple[float, ...]]:
    """The word triples of a text; none of one that is too short to be known again."""
    words = np.asarray(tokens).ravel().tolist()
    if len(words) < FEWEST_WORDS:
        return set()
    return {tuple(words[k : k + SHINGLE]) for k in range(len(words) - SHINGLE + 1)}


SEARCHES: dict[str, Callable[[Stream, Rows, Rows], Nearest]] = {"image": _pictures, "audio": _sounds, "text": _texts}
