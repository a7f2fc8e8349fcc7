"""The bridge to items that nobody has met: what a fitted method says of known items, regressed on their content.

A method's scores of the known items (a row a user, smoothed by the method) are the targets of a kernel ridge regression
on content; a new item's score is that row times ``R k``, with ``k`` the kernel between the new item and the known
ones. Kernels are added over modalities, each with a learned weight, so that a score splits exactly into what each
modality says. On items with events content adds nothing to the method (measured: +.001 +- .007 of NDCG@20), and there
the bridge says nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import FUSED, Dataset
from mmcli.errors import ArtifactError, MismatchError
from mmcli.fusion.fitting import kind_of

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
POWER = 3  # of the kernel ((1 + cosine) / 2): near items count more
LANDMARKS = 2000
MOST_NUMBERS = 32_000_000  # of the matrix known items x landmarks, 128 MB
WIDEST = 256  # of a modality after reduction

Learned = Mapping[str, float]


@dataclass(eq=False)
class Modality:
    """How raw numbers of a modality become a vector of length one, fitted on known items."""

    center: Array
    scale: Array
    axes: Array | None
    shape: list[int]
    kind: str
    vocabulary: int = 0

    def vectors(self, raw: Array, present: Mask) -> Array:
        """Raw ``(items, numbers)`` to float32 ``(items, width)``, unit rows, zero where absent."""
        if raw.shape[1] != len(self.center):
            raise MismatchError(f"content of {raw.shape[1]} numbers an item; the model knows {len(self.center)}")
        rows = (raw - self.center) * self.scale
        if self.axes is not None:
            rows = rows @ self.axes
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        rows[~present] = 0
        return rows.astype(np.float32)


@dataclass(frozen=True)
class Facts:
    """What a stream holds: its kind, the shape of a frame, and how many words there are."""

    kind: str
    shape: tuple[int, ...]
    vocabulary: int = 0

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return math.prod(self.shape)

    @classmethod
    def told(cls, meta: Mapping[str, Any]) -> Facts:
        """Those that a checkpoint keeps of a stream. Raises :class:`ArtifactError`."""
        kind, shape = meta.get("kind"), meta.get("shape")
        if not isinstance(kind, str) or not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
            raise ArtifactError("does not say what its modalities hold", source="the model")
        return cls(kind, tuple(shape), int(meta.get("vocabulary_size") or 0))


def raw_of(data: Dataset) -> dict[str, tuple[Array, Mask, Facts]]:
    """Of each modality one vector an item: ``(items, numbers)``, who has it, and what the stream holds.

    Vectors are taken as they are, pictures as local means, sequences as means of eight parts and deviations, tokens as
    the words that occur: what :func:`mmcli.models.nets.kernel.describe` makes of them, without torch, whose import
    takes longer than the place of a new item in a list.
    """
    result = {}
    for name, stream in data.streams.items():
        if name == FUSED or not stream.present.any():
            continue
        kind = kind_of(stream)
        shape = tuple(int(n) for n in stream.values.shape[1:]) or (1,)
        facts = Facts(kind, shape, int(stream.meta["vocabulary_size"]) if kind == "tokens" else 0)
        there = stream.present & (np.diff(stream.offsets) > 0)
        rows: Array | None = None
        for item in np.flatnonzero(there).tolist():
            own = np.asarray(stream.values[int(stream.offsets[item]) : int(stream.offsets[item + 1])], np.float32)
            vector = _vector(own, facts)
            if rows is None:
                rows = np.zeros((data.items, len(vector)), np.float32)
            rows[item] = vector
        if rows is not None:
            result[name] = rows, there, facts
    return result


SEGMENTS, SIDE, FRAME_SIDE = 8, 16, 8


def _vector(own: Array, facts: Facts) -> Array:
    """The frames of one item, ``(steps, ...)``, as one vector."""
    if facts.kind == "vector":
        return np.asarray(own[0]).ravel()
    if facts.kind == "image":
        return _shrunk(own[:1], SIDE).ravel()
    if facts.kind == "tokens":
        bag = np.zeros(facts.vocabulary, np.float32)
        bag[np.clip(np.rint(own.reshape(len(own), -1)[:, 0]), 0, facts.vocabulary - 1).astype(np.int64)] = 1
        bag[0] = 0  # padding
        return np.asarray(bag / max(float(np.linalg.norm(bag)), 1e-12), np.float32)
    if facts.kind == "frames":
        own = _shrunk(own, FRAME_SIDE)
    own = own.reshape(len(own), -1)
    first = np.arange(SEGMENTS) * len(own) // SEGMENTS
    last = np.maximum(np.arange(1, SEGMENTS + 1) * len(own) // SEGMENTS, first + 1)
    means = [own[start:end].mean(0) for start, end in zip(first, last, strict=True)]
    return np.concatenate([*means, own.std(0)]).astype(np.float32)


def _shrunk(pictures: Array, most: int) -> Array:
    """Local means ``(n, high, wide, channels)`` of at most ``most`` pixels in each direction."""
    down, across = (_means(n, min(most, n)) for n in pictures.shape[1:3])
    return np.asarray(np.einsum("hy,nyxc,wx->nhwc", down, pictures, across, optimize=True), np.float32)


def _means(n: int, m: int) -> Array:
    """``(m, n)``: the mean of each of ``m`` parts, which overlap where ``n`` is no multiple."""
    first, last = np.arange(m) * n // m, -(-np.arange(1, m + 1) * n // m)
    inside = (np.arange(n) >= first[:, None]) & (np.arange(n) < last[:, None])
    return np.asarray(inside / inside.sum(1, keepdims=True), np.float32)


def fit_modality(raw: Array, present: Mask, facts: Facts) -> Modality:
    """Mean and deviation of the rows in ``present``, wide ones reduced to their principal axes.

    Words weigh by how few items have them (idf) and are not centred; constant columns fall out.
    """
    known = raw[present].astype(np.float64)
    if facts.kind == "tokens":
        count = (known > 0).sum(0)
        weight = np.where(count > 1, np.log((1 + len(known)) / (1 + count)), 0)
        center = np.zeros(raw.shape[1])
    else:
        center, spread = known.mean(0), known.std(0)
        weight = np.where(spread > 1e-6 * max(1e-12, spread.max(initial=0)), 1 / np.maximum(spread, 1e-12), 0)
    axes = None
    if raw.shape[1] > WIDEST and len(known) > 1:
        from scipy.linalg import eigh

        rows = (known - center) * weight
        if len(rows) > LANDMARKS:
            rows = rows[np.random.default_rng(0).choice(len(rows), LANDMARKS, replace=False)]
        keep = min(WIDEST, len(rows) - 1, raw.shape[1])
        values, left = eigh(rows @ rows.T, subset_by_index=[len(rows) - keep, len(rows) - 1])
        good = values > 1e-9 * values[-1]
        axes = (rows.T @ left[:, good] / np.sqrt(values[good])).astype(np.float32)
    arrays = (center.astype(np.float32), weight.astype(np.float32), axes)
    return Modality(*arrays, list(facts.shape), facts.kind, facts.vocabulary)


def kernel(a: Array, b: Array) -> Array:
    """``((1 + a b') / 2) ** 3`` of unit rows, float32 ``(len(a), len(b))``; 0 where either is absent.

    >>> kernel(np.array([[1, 0]], np.float32), np.array([[1, 0], [0, 1], [0, 0]], np.float32)).tolist()
    [[1.0, 0.125, 0.0]]
    """
    product = (1 + a @ b.T) / 2
    np.maximum(product, 0, out=product)
    product **= POWER
    product[~a.any(1)] = 0
    product[:, ~b.any(1)] = 0
    return np.asarray(product, np.float32)


def joined(kernels: Mapping[str, Array], weights: Learned) -> Array:
    """The weighted sum of the kernels of the modalities that have a weight."""
    return np.asarray(sum(np.float32(weights[name]) * kernels[name] for name in weights), np.float32)


def ridge(known: Array, mu: float, marks: NDArray[np.int64]) -> Array:
    """``R`` of the regression, float32 ``(known, landmarks)``: a new item's coefficients are ``R k``.

    ``known`` is the kernel ``(known, landmarks)``, ``marks`` which of its rows the landmarks are. With every known item
    a landmark this is ``(K + mu I)^-1``, else the subset of regressors (Rasmussen and Williams 2006, 8.3.1).
    """
    from scipy.linalg import cho_factor, cho_solve, lapack

    if len(marks) == len(known):
        system = np.asfortranarray(known, np.float64)
        system.flat[:: len(system) + 1] += mu
        factor, problem = lapack.dpotrf(system, lower=1, overwrite_a=1)
        inverse, again = lapack.dpotri(factor, lower=1, overwrite_c=1)
        assert problem == 0
        assert again == 0  # a positive kernel, and mu on its diagonal
        return np.asarray(np.tril(inverse) + np.tril(inverse, -1).T, np.float32)
    own = known[marks].astype(np.float64)
    system = known.T.astype(np.float64) @ known + mu * own
    system.flat[:: len(system) + 1] += 1e-4 * mu
    return np.asarray(cho_solve(cho_factor(system, lower=True), known.T.astype(np.float64)).T, np.float32)


def coefficients(known: Array, mu: float, marks: NDArray[np.int64], across: Array) -> Array:
    """``ridge(known, mu, marks) @ across`` for kernels ``(landmarks, items asked for)``, in single precision and
    without the inverse: quick, for comparing weights.
    """
    from scipy.linalg import cho_factor, cho_solve

    if len(marks) < len(known):
        return ridge(known, mu, marks) @ across
    system = np.array(known, np.float32, order="F")
    system.flat[:: len(system) + 1] += np.float32(mu)
    return np.asarray(cho_solve(cho_factor(system, lower=True, overwrite_a=True), across), np.float32)


def landmarks(ids: Sequence[str]) -> NDArray[np.int64]:
    """Which of the known items the kernel is taken with: all, or as many as fit, by digest; ascending."""
    most = max(64, min(LANDMARKS, MOST_NUMBERS // max(1, len(ids))))
    if len(ids) <= most:
        return np.arange(len(ids), dtype=np.int64)
    order = sorted(range(len(ids)), key=lambda i: hashlib.sha256(ids[i].encode()).digest())
    return np.sort(np.array(order[:most], np.int64))


@dataclass(eq=False)
class Choice:
    """What was learned on items held out: ``weights`` of modalities, ``mu``; ``alone``: what each modality reached."""

    weights: dict[str, float]
    mu: float
    value: float
    alone: dict[str, float]


SHARES = (0.2, 0.35, 0.5)
MUS = (0.1, 0.3, 1.0)


def learn(names: Sequence[str], judge: Callable[[Learned, float], float], worth: float = 0.002) -> Choice:
    """The weights and the ridge that do best on held-out items, starting from the best single modality.

    ``judge(weights, mu)`` says how good the new items' lists are. A modality is added, with the share of the whole that
    does best, while that gains ``worth``; so the whole is never worse there than its best single modality.
    """
    alone = {name: judge({name: 1.0}, MUS[1]) for name in names}
    first = max(names, key=lambda name: alone[name])
    weights, value = {first: 1.0}, alone[first]
    left = [name for name in names if name != first]
    while left:
        tries = []
        for name in left:
            for share in SHARES:
                mixed = {k: v * (1 - share) for k, v in weights.items()} | {name: share}
                tries.append((judge(mixed, MUS[1]), name, mixed))
        best = max(tries, key=lambda t: t[0])
        if best[0] < value + worth:
            break
        value, weights = best[0], best[2]
        left.remove(best[1])
    mu = MUS[1]
    for other in MUS:
        if other != MUS[1] and (reached := judge(weights, other)) > value:
            value, mu = reached, other
    return Choice(weights, mu, value, alone)
