"""Factors from users in blocks are those of all users at once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from mmcli.ranking import row_blocks
from mmcli.ranking.methods import ials


@pytest.fixture
def histories():
    dense = np.random.default_rng(3).random((300, 40)) < np.linspace(0.02, 0.5, 40)
    dense[17] = False  # a user without events
    dense[:, 0] = False  # and an item
    return sp.csr_matrix(dense.astype(np.float32))


def cut(histories, folder, monkeypatch):
    monkeypatch.setattr(row_blocks, "EVENTS", 400)
    return row_blocks.gathered(row_blocks.pairs(histories), histories.shape, histories.nnz, folder)


def test_factors_of_blocks_equal_those_of_the_whole(histories, tmp_path, monkeypatch):
    config = ials.Config(8, 0.5, 4.0, 4)
    monkeypatch.setattr(ials, "_EXACT", 0)  # by conjugate gradients, as many events are
    whole = ials.fit(histories, config, seed=1)
    blocks = cut(histories, tmp_path, monkeypatch)
    assert len(blocks) > 4
    parts = ials.fit_blocks(blocks, config, seed=1, jobs=2)
    assert np.array_equal(parts.popularity, whole.popularity)
    assert np.abs(parts.factors - whole.factors).max() < 1e-5 * np.abs(whole.factors).max()


def test_many_events_go_through_blocks_by_themselves(histories, monkeypatch):
    config = ials.Config(8, 0.5, 4.0, 2)
    monkeypatch.setattr(ials, "_EXACT", 0)
    whole = ials.fit(histories, config)
    monkeypatch.setattr(ials, "_WHOLE", 100)
    monkeypatch.setattr(row_blocks, "EVENTS", 500)
    assert np.abs(ials.fit(histories, config).factors - whole.factors).max() < 1e-4


def test_the_number_of_threads_changes_no_digit(histories, tmp_path, monkeypatch):
    monkeypatch.setattr(ials, "_EXACT", 0)
    whole, parts = [], []
    for jobs in (1, 2, 3):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        parts.append(ials.fit_blocks(cut(histories, folder, monkeypatch), ials.Config(8), 0, jobs).factors)
        whole.append(ials.fit(histories, ials.Config(8), 0, jobs).factors)
    for digits in (whole, parts):
        assert digits[0].shape == (40, 8)
        assert np.array_equal(digits[0], digits[1])
        assert np.array_equal(digits[0], digits[2])


def test_pairs_in_any_order_make_the_same_blocks(histories, tmp_path, monkeypatch):
    monkeypatch.setattr(row_blocks, "EVENTS", 500)
    user, item = (part.astype(np.int32) for part in histories.nonzero())
    order = np.random.default_rng(0).permutation(len(user))
    order = np.concatenate([order, order[:50]])  # some come twice
    chunks = [(user[part], item[part]) for part in np.array_split(order, 7)]
    blocks = row_blocks.gathered(chunks, histories.shape, len(user), tmp_path)
    assert len(blocks) > 2
    assert (sp.vstack([blocks.rows(k) for k in range(len(blocks))]) != histories).nnz == 0
    assert (histories != sp.hstack([blocks.columns(k) for k in range(len(blocks))]).T).nnz == 0
    assert np.array_equal(blocks.counts, np.asarray(histories.sum(0)).ravel())


GROWTH = """
import resource, sys, tempfile
from pathlib import Path
import numpy as np
from mmcli.ranking import row_blocks
from mmcli.ranking.methods import ials
row_blocks.EVENTS = 200_000
def chunks(count):
    rng = np.random.default_rng(0)
    for _ in range(count // 100_000):
        yield (rng.integers(0, 20_000, 100_000).astype(np.int32), rng.integers(0, 500, 100_000).astype(np.int32))
for count in (400_000, 400_000, 4_000_000):
    with tempfile.TemporaryDirectory() as folder:
        blocks = row_blocks.gathered(chunks(count), (20_000, 500), count, Path(folder))
        ials.fit_blocks(blocks, ials.Config(8, passes=1))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_ten_times_the_events_take_no_more_memory():
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True, timeout=120)
    small, _, large = map(float, done.stdout.split())
    assert large - small < 16, done.stdout  # MB; the events alone would be 48 in two orders
