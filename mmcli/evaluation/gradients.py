"""Which seconds, which region, which words: integrated gradients of one of our networks, item by item.

The path runs from a neutral input (zeros: the training mean of a normalised stream, nothing of a token) to the item; an
input's share is its value times the mean gradient along it (M. Sundararajan et al., ICML 2017, eq. 1; midpoint rule).
The shares add up to what the item's score has above the neutral input's; ``gap`` says by how much the sum misses it.
Tokens are followed through their embedding, which is the first layer that has gradients.
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

STEPS = 24  # points along the path
MOST_POINTS = 200  # of a curve over time in the report
GRID = 16  # cells along the longer side of a picture in the report
FIRST_TOKEN = 2  # numbers below are padding and unknown (mmcli.extractors.text.tokens)


def explain(access: Access, dataset: Dataset, rows: Indices, targets: NDArray[np.int64]) -> list[dict[str, Any]]:
    """One object per item: ``{toward, gap, share: {modality: x}, modalities: {modality: {...}}}``.

    ``targets`` ``(n,)`` is the output explained for each item. A modality is ``{times, values}`` over time (seconds,
    at most 200 points), ``{grid}`` over a picture, ``{words, values}`` over a text, or ``{values}`` of a vector.
    ``share`` is the sum over a modality, in logits.
    """
    found: list[dict[str, Any]] = []
    start = 0
    for batch in access.batches(dataset, rows):
        count = len(next(iter(batch.values())).present)
        inside = slice(start, start + count)
        parts, gap = _attributions(access.network, batch, targets[inside])
        for i, row in enumerate(rows[inside]):
            modalities: dict[str, Any] = {}
            share: dict[str, float] = {}
            for name, part in parts.items():
                if name not in dataset.streams or not bool(batch[name].present[i]):
                    continue
                share[name] = float(part[i].sum())
                modalities[name] = _shown(part[i], dataset.streams[name], int(row))
            found.append(
                {"toward": int(targets[inside][i]), "gap": float(gap[i]), "share": share, "modalities": modalities}
            )
        start += count
    return found


def _attributions(network: Network, batch: Any, targets: NDArray[np.int64]) -> tuple[dict[str, Array], Array]:
    """Per modality the attributions ``(n, steps, ...)`` of the target logits, and the completeness gap ``(n,)``."""
    import torch

    network.eval()
    chosen = torch.from_numpy(targets).to(next(network.parameters()).device)[:, None]
    sums: dict[str, torch.Tensor] = {}
    for k in range(STEPS):
        scores, inputs = _scaled(network, batch, (k + 0.5) / STEPS, chosen)
        gradients = torch.autograd.grad(scores.sum(), list(inputs.values()), allow_unused=True)
        for name, gradient in zip(inputs, gradients, strict=True):
            if gradient is not None:
                sums[name] = sums.get(name, 0.0) + gradient.detach()
    ends = []
    parts: dict[str, Array] = {}
    for scale in (0.0, 1.0):
        scores, inputs = _scaled(network, batch, scale, chosen)
        ends.append(scores.detach().double().cpu().numpy()[:, 0])
    for name, whole in inputs.items():
        mean = sums[name] / STEPS if name in sums else torch.zeros_like(whole)
        part = (whole * mean).detach()
        if _embedding(network, name) is not None:
            part = part.sum(dim=-1, keepdim=True)
        there = batch[name].mask & batch[name].present[:, None]
        part = part * there.reshape(*there.shape, *[1] * (part.dim() - 2))
        parts[name] = part.double().cpu().numpy()
    total = sum(part.reshape(len(part), -1).sum(axis=1) for part in parts.values())
    return parts, np.asarray(total - (ends[1] - ends[0]), np.float64)


def _scaled(
    network: Network, batch: Any, scale: float, chosen: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The target logits of the batch with every input scaled, and the scaled inputs that gradients are taken of."""
    inputs: dict[str, torch.Tensor] = {}
    fed = {}
    for name, given in batch.items():
        if _embedding(network, name) is None:
            scaled = (given.values * scale).detach().requires_grad_()
            inputs[name] = scaled
            fed[name] = given._replace(values=scaled)
        else:
            fed[name] = given
    with _embeddings_scaled(network, scale, inputs):
        logits = network(fed)
    return logits.gather(1, chosen), inputs


@contextmanager
def _embeddings_scaled(network: Network, scale: float, inputs: dict[str, Any]) -> Iterator[None]:
    handles = []

    def hook_for(name: str) -> Any:
        def hook(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
            scaled: torch.Tensor = (output * scale).detach().requires_grad_()
            inputs[name] = scaled
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
