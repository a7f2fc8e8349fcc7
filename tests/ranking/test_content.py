"""What stands for an item's content, and what reads a model: neither needs torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import ArtifactError
from mmcli.models.nets.described import describe
from mmcli.ranking import content
from mmcli.training import data as tensors

FRAMES = {
    "vector": ((5,), 1),
    "image": ((19, 33, 3), 1),
    "sequence": ((4,), 23),
    "tokens": ((1,), 9),
    "frames": ((11, 8, 1), 6),
}


def stream(kind, items=12, seed=0):
    rng = np.random.default_rng(seed)
    shape, most = FRAMES[kind]
    lengths = rng.integers(1, most + 1, items)
    lengths[3] = 0
    lengths[5] = most
    rows = int(lengths.sum())
    values = rng.normal(size=(rows, *shape)).astype(np.float32)
    if kind == "tokens":
        values = rng.integers(0, 30, (rows, 1)).astype(np.float32)
    meta = {"kind": kind, "vocabulary_size": 30} if kind == "tokens" else {"kind": kind}
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Stream(values, offsets, np.zeros(rows), lengths > 0, meta=meta)


@pytest.mark.parametrize("kind", FRAMES)
def test_content_is_what_kernel_machines_see(kind):
    one = stream(kind)
    data = Dataset({"a": one}, [str(i) for i in range(12)], ["train"] * 12, [""] * 12)
    values, there, facts = content.raw_of(data)["a"]
    shape = tensors.shape_of("a", one)
    batch = tensors.Data(data, [shape], torch.device("cpu")).batch(np.arange(12))["a"]
    expected = describe(batch.values, batch.mask, shape).numpy()
    assert facts.kind == shape.kind == kind
    assert there.tolist() == [i != 3 for i in range(12)]
    assert values == pytest.approx(np.where(there[:, None], expected, 0), abs=1e-5)


def saved(tmp_path, kept):
    config = {"task": "rank", "model": {}, "classes": None, "modalities": {}, "training": {}}
    checkpoint.save(tmp_path / "m.pt", checkpoint.Checkpoint(kept, config))
    return tmp_path / "m.pt"


def test_arrays_are_the_tensors(tmp_path):
    kept = {
        "a": torch.randn(3, 4, 2), "b": torch.arange(5), "c": torch.tensor([True, False]), "d": torch.zeros(0, 3),
        "e": torch.tensor(2.5, dtype=torch.float64), "f": torch.arange(6, dtype=torch.int32).reshape(1, 6),
    }  # fmt: skip
    path = saved(tmp_path, kept)
    arrays, config = checkpoint.load_arrays(path)
    assert config == checkpoint.load(path).config
    assert arrays.keys() == kept.keys()
    for name, tensor in kept.items():
        assert arrays[name].dtype == tensor.numpy().dtype, name
        assert np.array_equal(arrays[name], tensor.numpy()), name
        assert arrays[name].shape == tuple(tensor.shape)


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(tmp_path):
    whole = saved(tmp_path, {"a": torch.randn(40), "b": torch.arange(9)}).read_bytes()
    arrays, _ = checkpoint.load_arrays(tmp_path / "m.pt")
    refused = 0
    for place in range(0, len(whole), 7):
        bad = bytearray(whole)
        bad[place] ^= 16
        (tmp_path / "bad.pt").write_bytes(bad)
        try:
            again, _ = checkpoint.load_arrays(tmp_path / "bad.pt")
        except ArtifactError:
            refused += 1
            continue
        assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    assert refused > 50


def test_bfloat16_is_refused_with_its_name(tmp_path):
    with pytest.raises(ArtifactError, match="BFloat16"):
        checkpoint.load_arrays(saved(tmp_path, {"a": torch.zeros(3, dtype=torch.bfloat16)}))


def test_answers_need_no_torch():
    script = (
        "import sys; import mmcli.cli.predict, mmcli.ranking.answers, mmcli.batch.plan.raw; "
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
