"""Networks of ours with random weights, and how evaluation gets at their inside."""

from __future__ import annotations

import numpy as np
import torch

from mmcli.evaluation.explain import mixing
from mmcli.models.nets import network
from mmcli.models.nets.factory import Stack
from mmcli.models.nets.kernel import Kernel

from .conftest import Answers


def net(fusion: str = "concat", seed: int = 0) -> network.Network:
    """A network of ours over x and y of the made data sets, with random weights."""
    torch.manual_seed(seed)
    part = {"encoder": "mlp", "config": {"inputs": 3, "width": 8, "hidden": 8}}
    fused: dict = {"name": fusion, "config": {"modalities": 2, "width": 8}}
    config = {
        "name": "network",
        "modalities": [{"name": "x", **part}, {"name": "y", **part}],
        "fusion": fused,
        "head": {"outputs": 3, "hidden": 8},
        "auxiliary": True,
    }
    return network.Network(config).eval()


def access_to(network_: network.Network, size: int = 7) -> mixing.Access:
    """The inside of a network whose input is padded by hand."""

    def batches(dataset, rows):
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            batch = {}
            for name in network_.names:
                stream = dataset.streams[name].select(chosen)
                longest = max(1, int(stream.lengths.max()))
                values = np.zeros((len(chosen), longest, *stream.values.shape[1:]), np.float32)
                mask = np.zeros((len(chosen), longest), bool)
                for i in range(len(chosen)):
                    item = stream.item(i).values
                    values[i, : len(item)], mask[i, : len(item)] = item, True
                tensors = (torch.from_numpy(a) for a in (values, mask, stream.present))
                batch[name] = network.Input(*tensors)
            yield batch

    def meaning(logits):
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True), None

    return mixing.Access(network_, batches, meaning)


def predict_with(access: mixing.Access):
    def call(dataset, rows):
        with torch.no_grad():
            logits = torch.cat([access.model(batch) for batch in access.batches(dataset, rows)])
        return Answers(probabilities=access.meaning(logits.double().numpy())[0])

    return call


def stack(task: str = "classify", *, fallback: bool = False) -> Stack:
    """A pool of a network of x, a kernel machine of both modalities and a network of both, with random weights."""
    torch.manual_seed(3)
    part = {"encoder": "mlp", "config": {"inputs": 3, "width": 8, "hidden": 8}}
    single = {
        "name": "network",
        "modalities": [{"name": "x", **part}],
        "fusion": {"name": "concat", "config": {"modalities": 1, "width": 8}},
        "head": {"outputs": 3},
    }
    stream = {"kind": "vector", "shape": [3], "vocabulary_size": 0, "gamma": 0.7}
    machine = Kernel(
        {
            "name": "kernel",
            "rows": 5,
            "outputs": 3,
            "gain": 2.0,
            "modalities": [{"name": "y", **stream}, {"name": "x", **stream}],
        }
    )
    for name, buffer in machine.named_buffers():
        if name == "there":
            buffer.copy_(torch.rand(buffer.shape) < 0.8)
        elif not name.startswith("scale"):
            buffer.copy_(torch.randn(buffer.shape))
    members = [network.Network(single), machine, net()]
    parts_ = [{"title": t, "weight": w, "gain": 1.3} for t, w in (("x", 0.5), ("kernel", 0.8), ("both", 0.4))]
    if fallback:  # only x counts; the others speak where it is absent
        parts_ = [part | {"fallback": part["title"] != "x"} for part in parts_]
    config = {"task": task, "outputs": 3, "modalities": [{"name": "x"}, {"name": "y"}], "members": parts_}
    pooled = Stack(config, members)
    pooled.get_buffer("prior").copy_(torch.log(torch.tensor([0.5, 0.3, 0.2])))
    return pooled.eval()
