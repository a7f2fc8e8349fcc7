"""The finished networks of an ensemble, kept while the others train, so that a killed run need not train them again.

A network is a function of the data, the configuration and the rows it trains on; with those that are kept and those
that are trained again a continued run ends in the same bytes. What is solved and not trained is solved again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.errors import ArtifactError
from mmcli.training.data import Target
from mmcli.training.fit.loop import Run

_FACTS = ("model", "history", "best_epoch", "parameters")


class Finished:
    """Runs by key. ``path`` None keeps nothing; ``saved`` is what an earlier process left there."""

    def __init__(
        self, path: Path | None, facts: dict[str, Any], saved: Checkpoint | None = None, save_every_s: float = 0.0
    ) -> None:
        self.path, self.facts, self.save_every_s = path, facts, save_every_s
        self.last = time.monotonic()
        self.runs: dict[str, dict[str, Any]] = {}
        if saved is not None:
            self._restore(saved)

    def __call__(self, key: str, target: Target, train: Callable[[], Run]) -> Run:
        """The run that is kept under ``key``, else a new one."""
        kept = self.runs.get(key)
        if kept is not None:
            return Run(target=target, **kept)
        run = train()
        self.runs[key] = {name: getattr(run, name) for name in (*_FACTS, "tensors")}
        if self.path is not None and time.monotonic() - self.last >= self.save_every_s:
            self._save(self.path)
            self.last = time.monotonic()
        return run

    def _save(self, path: Path) -> None:
        tensors = {f"{i}/{k}": v for i, run in enumerate(self.runs.values()) for k, v in run["tensors"].items()}
        parts = [{"key": key, **{name: run[name] for name in _FACTS}} for key, run in self.runs.items()]
        training = {"run": self.facts, "parts": parts}
        config = {"task": "resume", "model": {}, "classes": None, "modalities": {}, "training": training}
        checkpoint.save(path, Checkpoint(tensors, config))

    def _restore(self, saved: Checkpoint) -> None:
        tensors: dict[str, dict[str, Any]] = {}
        for name, value in saved.tensors.items():
            part, _, rest = name.partition("/")
            tensors.setdefault(part, {})[rest] = value
        try:
            for i, part in enumerate(saved.config["training"]["parts"]):
                self.runs[part["key"]] = {name: part[name] for name in _FACTS} | {"tensors": tensors[str(i)]}
        except (KeyError, TypeError) as problem:
            raise ArtifactError("is not the state of an unfinished pool", source=self.path) from problem
