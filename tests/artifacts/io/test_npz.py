"""Archives to and from numpy's own functions, and the limits that do not fit in a small file."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import fuzz_seeds
import numpy as np
import pytest

from mmcli.artifacts.formats import dataset, features
from mmcli.artifacts.io import npz
from mmcli.errors import ArtifactError


def test_numpy_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    one = fuzz_seeds.features_value()
    features.save(path, one)

    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["meta", "times", "values"]
        np.testing.assert_array_equal(arrays["values"], one.values)
        np.testing.assert_array_equal(arrays["times"], one.times)


def test_we_read_what_numpy_writes(tmp_path: Path) -> None:
    """Bring your own features: three arrays and savez."""
    path = tmp_path / "a.npz"
    values, times = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)), np.array([0.0, 1.0])
    np.savez(path, values=values, times=times, meta='{"schema": "mmcli/features@1", "mmcli": "0.1.0"}')

    one = features.load(path)

    np.testing.assert_array_equal(one.values, values)
    assert one.values.flags.c_contiguous


def test_an_array_of_many_blocks_is_read_whole() -> None:
    values = np.arange(3_000_000, dtype=np.float32).reshape(-1, 3)
    one = features.Features(values, np.arange(1_000_000.0), {})

    again = features.loads(features.dumps(one), "x")

    assert again.values.tobytes() == values.tobytes()


def test_damage_in_the_last_block_is_found() -> None:
    data = bytearray(features.dumps(features.Features(np.ones((10**6, 1), np.float32), np.arange(1e6), {})))
    data[4_000_000] ^= 1

    with pytest.raises(ArtifactError, match="CRC"):
        features.loads(bytes(data), "x")


def test_dates_and_attributes_do_not_change_the_bytes() -> None:
    with zipfile.ZipFile(io.BytesIO(features.dumps(fuzz_seeds.features_value()))) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_STORED


def _by_the_library(arrays: dict[str, np.ndarray]) -> bytes:
    """The slow twin: zipfile and numpy's own writer."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
    return memory.getvalue()


@pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="zipfile wrote other local headers before")
@pytest.mark.parametrize("seed", range(20))
def test_the_bytes_are_those_of_zipfile_and_numpy(seed: int) -> None:
    """All types, no axes to four, empty arrays, Fortran order, slices, names that are not ASCII."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for i in range(int(rng.integers(1, 5))):
        shape = tuple(map(int, rng.integers(0, 5, int(rng.integers(0, 4)))))
        array = (rng.standard_normal(shape) * 9).astype(rng.choice(["<f4", "<f8", "<i8", "?", "<U7"]))
        form = rng.integers(3)
        if form == 1:
            array = np.asfortranarray(array)
        elif form == 2 and array.ndim:
            array = array[::2]
        arrays[f"{rng.choice(['values', 'a/times', 'größe'])}{i}"] = array

    memory = io.BytesIO()
    npz.write(memory, arrays)

    assert memory.getvalue() == npz.dumps(arrays) == _by_the_library(arrays)


def test_an_archive_too_large_for_32_bits_goes_through_zipfile(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"values": np.arange(6, dtype=np.float32)}
    expected = npz.dumps(arrays)
    monkeypatch.setattr(npz, "LIMIT", 10)

    assert npz.dumps(arrays) == _by_the_library(arrays)
    assert expected == _by_the_library(arrays) or sys.version_info < (3, 11, 4)


def test_an_object_array_is_not_written() -> None:
    with pytest.raises(ValueError, match="objects"):
        npz.dumps({"a": np.array([object()])})


def test_more_than_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = features.dumps(fuzz_seeds.features_value())
    monkeypatch.setattr(features, "MAX_BYTES", 1000)

    with pytest.raises(ArtifactError, match="at most 1,000"):
        features.loads(data, "x")


def test_a_data_set_may_have_many_streams() -> None:
    """More than the 64 members that features may have."""
    one = fuzz_seeds.dataset_value()
    for number in range(30):
        one.streams[f"audio.n{number}"] = one.streams["audio"]

    again = dataset.loads(dataset.dumps(one), "x")

    assert list(again.streams) == list(one.streams)
    assert again.meta["streams"].keys() == one.streams.keys()
