"""The audit passes what is right and fails each fault that a training can have."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from mmcli.cli.app import run as main
from mmcli.training.config import TrainConfig
from mmcli.training.private import audit, noise
from mmcli.training.private.ledger import PrivateConfig
from mmcli.training.private.steps import Engine, Schedule

pytest.importorskip("dp_accounting", reason="needs the extra private")
sys.path.insert(0, str(Path(__file__).parent))
import made

PRIVATE = PrivateConfig(epsilon=1.0)
SCHEDULE = Schedule(units=180, steps=30, rate=0.1, noise=1.5, clip=1.0, learning=1.0, momentum=0.9, kept=3)
RIGHT = {name: getattr(Engine, name) for name in ("noised", "clipped", "draw")}


def off(self, sums):
    return [s.double() for s in sums]


def less(self, sums):
    return noise.add(sums, self.schedule.clip, 0.9 * self.schedule.noise, self.read)


def divided(self, sums):
    return noise.add(sums, self.schedule.clip, self.schedule.noise / self.schedule.divisor, self.read)


def uncut(self, units):
    schedule, self.schedule = self.schedule, dataclasses.replace(self.schedule, clip=1e9)
    try:
        return RIGHT["clipped"](self, units)
    finally:
        self.schedule = schedule


def shuffled(self):
    """Batches of one size, each item once before any comes again."""
    size = max(1, round(self.units * self.schedule.rate))
    waiting = getattr(self, "waiting", np.zeros(0, np.int64))
    if len(waiting) < size:
        waiting = np.random.default_rng().permutation(self.units)
    self.waiting = waiting[size:]
    return np.sort(waiting[:size])


FAULTS = {
    "noise off": ("noised", off, "noise"),
    "noise x 0.9": ("noised", less, "noise"),
    "noise divided by the batch": ("noised", divided, "noise"),
    "no clipping": ("clipped", uncut, "clipping"),
    "shuffled batches": ("draw", shuffled, "sampling"),
}


def audited(fusion: str = "linear", **changes: float) -> dict[str, bool]:
    schedule = dataclasses.replace(SCHEDULE, **changes)
    outcome = audit.audit(made.data(), TrainConfig(fusion=fusion, width=8), PRIVATE, schedule)
    return {check["name"]: check["ok"] for check in outcome["checks"]}


@pytest.mark.parametrize("fusion", ["linear", "mean"])
def test_what_is_right_passes(fusion):
    assert all(audited(fusion).values())


def test_what_is_right_passes_at_full_batches_too():
    assert all(audited(rate=1.0, noise=30.0).values())


@pytest.mark.hunt
def test_what_is_right_passes_a_hundred_times_of_a_hundred():
    assert sum(all(audited().values()) for _ in range(100)) == 100


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_each_fault_is_seen_by_the_test_that_is_for_it(fault, rate, monkeypatch):
    part, wrong, seen_by = FAULTS[fault]
    monkeypatch.setattr(Engine, part, wrong)
    assert not audited(rate=rate)[seen_by]


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_the_command_ends_with_one_where_the_training_is_faulty(fault, monkeypatch, tmp_path, capsys):
    if fault is not None:
        monkeypatch.setattr(Engine, *FAULTS[fault][:2])
    data = made.saved(tmp_path / "d.npz")
    words = [
        "train",
        str(data),
        "-o",
        str(tmp_path / "m.pt"),
        "--private",
        "epsilon=1,steps=20",
        "--items",
        "180",
        "--audit",
    ]
    assert main(words) == (0 if fault is None else 1)
    said = capsys.readouterr().err
    assert "not whether the random numbers can be guessed" in said  # what no test can see is said
    assert not (tmp_path / "m.pt").exists()
    assert not (tmp_path / "d.privacy.ndjson").exists()


def test_the_one_run_bound_sees_noise_that_is_off_at_a_small_epsilon(monkeypatch):
    monkeypatch.setattr(Engine, "noised", off)
    assert not audited()["one-run bound"]


def test_it_is_said_that_the_bound_cannot_fail_at_epsilon_eight():
    assert "cannot fail" in audit.limits(8.0)[-1]
    assert "can fail" in audit.limits(1.0)[-1]
