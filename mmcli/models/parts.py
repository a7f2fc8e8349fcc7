"""Masks: True where a value is real, False where it is padding or its modality is absent.

Every operation here gives finite results for a row with no True at all (an absent modality): zeros.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar, get_type_hints

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError


def from_lengths(lengths: Tensor, size: int) -> Tensor:
    """Lengths int64 ``(items,)`` to a mask bool ``(items, size)``.

    >>> from_lengths(torch.tensor([0, 2]), 3).tolist()
    [[False, False, False], [True, True, False]]
    """
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def zeroed(values: Tensor, mask: Tensor) -> Tensor:
    """``values`` with zeros where ``mask`` (broadcast from the left) is False, even where the values are NaN."""
    while mask.dim() < values.dim():
        mask = mask.unsqueeze(-1)
    return values.masked_fill(~mask, 0.0)


def softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the True entries along ``dim``; zero elsewhere, all zero where there is none.

    >>> softmax(torch.zeros(2, 2), torch.tensor([[True, False], [False, False]])).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    low = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~mask, low), dim).masked_fill(~mask, 0.0)


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over axis 1 of ``values`` ``(items, steps, width)`` where ``mask`` ``(items, steps)`` is True."""
    count = mask.sum(1, keepdim=True).clamp(min=1)
    return zeroed(values, mask).sum(1) / count


def mirrored(values: Tensor, mask: Tensor) -> Tensor:
    """``values`` ``(items, steps, width)`` with each item's real steps, which stand first, in reverse."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    lengths = mask.sum(1, keepdim=True)
    back = torch.where(steps < lengths, lengths - 1 - steps, steps)[..., None]
    return values.gather(1, back.expand_as(values))


def largest(values: Tensor, mask: Tensor) -> Tensor:
    """Maximum over axis 1 where ``mask`` is True; zero where there is none."""
    low = torch.finfo(values.dtype).min
    best = values.masked_fill(~mask.unsqueeze(-1), low).amax(1)
    return zeroed(best, mask.any(1))


# The first layer of sequence encoders: token identities through an embedding, frames through a linear map.


class InputLayer(nn.Module):
    """``(n, steps, ...)`` to ``(n, steps, width)``, zeros where the mask is False.

    With a vocabulary, values are token identities stored as float32; one beyond the vocabulary is read as 1, unknown.
    """

    def __init__(self, inputs: int, vocabulary: int, width: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.map: nn.Module = _embedding(vocabulary, width) if vocabulary else nn.Linear(inputs, width)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Embedded steps."""
        x = values.flatten(2)
        if self.vocabulary:
            identity = x[..., 0].round()
            inside = (identity >= 0) & (identity < self.vocabulary)
            x = identity.masked_fill(~inside, min(1, self.vocabulary - 1)).long()
        return zeroed(self.map(x), mask)


def _embedding(vocabulary: int, width: int) -> nn.Embedding:
    """As ``nn.Embedding`` makes it. On the meta device only shapes count, and drawing would import for two seconds."""
    weight = torch.empty(vocabulary, width)
    return nn.Embedding(vocabulary, width, _weight=weight if weight.is_meta else nn.init.normal_(weight))


# From a sequence to one vector, padding left out.


class AttentionPool(nn.Module):
    """``(n, steps, width)`` and a mask ``(n, steps)`` to ``(n, width)``: attention-weighted mean beside the maximum.

    Each step's weight is a softmax over a learned score (Bahdanau et al. 2015, with one learned query).
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)  # a softmax over steps does not see one
        self.drop = Dropout(dropout)
        self.out = nn.Linear(2 * width, width)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Zeros through a linear layer where no step is real."""
        weight = softmax(self.score(sequence).squeeze(-1), mask)
        mean = torch.einsum("nt,ntw->nw", weight, sequence)
        both = torch.cat([mean, largest(sequence, mask)], dim=-1)
        return torch.relu(self.out(self.drop(both)))


class GridPool(nn.Module):
    """A grid of ``cells`` picture cells ``(n, cells, width)`` to ``(n, width)``, each place with its own weights."""

    def __init__(self, cells: int, width: int, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.out = nn.Linear(cells * width, width)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Cells that the mask leaves out count as zero."""
        return torch.relu(self.out(self.drop(zeroed(sequence, mask).flatten(1))))


class NoPool(nn.Module):
    """For encoders whose result is one step: that step."""

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """The step, zeros where it is absent."""
        return zeroed(sequence, mask)[:, 0]


# Dropout whose noise depends on the position in the global batch, not on how the batch is spread over processes.
#
# With several processes each one holds some rows of a batch. All of them draw the noise of the whole batch from the
# same generator and keep their own rows, so that any number of processes computes what one would have computed.
#
# Reference: N. Srivastava et al., "Dropout", JMLR 15, 2014.


@dataclass
class _Rows:
    start: int = 0
    stop: int = 0
    total: int = 0  # 0: this process holds the whole batch


_rows = _Rows()


@contextmanager
def rows(start: int, stop: int, total: int) -> Iterator[None]:
    """Within: this process holds rows ``start`` to ``stop`` of a batch of ``total`` items."""
    before = (_rows.start, _rows.stop, _rows.total)
    _rows.start, _rows.stop, _rows.total = start, stop, total
    try:
        yield
    finally:
        _rows.start, _rows.stop, _rows.total = before


def coins(shape: tuple[int, ...], p: float, device: torch.device) -> Tensor:
    """Ones with probability ``p``, else zeros, float32 of ``shape``, whose first axis is this process's items (or a
    multiple of them)."""
    held = _rows.stop - _rows.start
    if not _rows.total or not held:
        return torch.empty(shape, device=device).bernoulli_(p)
    each = shape[0] // held
    noise = torch.empty((_rows.total * each, *shape[1:]), device=device).bernoulli_(p)
    return noise[_rows.start * each : _rows.stop * each]


class Dropout(nn.Module):
    """Zeroes entries with probability ``p`` while training and scales the rest by ``1 / (1 - p)``.

    ``shared`` is the number of trailing axes that live or die together: 2 drops whole channels of ``(n, c, h, w)``.
    """

    def __init__(self, p: float, shared: int = 0) -> None:
        super().__init__()
        self.p = p
        self.shared = shared

    def forward(self, x: Tensor) -> Tensor:
        """Same shape and dtype as ``x``."""
        if not self.training or self.p <= 0.0:
            return x
        kept = x.dim() - self.shared
        shape = (*x.shape[:kept], *(1 for _ in range(self.shared)))
        keep = 1.0 - self.p
        return x * (coins(shape, keep, x.device) / keep).to(x.dtype)


# What a network must know about a stream to be built for it.

KINDS = ("image", "spectrogram", "tokens", "sequence", "vector", "frames")
LARGE_PICTURE = 64  # pixels; above, the residual encoder


@dataclass(frozen=True)
class StreamShape:
    """Shape facts of one stream: ``shape`` is that of one frame, ``steps`` the longest item in frames."""

    name: str
    kind: str
    shape: tuple[int, ...]
    steps: int
    vocabulary_size: int = 0

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return prod(self.shape)


def choose(stream: StreamShape) -> str:
    """The name of the default encoder for a stream, by what its values are.

    >>> choose(StreamShape("image", "image", (8, 8, 1), 1))
    'image'
    """
    if stream.kind == "image":
        return "image" if max(stream.shape[:2]) <= LARGE_PICTURE else "residual"
    chosen = {"spectrogram": "audio", "tokens": "bilstm", "sequence": "conv1d", "vector": "mlp", "frames": "video"}
    return chosen[stream.kind]


# What every encoder is.


class Encoder(nn.Module):
    """``forward(values, mask)`` gives a sequence ``(n, steps', width)`` and its mask ``(n, steps')``.

    ``values`` is float32 ``(n, steps, ...)`` with zeros where ``mask`` bool ``(n, steps)`` is False. Padding never
    changes the result at the real steps. ``pool`` turns the sequence, or another of its shape that a fusion block
    made of it, into ``(n, width)``.
    """

    width: int
    pool: nn.Module

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The sequence and its mask."""
        raise NotImplementedError


# What every fusion block is.


class Block(nn.Module):
    """``forward(vectors, present)``: ``(n, modalities, width)`` and bool ``(n, modalities)`` to ``(n, self.width)``.

    Vectors of absent modalities are zero and a block never lets them count. Blocks in which sequences look at one
    another override ``mix``, which comes before pooling. Blocks with ``decides`` get each modality's logits
    ``(n, modalities, outputs)`` in place of vectors and return logits ``(n, outputs)``.
    """

    width: int
    decides = False

    def mix(self, sequences: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Sequences ``(n, steps, width)`` to sequences of the same shapes; the masks are all False where absent."""
        return sequences

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Fused features, or logits."""
        raise NotImplementedError


class Maps(nn.Module):
    """One linear map for each modality, ``(n, modalities, width)`` to the same shape, absent ones zero again."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(width).repeat(modalities, 1, 1))
        self.bias = nn.Parameter(torch.zeros(modalities, width))

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Starts as the identity."""
        return zeroed(torch.einsum("nmw,mwv->nmv", vectors, self.weight) + self.bias, present)


# Configurations of network parts: frozen dataclasses of plain numbers that travel as JSON inside a checkpoint.
#
# A checkpoint may come from anywhere, so every field has a type and a range here, checked before anything is built.

C = TypeVar("C")
LARGEST = 1 << 20  # no width, vocabulary or size of a network part goes beyond a million


def from_json(cls: type[C], values: Mapping[str, Any], where: str) -> C:
    """The dataclass ``cls`` from a JSON object; ``where`` names the part in messages.

    Fields are int (1 to 2**20, or 0 where the default is 0), float (0 to 1e6), bool or str. Missing fields take their
    defaults. Raises :class:`ArtifactError` for an unknown field, a wrong type or a number out of range.
    """
    if not isinstance(values, Mapping):
        raise ArtifactError(f"the configuration of {where} is not an object")
    kinds = get_type_hints(cls)
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise ArtifactError(f"the configuration of {where} has the unknown field {name!r}")
        _check(kinds[name], value, f"{where}.{name}", zero=known[name].default == 0)
    missing = [n for n, f in known.items() if n not in values and f.default is dataclasses.MISSING]
    if missing:
        raise ArtifactError(f"the configuration of {where} lacks {', '.join(missing)}")
    return cls(**values)


def to_json(config: Any) -> dict[str, Any]:
    """The fields of a configuration as a JSON object."""
    return dataclasses.asdict(config)


def _check(kind: Any, value: Any, name: str, *, zero: bool) -> None:
    if kind is int:
        good = isinstance(value, int) and not isinstance(value, bool) and (0 if zero else 1) <= value <= LARGEST
    elif kind is float:
        good = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1e6
    else:
        good = isinstance(value, kind)
    if not good:
        raise ArtifactError(f"{name} cannot be {value!r}")
