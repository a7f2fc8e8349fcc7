"""Which seconds, which region, which words: integrated gradients of one of our networks, item by item.

A path runs from a reference to the item; an input's share is its distance from the reference times the mean gradient
along the path (M. Sundararajan et al., ICML 2017, eq. 1; midpoint rule). References are other items (expected
gradients: G. Erion et al., Nature Machine Intelligence 3, 2021), the mean over a few of them is kept: a path from
zeros says nothing of a network that normalises its activations, because along it only the scale changes. Tokens start
from an embedding of zeros, the first layer that has gradients, and in a kernel machine from no word at all: what a word
of its statistics is given is shared by the places where it stands. The shares add up to what the item's score has above
the references' mean; ``gap`` says by how much the sum misses that. Networks with kinks have gradients that jump, so
no rule of quadrature is better than more points: items that miss too much get more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.evaluation.explain import mixing
from mmcli.evaluation.model import Access, Indices

if TYPE_CHECKING:
    import torch
    from torch import nn

Array = NDArray[np.float64]

REFERENCES = 5  # items that paths start from
STEPS = 8  # points along each path
TOLERANCE = 0.1  # logits that an item's shares may miss its score by
MOST_STEPS = 72  # points along each path of the items that miss it by more
VALUES = -1  # in the place of an embedding's number: the values themselves
MOST_POINTS = 200  # of a curve over time in the report
GRID = 16  # cells along the longer side of a picture in the report
FIRST_TOKEN = 2  # numbers below are padding and unknown (mmcli.extractors.text.tokens)


def explain(
    access: Access, dataset: Dataset, rows: Indices, targets: NDArray[np.int64], references: Indices | None = None
) -> list[dict[str, Any]]:
    """One object per item: ``{toward, gap, share: {modality: x}, modalities: {modality: {...}}}``.

    ``targets`` ``(n,)`` is the output explained for each item; ``references`` are the items to draw references from.
    Without any (None) they are white noise of each item's own mean and spread, so that an item is explained the same
    in whatever company it comes. A modality is ``{times, values}`` over time (seconds, at most 200 points),
    ``{grid}`` over a picture, ``{words, values}`` over a text, or ``{values}`` of a vector. ``share`` is the sum over
    a modality, in logits.
    """
    from mmcli.models.grouped import HELD

    tokens = {name for name, stream in dataset.streams.items() if stream.meta.get("kind") == "tokens"}
    tokens |= {HELD}  # the rest of a group that an item is read in stays as it is, and paths do not run through it
    starts = None if references is None else _references(access, dataset, references, tokens)
    items: list[dict[str, Any]] = []
    start = 0
    for batch in access.batches(dataset, rows):
        count = len(next(iter(batch.values())).present)
        inside = slice(start, start + count)
        parts, gap = _attributions(access.model, batch, targets[inside], starts, tokens)
        for i, row in enumerate(rows[inside]):
            modalities: dict[str, Any] = {}
            share: dict[str, float] = {}
            for name, part in parts.items():
                if name not in dataset.streams or not bool(batch[name].present[i]):
                    continue
                share[name] = float(part[i].sum())
                modalities[name] = _shown(part[i], dataset.streams[name], int(row))
            toward = int(targets[inside][i])
            items.append({"toward": toward, "gap": float(gap[i]), "share": share, "modalities": modalities})
        start += count
    return items


def _references(access: Access, dataset: Dataset, rows: Indices, tokens: set[str]) -> list[dict[str, torch.Tensor]]:
    """Per reference the real frames ``(steps, ...)`` of each modality of real numbers, evenly picked from the rows."""
    picked: list[dict[str, torch.Tensor]] = [{} for _ in range(REFERENCES)]
    for name in dataset.modalities:
        have = rows[dataset.streams[name].present[rows]]
        if name in tokens or len(have) == 0:
            continue
        chosen = have[np.linspace(0, len(have) - 1, REFERENCES).round().astype(np.int64)]
        for k in range(REFERENCES):
            given = next(iter(access.batches(dataset, chosen[k : k + 1]))).get(name)
            if given is not None:  # the model has no use for other modalities
                picked[k][name] = given.values[0][given.mask[0]]
    return picked


def _attributions(
    model: nn.Module,
    batch: Any,
    targets: NDArray[np.int64],
    starts: list[dict[str, torch.Tensor]] | None,
    tokens: set[str],
) -> tuple[dict[str, Array], Array]:
    """Per modality the attributions ``(n, steps, ...)`` of the target logits, and the completeness gap ``(n,)``.

    Items whose shares miss the score by more than the tolerance get three times the points along their paths, and
    again: the midpoints of thirds hold those of the whole, so that nothing is computed twice.
    """
    import torch

    model.eval()
    device = next(iter(batch.values())).values.device
    chosen = torch.from_numpy(targets).to(device)[:, None]
    origins = [_origin(batch, starts, number, tokens) for number in range(REFERENCES)]
    high = _along(model, batch, {}, 1.0, chosen, tokens)[0].detach()
    low = sum(_along(model, batch, origin, 0.0, chosen, tokens)[0].detach() for origin in origins) / REFERENCES
    rise = (high - low).double().cpu().numpy()[:, 0]
    steps = STEPS
    shares = _mean(model, batch, origins, chosen, tokens, [(k + 0.5) / steps for k in range(steps)])
    gap = _total(shares, len(rise)) - rise
    while shares and steps < MOST_STEPS and (rows := np.flatnonzero(np.abs(gap) > TOLERANCE)).size:
        picked = torch.from_numpy(rows).to(device)
        some = {name: type(given)(*(part[picked] for part in given)) for name, given in batch.items()}
        starts_of = [{name: part[picked] for name, part in origin.items()} for origin in origins]
        between = [(k + third) / steps for k in range(steps) for third in (1 / 6, 5 / 6)]
        added = _mean(model, some, starts_of, chosen[picked], tokens, between)
        for name, part in added.items():
            shares[name][rows] = (shares[name][rows] + 2 * part) / 3
        steps *= 3
        gap[rows] = _total({name: part[rows] for name, part in shares.items()}, len(rows)) - rise[rows]
    return shares, gap


def _total(shares: dict[str, Array], items: int) -> Array:
    """The sum of all shares of each item ``(n,)``."""
    total = np.zeros(items)
    for part in shares.values():
        total += part.reshape(items, -1).sum(axis=1)
    return total


def _origin(
    batch: Any, starts: list[dict[str, torch.Tensor]] | None, number: int, tokens: set[str]
) -> dict[str, torch.Tensor]:
    """Where the paths of one reference start, for every modality of real numbers."""
    if starts is None:
        return {name: _noise(given, number) for name, given in batch.items() if name not in tokens}
    return {name: _fitted(part, batch[name].values) for name, part in starts[number].items() if name in batch}


def _mean(
    model: nn.Module,
    batch: Any,
    origins: list[dict[str, torch.Tensor]],
    chosen: torch.Tensor,
    tokens: set[str],
    points: list[float],
) -> dict[str, Array]:
    """Per modality the distance times the gradient ``(n, steps, ...)``, mean over the points of all paths."""
    import torch

    sums: dict[tuple[str, int], torch.Tensor] = {}
    for origin in origins:
        for at in points:
            scores, inputs, reach = _along(model, batch, origin, at, chosen, tokens)
            if not scores.requires_grad:  # nothing but trees, whose answers are steps
                continue
            gradients = torch.autograd.grad(scores.sum(), list(inputs.values()), allow_unused=True)
            for place, gradient in zip(inputs, gradients, strict=True):
                if gradient is None:
                    continue
                part = reach[place] * gradient / (len(points) * len(origins))
                sums[place] = sums[place] + part if place in sums else part
    shares: dict[str, Array] = {}
    for (name, where), part in sums.items():
        there = batch[name].mask & batch[name].present[:, None]
        if where != VALUES:  # one number a token
            part = part.sum(dim=-1, keepdim=True) if part.dim() == 3 else _by_token(part, batch[name])
        part = part * there.reshape(*there.shape, *[1] * (part.dim() - 2))
        values = part.detach().double().cpu().numpy()
        shares[name] = shares[name] + values if name in shares else values
    return shares


def _by_token(part: torch.Tensor, given: Any) -> torch.Tensor:
    """What each word was given ``(n, vocabulary)``, evenly over its places ``(n, steps, 1)``."""
    there = given.mask & given.present[:, None]
    words = given.values.flatten(2)[..., 0].round().clamp(0, part.shape[1] - 1).long() * there
    count = part.new_zeros(part.shape).scatter_add(1, words, there.to(part.dtype)).clamp(min=1)
    return (part / count).gather(1, words)[..., None]


def _fitted(frames: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A reference's frames, repeated or cut to the steps of the items ``(n, steps, ...)``."""
    import torch

    places = torch.arange(values.shape[1], device=values.device) % len(frames)
    return frames[places].expand_as(values)


def _noise(given: Any, seed: int) -> torch.Tensor:
    """White noise like the items ``(n, steps, ...)``: the same for an item whatever it is padded to."""
    import torch

    drawn = np.random.default_rng(seed).normal(size=given.values.shape[1:])
    noise = torch.from_numpy(drawn.astype(np.float32)).to(given.values.device)
    inner = given.values.shape[2:]
    count = (given.mask.sum(dim=1) * int(np.prod(inner))).clamp(min=1).reshape(-1, 1)
    flat = given.values.flatten(1)
    mean = flat.sum(dim=1, keepdim=True) / count
    spread = ((flat.square().sum(dim=1, keepdim=True) / count) - mean.square()).clamp(min=0).sqrt()
    like: torch.Tensor = (mean + spread * noise.flatten()[None]).reshape(given.values.shape)
    return like


def _along(
    model: nn.Module, batch: Any, origin: dict[str, torch.Tensor], at: float, chosen: torch.Tensor, tokens: set[str]
) -> tuple[torch.Tensor, dict[tuple[str, int], torch.Tensor], dict[tuple[str, int], torch.Tensor]]:
    """The target logits at ``at`` of the way from origin to item, the inputs there, and the ways (item - origin).

    Inputs are named by their modality and ``VALUES``, or the number of the layer that reads them.
    """
    inputs: dict[tuple[str, int], torch.Tensor] = {}
    reach: dict[tuple[str, int], torch.Tensor] = {}
    fed = {}
    for name, given in batch.items():
        if name in tokens:
            fed[name] = given
            continue
        place = (name, VALUES)
        reach[place] = given.values - origin[name] if name in origin else given.values
        inputs[place] = (given.values - (1 - at) * reach[place]).detach().requires_grad_()
        fed[name] = given._replace(values=inputs[place])
    with _tokens_scaled(model, tokens, at, inputs, reach):
        logits = model(fed)
    return logits.gather(1, chosen), inputs, reach


@contextmanager
def _tokens_scaled(
    model: nn.Module, tokens: set[str], scale: float, inputs: dict[Any, Any], reach: dict[Any, Any]
) -> Iterator[None]:
    """While this holds, the first layers of tokens give ``scale`` of what they would and are inputs with gradients."""
    handles = []

    def hook_for(place: tuple[str, int]) -> Any:
        def hook(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
            scaled: torch.Tensor = (output * scale).detach().requires_grad_()
            inputs[place], reach[place] = scaled, output.detach()
            return scaled

        return hook

    for name in tokens:
        for number, layer in enumerate(_first_layers(model, name)):
            handles.append(layer.register_forward_hook(hook_for((name, number))))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _first_layers(model: nn.Module, name: str) -> list[Any]:
    """The token embeddings that read a modality, in the networks that the model consists of, and its statistics in the
    kernel machines."""
    from torch import nn

    layers = []
    for network in mixing.networks(model):
        if name in network.names:
            encoder = network.encoders[network.names.index(name)]
            layers += [module for module in encoder.modules() if isinstance(module, nn.Embedding)]
    return layers + [one.raw[one.names.index(name)] for one in mixing.machines(model) if name in one.names]


def _shown(part: Array, stream: Stream, row: int) -> dict[str, Any]:
    """One item's attributions ``(steps, ...)`` of one modality in the form that the report keeps."""
    kind = stream.meta.get("kind")
    steps = int(stream.lengths[row])
    part = part[:steps]
    if kind == "image" and part.ndim == 4:
        return {"grid": _rounded(_grid(part[0].sum(axis=-1)))}
    over_time = part.reshape(steps, -1).sum(axis=1)
    if kind == "tokens":
        return {"words": words(stream, row), "values": _rounded(over_time)}
    if steps == 1:
        return {"values": _rounded(part.reshape(-1)[:MOST_POINTS])}
    times = stream.item(row).times
    blocks = np.array_split(np.arange(steps), min(steps, MOST_POINTS))
    return {
        "times": [round(float(times[b].mean()), 4) for b in blocks],
        "values": _rounded(np.array([over_time[b].sum() for b in blocks])),
    }


def words(stream: Stream, row: int) -> list[str]:
    """The tokens of an item as words, where the data set carries the vocabulary; else their numbers."""
    fitted = stream.meta.get("fitted") or {}
    known = fitted.get("tokens", []) if isinstance(fitted, dict) else []
    shown = []
    for number in stream.item(row).values.reshape(-1).round().astype(int).tolist():
        place = number - FIRST_TOKEN
        unknown = "(unknown)" if known else f"#{number}"
        shown.append(str(known[place]) if 0 <= place < len(known) else unknown)
    return shown


def _grid(pixels: Array) -> Array:
    """Sums over cells of a grid of at most 16 x 16."""
    rows = np.array_split(np.arange(pixels.shape[0]), min(GRID, pixels.shape[0]))
    columns = np.array_split(np.arange(pixels.shape[1]), min(GRID, pixels.shape[1]))
    return np.array([[pixels[np.ix_(r, c)].sum() for c in columns] for r in rows])


def _rounded(values: Array) -> Any:
    return np.round(values, 5).tolist()
