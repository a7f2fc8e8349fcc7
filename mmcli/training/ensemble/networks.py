"""Networks as candidates: one for each stream, and one for all of them with each fusion block that takes part.

With ``--effort usual`` there is one network for each sequence, of which machines that are solved see a summary only; it
trains as long as it would by itself. Without sequences, or with many, there is one network of all streams, trained for
fewer epochs: machines see all of a vector, and it has to add to them. The one that ships starts from the weights that
the first part of the folds left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.models.parts import StreamShape
from mmcli.training import plan as sizes
from mmcli.training import world
from mmcli.training.config import THOROUGH, TrainConfig
from mmcli.training.data import Data, Target
from mmcli.training.ensemble.division import Rows
from mmcli.training.ensemble.finished import Finished
from mmcli.training.ensemble.raced import Fitted, Runner
from mmcli.training.ensemble.solved import answered
from mmcli.training.fit.initial import Initial
from mmcli.training.fit.loop import Average, Run, State, fit

RANK = 4
JOINT = {"usual": ("concat",), THOROUGH: ("concat", "attention"), "quick": ("concat",)}
# On the digits of sample_data (tests/benchmarks/bench_voices.py, units -1 and 2) machines alone left a loss of .311 and
# .281 on the folds; with one network of all streams for half of the epochs .204 and .281 (13 s of processor time), with
# one for the sound and one for the words for all of them .177 and .188 (14-16 s), for half of them .211 and .258 (9 s).
OVER_TIME = ("sequence", "spectrogram", "tokens")  # kinds of streams whose networks are cheap for what they add
MOST_ALONE = 3  # sequences that have a network each
JOINTLY, ALONE, FEWEST = 0.5, 1.0, 10  # of the usual epochs with --effort usual, and at least
WARM = 12  # epochs where a network starts from another's weights, at most 0.4 of those that it would train for
WARM_SHARE = 0.4
WARM_RATE = 0.5  # of the learning rate there

Restore = Callable[[State, torch.nn.Module, torch.optim.Optimizer, Average], None]


def runners(
    dataset: Dataset,
    data: Data,
    streams: Sequence[StreamShape],
    target: Target,
    rows_of: Callable[[Rows, int | None], Rows],
    config: TrainConfig,
    finished: Finished,
    initial: Initial | None,
) -> list[Runner]:
    """What the race runs; ``rows_of`` gives the rows to train on, which may hold made items where all are asked for."""
    plans = [(block, list(streams), block) for block in JOINT[config.effort]] if len(streams) > 1 else []
    if not plans or config.effort == THOROUGH or config.candidates == "networks":
        plans = [(s.name, [s], "concat") for s in streams] + plans
    elif alone := sequences(streams):
        plans = [(s.name, [s], "concat") for s in alone]
    val = dataset.rows("val")
    made = []
    for title, used, block in plans:
        chosen = replace(config, fusion=block, modalities=tuple(s.name for s in used))
        made.append(_runner(title, chosen, used, dataset, data, target, val, rows_of, finished, initial))
    return made


def sequences(streams: Sequence[StreamShape]) -> list[StreamShape]:
    """The streams that have a network of their own with ``--effort usual``: what goes on in time; none where many."""
    some = [stream for stream in streams if stream.kind in OVER_TIME]
    return some if len(some) <= MOST_ALONE else []


def _runner(
    title: str,
    config: TrainConfig,
    streams: Sequence[StreamShape],
    dataset: Dataset,
    data: Data,
    target: Target,
    val: Rows,
    rows_of: Callable[[Rows, int | None], Rows],
    finished: Finished,
    initial: Initial | None,
) -> Runner:
    kept: dict[int | None, Run] = {}
    share = ALONE if sequences(streams) == streams else JOINTLY
    hurried = config.effort != THOROUGH and config.epochs == 0

    def train(rows: Rows, number: int | None) -> Fitted:
        chosen = config
        warm: dict[str, Any] = {}
        if hurried:
            epochs = max(FEWEST, round(share * sizes.epochs(len(rows), config)))
            chosen = replace(config, epochs=epochs)
            if number is None and 0 in kept and initial is None:
                fewer = max(1, min(WARM, round(WARM_SHARE * epochs)))
                chosen = replace(chosen, epochs=fewer, rate=WARM_RATE * config.rate)
                warm = {"model": kept[0].model, "restore": _starting(kept[0].tensors)}
        chosen_rows = rows_of(rows, number)
        run = finished(
            f"{title} {number}",
            target,
            lambda: fit(dataset, chosen, train=chosen_rows, val=val, target=target, initial=initial, **warm),
        )
        kept[number] = run
        return run.model, run.tensors, run.history

    def answer(fitted: Fitted, rows: Rows) -> Tensor:
        with world.deterministic(config.threads, torch.device("cpu")):
            return answered(fitted[0], fitted[1], data, rows)

    return Runner(title, list(config.modalities), RANK, train, answer)


def _starting(tensors: dict[str, Tensor]) -> Restore:
    """Puts weights into a fresh network before its first step."""

    def restore(state: State, net: torch.nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> None:
        net.load_state_dict(tensors)
        average.values = [p.detach().clone() for p in net.parameters()]

    return restore
