"""Series: the same numbers from csv, npy and npz; array headers are hostile input."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.errors import MediaError
from mmcli.media import MediaOptions, SeriesClip, open_clip

VALUES = np.array([[1.0, -2.5], [3.25, 4e-3], [5.0, 6.0]])
TIMES = np.array([0.5, 0.75, 1.5])


def series(path, **options):
    clip = open_clip(path, "series", options=MediaOptions(**options))
    assert isinstance(clip, SeriesClip)
    return clip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["time", "t", "timestamp", "seconds", "Time"])
def test_csv_with_a_time_column(tmp_path, separator, name):
    rows = [[name, "x", "y"], *([t, *v] for t, v in zip(TIMES.tolist(), VALUES.tolist(), strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(separator.join(map(str, row)) for row in rows) + "\n")
    clip = series(tmp_path / "a.csv")

    assert np.array_equal(clip.values, VALUES)
    assert np.array_equal(clip.times, TIMES)
    assert (clip.columns, clip.rate_hz, clip.timed) == (["x", "y"], None, True)


def test_an_even_clock_has_a_rate(tmp_path):
    (tmp_path / "a.csv").write_text("t,x\n" + "\n".join(f"{k / 50},{k}" for k in range(100)))

    assert series(tmp_path / "a.csv").rate_hz == pytest.approx(50.0)


def test_without_a_time_column_a_rate_gives_the_times(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    np.save(tmp_path / "a.npy", VALUES.astype(np.float32))

    assert series(tmp_path / "a.csv", rate=4.0).times.tolist() == [0.0, 0.25]
    assert not series(tmp_path / "a.csv").timed
    assert series(tmp_path / "a.npy", rate=2.0).values == pytest.approx(VALUES)
    assert series(tmp_path / "a.npy", rate=2.0).timed


def test_npz_members_are_columns(tmp_path):
    np.savez(tmp_path / "a.npz", time=TIMES, b=VALUES[:, 0], a=VALUES)
    clip = series(tmp_path / "a.npz")

    assert clip.columns == ["a.0", "a.1", "b"]
    assert np.array_equal(clip.values, np.column_stack([VALUES, VALUES[:, 0]]))
    assert np.array_equal(clip.times, TIMES)


def test_a_row_of_an_array_file_is_one_frame_at_zero(tmp_path):
    np.save(tmp_path / "c.npy", VALUES)
    np.save(tmp_path / "f.npy", np.asfortranarray(VALUES))
    for name in ("c.npy", "f.npy"):
        clip = series(tmp_path / name, row=1)

        assert clip.values.tolist() == [[3.25, 4e-3]]
        assert clip.times.tolist() == [0.0]
    with pytest.raises(MediaError, match="3 rows, counted from 0: there is no row 3"):
        series(tmp_path / "c.npy", row=3)


def test_missing_values_are_refused_or_interpolated_along_time(tmp_path):
    (tmp_path / "a.csv").write_text("t,x,y\n0,1,\n1,nan,5\n4,7,NA\n")

    with pytest.raises(MediaError, match=r"3 missing value.*row 0, column 'y'"):
        series(tmp_path / "a.csv")
    clip = series(tmp_path / "a.csv", missing="interpolate")
    assert clip.values.tolist() == [[1.0, 5.0], [2.5, 5.0], [7.0, 5.0]]
    assert clip.missing == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("t,x\n0,1\n0,2\n", "does not increase"),
        ("t,x\n0,1\n1,inf\n", "Inf in row 1"),
        ("t,x\n0,1\n,2\n", "time column: row 1"),
        ("x,y\n1,2\n3\n", "row 3 has 1 cells"),
        ("x,y\n1,2\n3,four\n", "'four' is no number"),
        ("x,x\n1,2\n", "twice"),
        ("t,time,x\n1,1,2\n", "several time columns"),
        ("x,y\n", "no rows"),
        ("t,x\n0,nan\n1,nan\n", "missing value"),
    ],
)
def test_tables_that_are_no_series_are_refused(tmp_path, data, said):
    (tmp_path / "a.csv").write_text(data)
    with pytest.raises(MediaError, match=said):
        series(tmp_path / "a.csv")


def test_a_segment_keeps_its_rows(tmp_path):
    (tmp_path / "a.csv").write_text("t,x\n0,1\n1,2\n2,3\n3,4\n")
    clip = series(tmp_path / "a.csv", start=1.0, end=3.0)

    assert (clip.times.tolist(), clip.values[:, 0].tolist()) == ([0.0, 1.0], [2.0, 3.0])


def npy(header: bytes, body: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H", len(header)) if version == 1 else struct.pack("<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + body


@pytest.mark.parametrize(
    "data",
    [
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x00" * 8),
        npy(b"{'descr': '<U9', 'fortran_order': False, 'shape': (1,)}", b"\x00" * 36),
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", b"\x00" * 8),
        npy(b"{'descr': '(3,)<f8', 'fortran_order': False, 'shape': (1,)}", b"\x00" * 24),
        npy(b"(" * 5000),
        npy(b"__import__('os').abort()"),
        npy(b" " * 20_000, version=2),
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{}",
        b"\x93NUMPY",
    ],
)
def test_hostile_array_headers_are_refused(tmp_path, data):
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(MediaError):
        series(tmp_path / "a.npy")


def test_a_zip_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(16_000_000))
    with pytest.raises(MediaError, match="unpacks to far more"):
        series(tmp_path / "bomb.npz")


@given(
    values=st.lists(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2), min_size=1, max_size=20),
)
def test_arrays_come_back_bit_for_bit(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("npy")
    np.save(folder / "a.npy", np.array(values))
    np.savez_compressed(folder / "a.npz", a=np.array(values))
    for name in ("a.npy", "a.npz"):
        assert np.array_equal(series(folder / name, rate=1.0).values, np.array(values))


def test_every_truncation_of_an_array_file_is_refused(tmp_path):
    out = io.BytesIO()
    np.save(out, VALUES)
    data = out.getvalue()
    for size in range(1, len(data)):
        (tmp_path / "t.npy").write_bytes(data[:size])
        with pytest.raises(MediaError):
            series(tmp_path / "t.npy")


def test_an_array_behind_a_link_into_another_file_is_not_read(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py (extra: hdf5)")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["a"] = np.ones((2, 3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["own"] = np.zeros((2, 3))
        file["inside"] = h5py.SoftLink("/own")
        file["outside"] = h5py.ExternalLink("secret.h5", "/a")

    for member in ("own", "inside"):
        clip = open_clip(tmp_path / "a.h5", "series", options=MediaOptions(member=member, row=1))
        assert clip.values.tolist() == [[0.0, 0.0, 0.0]]
    with pytest.raises(MediaError, match="holds no array of numbers outside"):
        open_clip(tmp_path / "a.h5", "series", options=MediaOptions(member="outside", row=1))
