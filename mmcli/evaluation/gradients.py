"""Which seconds, which region, which words: integrated gradients of one of our networks, item by item.

A path runs from a reference to the item; an input's share is its distance from the reference times the mean gradient
along the path (M. Sundararajan et al., ICML 2017, eq. 1; midpoint rule). References are other items (expected
gradients: G. Erion et al., Nature Machine Intelligence 3, 2021), the mean over a few of them is kept: a path from
zeros says nothing of a network that normalises its activations, because along it only the scale changes. Tokens start
from an embedding of zeros, the first layer that has gradients. The shares add up to what the item's score has above
the references' mean; ``gap`` says by how much the sum misses that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.dataset import Dataset, Stream
from mmcli.evaluation.mixing import Access
from mmcli.evaluation.protocol import Indices

if TYPE_CHECKING:
    import torch

    from mmcli.models.network import Network

Array = NDArray[np.float64]

REFERENCES = 5  # items that paths start from
STEPS = 8  # points along each path
MOST_POINTS = 200  # of a curve over time in the report
GRID = 16  # cells along the longer side of a picture in the report
FIRST_TOKEN = 2  # numbers below are padding and unknown (mmcli.extractors.text.tokens)


def explain(
    access: Access, dataset: Dataset, rows: Indices, targets: NDArray[np.int64], references: Indices | None = None
) -> list[dict[str, Any]]:
    """One object per item: ``{toward, gap, share: {modality: x}, modalities: {modality: {...}}}``.

    ``targets`` ``(n,)`` is the output explained for each item; ``references`` are the items to draw references from
    (None: all). A modality is ``{times, values}`` over time (seconds, at most 200 points), ``{grid}`` over a picture,
    ``{words, values}`` over a text, or ``{values}`` of a vector. ``share`` is the sum over a modality, in logits.
    """
    starts = _references(access, dataset, np.arange(dataset.items) if references is None else references)
    found: list[dict[str, Any]] = []
    start = 0
    for batch in access.batches(dataset, rows):
        count = len(next(iter(batch.values())).present)
        inside = slice(start, start + count)
        parts, gap = _attributions(access.network, batch, targets[inside], starts)
        for i, row in enumerate(rows[inside]):
            modalities: dict[str, Any] = {}
            share: dict[str, float] = {}
            for name, part in parts.items():
                if name not in dataset.streams or not bool(batch[name].present[i]):
                    continue
                share[name] = float(part[i].sum())
                modalities[name] = _shown(part[i], dataset.streams[name], int(row))
            toward = int(targets[inside][i])
            found.append({"toward": toward, "gap": float(gap[i]), "share": share, "modalities": modalities})
        start += count
    return found


def _references(access: Access, dataset: Dataset, rows: Indices) -> list[dict[str, torch.Tensor]]:
    """Per reference the real frames ``(steps, ...)`` of each modality of real numbers, evenly picked from the rows."""
    picked: list[dict[str, torch.Tensor]] = [{} for _ in range(REFERENCES)]
    for name in access.network.names:
        if name not in dataset.streams or _embedding(access.network, name) is not None:
            continue
        have = rows[dataset.streams[name].present[rows]]
        if len(have) == 0:
            continue
        chosen = have[np.linspace(0, len(have) - 1, REFERENCES).round().astype(np.int64)]
        for k in range(REFERENCES):
            given = next(iter(access.batches(dataset, chosen[k : k + 1])))[name]
            picked[k][name] = given.values[0][given.mask[0]]
    return picked


def _attributions(
    network: Network, batch: Any, targets: NDArray[np.int64], starts: list[dict[str, torch.Tensor]]
) -> tuple[dict[str, Array], Array]:
    """Per modality the attributions ``(n, steps, ...)`` of the target logits, and the completeness gap ``(n,)``."""
    import torch

    network.eval()
    chosen = torch.from_numpy(targets).to(next(network.parameters()).device)[:, None]
    parts: dict[str, torch.Tensor] = {}
    low: torch.Tensor | float = 0.0
    high = _along(network, batch, {}, 1.0, chosen)[0].detach()
    for start in starts:
        origin = {name: _fitted(start[name], given.values) for name, given in batch.items() if name in start}
        low = low + _along(network, batch, origin, 0.0, chosen)[0].detach() / len(starts)
        for k in range(STEPS):
            scores, inputs, reach = _along(network, batch, origin, (k + 0.5) / STEPS, chosen)
            gradients = torch.autograd.grad(scores.sum(), list(inputs.values()), allow_unused=True)
            for name, gradient in zip(inputs, gradients, strict=True):
                if gradient is None:
                    continue
                part = reach[name] * gradient / (STEPS * len(starts))
                parts[name] = parts[name] + part if name in parts else part
    shares: dict[str, Array] = {}
    for name, part in parts.items():
        there = batch[name].mask & batch[name].present[:, None]
        if _embedding(network, name) is not None:
            part = part.sum(dim=-1, keepdim=True)
        part = part * there.reshape(*there.shape, *[1] * (part.dim() - 2))
        shares[name] = part.detach().double().cpu().numpy()
    total = sum(part.reshape(len(part), -1).sum(axis=1) for part in shares.values())
    return shares, np.asarray(total - (high - low).double().cpu().numpy()[:, 0], np.float64)


def _fitted(frames: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A reference's frames, repeated or cut to the steps of the items ``(n, steps, ...)``."""
    import torch

    places = torch.arange(values.shape[1], device=values.device) % len(frames)
    return frames[places].expand_as(values)


def _along(
    network: Network, batch: Any, origin: dict[str, torch.Tensor], at: float, chosen: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The target logits at ``at`` of the way from origin to item, the inputs there, and the ways (item - origin)."""
    inputs: dict[str, torch.Tensor] = {}
    reach: dict[str, torch.Tensor] = {}
    fed = {}
    for name, given in batch.items():
        if _embedding(network, name) is not None:
            fed[name] = given
            continue
        reach[name] = given.values - origin[name] if name in origin else given.values
        inputs[name] = (given.values - (1 - at) * reach[name]).detach().requires_grad_()
        fed[name] = given._replace(values=inputs[name])
    with _embeddings_scaled(network, at, inputs, reach):
        logits = network(fed)
    return logits.gather(1, chosen), inputs, reach


@contextmanager
def _embeddings_scaled(network: Network, scale: float, inputs: dict[str, Any], reach: dict[str, Any]) -> Iterator[None]:
    handles = []

    def hook_for(name: str) -> Any:
        def hook(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
            scaled: torch.Tensor = (output * scale).detach().requires_grad_()
            inputs[name], reach[name] = scaled, output.detach()
            return scaled

        return hook

    for name in network.names:
        embedding = _embedding(network, name)
        if embedding is not None:
            handles.append(embedding.register_forward_hook(hook_for(name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _embedding(network: Network, name: str) -> Any:
    """The token embedding of a modality's encoder, or None."""
    from torch import nn

    encoder = network.encoders[network.names.index(name)]
    return next((module for module in encoder.modules() if isinstance(module, nn.Embedding)), None)


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
    found = []
    for number in stream.item(row).values.reshape(-1).round().astype(int).tolist():
        place = number - FIRST_TOKEN
        unknown = "(unknown)" if known else f"#{number}"
        found.append(str(known[place]) if 0 <= place < len(known) else unknown)
    return found


def _grid(pixels: Array) -> Array:
    """Sums over cells of a grid of at most 16 x 16."""
    rows = np.array_split(np.arange(pixels.shape[0]), min(GRID, pixels.shape[0]))
    columns = np.array_split(np.arange(pixels.shape[1]), min(GRID, pixels.shape[1]))
    return np.array([[pixels[np.ix_(r, c)].sum() for c in columns] for r in rows])


def _rounded(values: Array) -> Any:
    return np.round(values, 5).tolist()
