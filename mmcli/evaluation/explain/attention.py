"""Where one of our networks looks: the weights of attention pooling over time, and of the fusion over modalities.

Attention says what was read, not what decided (S. Jain and B. C. Wallace, NAACL 2019): integrated gradients are the
explanation, these weights are what the model itself computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.evaluation.explain import mixing
from mmcli.evaluation.model import Access, Indices

if TYPE_CHECKING:
    import torch

MOST_POINTS = 200


def export(access: Access, dataset: Dataset, rows: Indices) -> list[dict[str, Any]]:
    """One object per item: ``{pooling: {modality: weights}, modalities: {modality: weight}}``, each summing to 1.

    ``pooling`` has at most 200 points, evenly spread over the item; ``modalities`` is there where the fusion block
    attends over modalities, from its last layer, averaged over heads. Empty objects where there is no attention, or
    there are several networks.
    """
    inside = mixing.networks(access.model)
    if len(inside) != 1:  # no network, or several that look at different things
        return [{} for _ in rows]
    entries: list[dict[str, Any]] = []
    for batch in access.batches(dataset, rows):
        entries += _of_batch(inside[0], batch)
    return entries


def _of_batch(network: Any, batch: Any) -> list[dict[str, Any]]:
    import torch

    from mmcli.models.multihead import Attention
    from mmcli.models.parts import AttentionPool, softmax

    pooled: dict[str, torch.Tensor] = {}
    fused: list[torch.Tensor] = []
    handles = []

    def pool_hook(name: str) -> Any:
        def hook(module: Any, given: Any) -> None:
            sequence, mask = given
            pooled[name] = softmax(module.score(sequence).squeeze(-1), mask)

        return hook

    def fusion_hook(module: Any, given: Any) -> None:
        queries, seen, mask = given
        q = module.query(queries).unflatten(-1, (module.heads, -1)).transpose(1, 2)
        k = module.key_value(seen).unflatten(-1, (2, module.heads, -1)).permute(2, 0, 3, 1, 4)[0]
        scores = q[:, :, :1] @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        fused.append(softmax(scores, mask[:, None, None, :].expand_as(scores)).mean(dim=1)[:, 0])

    for name, encoder in zip(network.names, network.encoders, strict=True):
        if isinstance(encoder.pool, AttentionPool):
            handles.append(encoder.pool.register_forward_pre_hook(pool_hook(name)))
    for module in network.fusion.modules():
        if isinstance(module, Attention):
            handles.append(module.register_forward_pre_hook(fusion_hook))
    try:
        with torch.no_grad():
            network(batch)
    finally:
        for handle in handles:
            handle.remove()
    count = len(next(iter(batch.values())).present)
    # The fusion's tokens are its query and then the modalities.
    whole = len(fused) > 0 and fused[-1].shape[1] == len(network.names) + 1
    over = fused[-1][:, 1:].double().cpu().numpy() if whole else None
    result = []
    for i in range(count):
        entry: dict[str, Any] = {}
        weights = {
            name: _thinned(values[i].double().cpu().numpy())
            for name, values in pooled.items()
            if bool(batch[name].present[i])
        }
        if weights:
            entry["pooling"] = weights
        if over is not None and over[i].sum() > 0:
            share = over[i] / over[i].sum()
            entry["modalities"] = {
                name: round(float(share[m]), 5) for m, name in enumerate(network.names) if share[m] > 0
            }
        result.append(entry)
    return result


def _thinned(weights: NDArray[np.float64]) -> list[float]:
    """The weights of the real steps (those above zero), summed into at most 200 stretches."""
    real = weights[: int(np.flatnonzero(weights).max(initial=0)) + 1]
    parts = np.array_split(real, min(len(real), MOST_POINTS))
    return [round(float(part.sum()), 5) for part in parts]
