"""The state of an unfinished run as a checkpoint file, from which it goes on to the same bytes as without a break."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.errors import ArtifactError, MismatchError
from mmcli.training.average import Average
from mmcli.training.fit.loop import State

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save(
    path: Path,
    facts: dict[str, Any],
    state: State,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
) -> None:
    """Write everything that a later process needs; ``facts`` names the run (its configuration and inputs)."""
    tensors: dict[str, Tensor] = {f"net/{name}": value for name, value in net.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in state.best.items()}
    tensors |= {f"average/{i}": value for i, value in enumerate(average.values)}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": moments[name] for name in _MOMENTS}
    progress = {
        "epoch": state.epoch,
        "step": state.step,
        "best_epoch": state.best_epoch,
        "best_loss": None if math.isinf(state.best_loss) else state.best_loss,
        "history": state.history,
        "updates": average.updates,
    }
    config = {"task": "resume", "model": {}, "classes": None, "modalities": {}, "training": {"run": facts} | progress}
    checkpoint.save(path, Checkpoint(tensors, config))


def load(path: Path, facts: dict[str, Any]) -> Checkpoint:
    """The saved state. Raises :class:`MismatchError` where it belongs to another run than ``facts`` names."""
    found = checkpoint.load(path)
    stored = found.config["training"].get("run")
    if found.config["task"] != "resume" or not isinstance(stored, dict):
        raise ArtifactError("is not the state of an unfinished run", source=path)
    for key in facts:
        if stored.get(key) != facts[key]:
            raise MismatchError(
                f"belongs to a run with another {key}",
                source=path,
                hint="repeat that run's options, or leave out --resume",
            )
    return found


def restore(
    found: Checkpoint, state: State, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average
) -> None:
    """Put a saved state into a fresh run. Raises :class:`ArtifactError` where its tensors do not fit."""
    progress = found.config["training"]
    device = next(net.parameters()).device
    parts: dict[str, dict[str, Tensor]] = {"net": {}, "best": {}, "average": {}, "optimizer": {}}
    for name, value in found.tensors.items():
        family, _, rest = name.partition("/")
        parts.setdefault(family, {})[rest] = value.to(device)
    try:
        net.load_state_dict(parts["net"])
        for i, mean in enumerate(average.values):
            mean.copy_(parts["average"][str(i)])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimizer"].items():
            index, _, moment = name.partition("/")
            moments.setdefault(int(index), {})[moment] = value.cpu() if moment == "step" else value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        best_loss = progress["best_loss"]
        state.epoch, state.step, state.best_epoch = (int(progress[k]) for k in ("epoch", "step", "best_epoch"))
        state.best_loss = math.inf if best_loss is None else float(best_loss)
        state.history = list(progress["history"])
        average.updates = int(progress["updates"])
    except (KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise ArtifactError(f"does not fit this run ({str(problem).splitlines()[0][:200]})") from problem
    state.best = parts["best"]
