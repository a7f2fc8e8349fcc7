"""From a data set to a model that may be given away: what leaks refused, the budget held, the model written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, MismatchError
from mmcli.fusion.fitting import kind_of
from mmcli.training import folds
from mmcli.training.config import TrainConfig
from mmcli.training.data import shapes
from mmcli.training.fit.initial import Initial
from mmcli.training.private import federated as federation
from mmcli.training.private import leaks, ledger, steps
from mmcli.training.private.leaks import Public
from mmcli.training.private.ledger import RELATION, PrivateConfig, Release, as_json, epsilon, version
from mmcli.training.world import World, joined, pick

KEPT = (
    *("modality", "extractor", "kind", "config", "config_sha256", "fitted_sha256", "fitted", "vocabulary_size"),
    *("rate_hz", "hop_s", "sample_rate_hz", "columns", "normaliser", "spans"),
)


def train(
    dataset: Dataset,
    config: TrainConfig,
    private: PrivateConfig,
    output: Path,
    *,
    source: Path,
    public: Public | None = None,
    declared: int | None = None,
    budget: tuple[float, float] | None = None,
    initial: Initial | None = None,
    federated: bool = False,
    report: Callable[[int], None] | None = None,
) -> tuple[Checkpoint, list[str]]:
    """Train, enter the release into the ledger beside ``source``, write ``output``; the checkpoint and its warnings.

    ``declared`` units are public, else they are counted with noise, from the same epsilon. The files differ from run
    to run, whatever the seed: the operating system seeds the noise. Of several processes the first alone writes.
    """
    public = public or Public([])
    for other in ("val", "test"):
        folds.refuse_leak(dataset.group, dataset.rows("train"), dataset.rows(other))
    dataset, told, beside = leaks.cleared(dataset, config, public)
    if beside and private.unit != "item":
        raise MismatchError(
            "its scales were released for each item, not for each group",
            hint="fuse with --normalise item, or unit=item",
        )
    if initial is not None:
        dataset, config = initial.rescaled(dataset, config.modalities), initial.sized(config)
        told.append(f"the encoders of {initial.name} (--init, --public)")
    units = steps.counted(dataset, config, private)
    if not units:
        raise InputError("the data set has no labelled item in its training split")
    if private.unit == "group" and (dataset.group[dataset.rows("train")] == "").any():
        raise InputError("unit=group, and some training item has no group", hint="give the manifest a group column")
    simple = config.fusion == steps.LINEAR
    if declared is not None:
        told.append(f"the number of units, {declared:,} (--items)")

    def decide() -> tuple[steps.Schedule, dict[str, Any], float, int]:
        schedule, releases = steps.scheduled(private, units, declared, simple, beside)
        what = f"train {output.name}"
        cost = ledger.enter(ledger.beside(source), what, private.unit, releases, budget, private.delta)
        return schedule, describe(private, schedule, releases, told), *cost

    if federated:
        with joined(pick(config.device)) as world:
            schedule, facts, total, count = federation.agreed(world, decide)
            what = federation.fit(dataset, config, private, schedule, world=world, initial=initial, report=report)
        facts["federated"] = {"rounds": schedule.steps, "steps": private.local, "size": private.step}
    else:
        world = World()
        schedule, facts, total, count = decide()
        what, _, _ = steps.fit(dataset, config, private, schedule=schedule, initial=initial, report=report)
    result = Checkpoint(
        {name: value.detach().cpu() for name, value in what.net.state_dict().items()},
        {
            "task": what.target.task,
            "model": what.model,
            "classes": what.target.classes,
            "modalities": _modalities(dataset, config),
            "training": {
                "config": steps_config(config),
                "target": what.target.facts(),
                "parameters": sum(p.numel() for p in what.net.parameters()),
            },
            "privacy": facts,
        },
    )
    if world.rank:
        return result, []
    checkpoint.save(output, result)
    said = warnings(private, schedule)
    if count > 1:
        said.append(
            f"{count} releases of {source.name} cost epsilon {total:.4g} together ({ledger.beside(source).name})"
        )
    return result, said


def describe(
    private: PrivateConfig, schedule: steps.Schedule, releases: Sequence[Release], told: Sequence[str]
) -> dict[str, Any]:
    """The ``privacy`` of a checkpoint."""
    return {
        "epsilon": math.ceil(epsilon(releases, private.delta) * 1e6) / 1e6,
        "delta": private.delta,
        "unit": private.unit,
        "relation": RELATION,
        "accountant": version(),
        "noise": schedule.noise,
        "rate": schedule.rate,
        "steps": schedule.steps,
        "clip": schedule.clip,
        "releases": as_json(releases),
        "public": list(told),
        "sampling": "poisson" if schedule.rate < 1 else "everything",
    }


def warnings(private: PrivateConfig, schedule: steps.Schedule) -> list[str]:
    """What a person should know before giving the model away."""
    said = []
    if private.delta > 1.0 / schedule.units:
        said.append(
            f"delta {private.delta:g} is above 1/{schedule.units:,}: it allows giving one whole {private.unit} away"
        )
    if private.epsilon > 10:
        said.append(f"epsilon {private.epsilon:g} promises little: above 10 an attack may be right nearly always")
    return said


def _modalities(dataset: Dataset, config: TrainConfig) -> dict[str, Any]:
    """Per stream what a reader needs to bring other items to it: nothing that counts or names these rows."""
    described = {}
    for shape in shapes(dataset, config.modalities):
        stream = dataset.streams[shape.name]
        kept = {k: v for k, v in stream.meta.items() if k in KEPT}
        described[shape.name] = kept | {"kind": kind_of(stream), "shape": list(shape.shape)}
    return described


def steps_config(config: TrainConfig) -> dict[str, Any]:
    """The options in force, as JSON; the seed fixes the first weights alone."""
    names = ("task", "fusion", "modalities", "encoders", "auxiliary", "width", "seed")
    return {n: list(v) if isinstance(v := getattr(config, n), tuple) else v for n in names}
