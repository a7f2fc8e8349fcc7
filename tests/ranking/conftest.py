"""A planted world: users like items near a favourite place; one modality tells the place, the other is noise."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.formats.events import Events


def world(seed: int, items: int = 120, users: int = 150, liked: int = 12, carrier: bool = True):
    """Events of users, and the data set of the items: stream ``text`` carries (or nothing does), ``image`` never."""
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(items, 3))
    user, item, time = [], [], []
    for u in range(users):
        distance = np.linalg.norm(place - place[rng.integers(items)], axis=1)
        chance = np.exp(-4 * distance / distance.mean()) if carrier else np.ones(items)
        for i in rng.choice(items, liked, replace=False, p=chance / chance.sum()):
            user.append(u)
            item.append(int(i))
            time.append(float(rng.integers(1_000_000)))
    order = np.argsort(time, kind="stable")
    ids = [f"i{n:03d}" for n in range(items)]
    events = Events(
        [f"u{n}" for n in range(users)],
        ids,
        np.array(user, np.int32)[order],
        np.array(item, np.int32)[order],
        np.arange(len(user), dtype=np.int64),
        time=np.array(time)[order],
        rows=len(user),
    )
    text = np.hstack([place, rng.normal(size=(items, 2))]).astype(np.float32)
    streams = {"text": vectors(text), "image": vectors(rng.normal(size=(items, 6)).astype(np.float32))}
    return events, Dataset(streams, ids, ["train"] * items, [""] * items, meta={"task": None})


def vectors(values: np.ndarray) -> Stream:
    n = len(values)
    return Stream(values, np.arange(n + 1), np.zeros(n), np.ones(n, bool), meta={"kind": "vector"})


@pytest.fixture(scope="session")
def planted():
    return world(0)
