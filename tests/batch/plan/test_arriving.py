"""Rows through a pipe: what kind they are is seen at the first, and a row that cannot be read costs itself alone."""

from __future__ import annotations

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from mmcli.batch.plan.raw import Rows
from mmcli.errors import ArtifactError

# What a model keeps of a text modality whose words are counted.
MODEL = {"text": {"modality": "text", "extractor": "tokens", "config": {}, "fitted": {"tokens": ["a"]}, "shape": [1]}}


def rows(*objects: object) -> Rows:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in objects]
    return Rows(io.BytesIO("".join(f"{line}\n" for line in lines).encode()))


@pytest.mark.parametrize(
    ("first", "raw"),
    [
        ({"id": "a", "text_value": "words"}, True),
        ({"id": "a", "image": "a.png"}, True),
        ({"id": "a", "audio.mic": "a.wav", "image.pixels": "a.npz"}, True),
        ({"id": "a", "num.age": "3"}, True),
        ({"id": "a"}, True),
        ({"id": "a", "audio.logmel": "a.npz", "text.tokens": "b.npz"}, False),
        ({"id": "a", "series": "all.npz#3"}, True),
        ({"id": "a", "series": "a.csv"}, True),
        ({"id": "a", "series": "a.npz"}, False),
        ({"id": "a", "image": "all.npy#3"}, False),
        ({"id": "a", "table": "a.npz", "map.audio": "a.json"}, False),
        ({"id": "a", "error": "damaged"}, False),
    ],
)
def test_the_first_row_says_whether_there_is_something_to_extract_from(first, raw):
    assert rows(first).raw is raw


def test_rows_of_features_are_a_whole_manifest():
    objects = [{"id": name, "audio.logmel": f"{name}.npz", "split": "test"} for name in "abc"]
    found = rows({"mmcli": {"schema": "mmcli/manifest@1", "root": "out"}}, *objects).whole()

    assert [row.id for row in found.rows] == ["a", "b", "c"]
    assert found.columns == ["id", "audio.logmel", "split"]
    assert str(found.root) == "out"


def test_a_row_is_answered_before_the_next_is_written():
    """Whoever writes may wait for the answer."""
    there, here = os.pipe()
    with os.fdopen(there, "rb") as stream, ThreadPoolExecutor(1) as reader:
        write = partial(os.write, here)
        try:
            write(b'{"id": "i1", "text_value": "a b"}\n')
            chunks = reader.submit(lambda: Rows(stream).chunks(MODEL)).result(60)
            for number in range(1, 4):
                chunk = reader.submit(next, chunks).result(60)
                assert chunk.dataset.id.tolist() == [f"i{number}"]
                write(b'{"id": "i%d", "text_value": "a b"}\n' % (number + 1))
        finally:
            os.close(here)  # whoever still reads comes to an end


def test_rows_that_cannot_be_read_cost_themselves(tmp_path):
    found = list(
        rows(
            {"id": "one", "text_value": "a"},
            "{broken",
            {"id": "two"},
            {"id": "one", "text_value": "again"},
            {"id": "three", "text": "../../etc/passwd"},
            {"id": "four", "text": "gone.txt"},
            {"id": "five", "text_value": "a"},
        ).chunks(MODEL)
    )
    answered = [identifier for chunk in found if chunk.dataset is not None for identifier in chunk.dataset.id.tolist()]
    failed = [case for chunk in found for case in chunk.failed]

    assert answered == ["one", "five"]
    assert [name for name, _ in failed] == ["row 2", "two", "row 4", "row 5", "four"]
    assert "is not JSON" in failed[0][1]
    assert "stands twice" in failed[2][1]
    assert "'..'" in failed[3][1]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b'{"mmcli": {"schema": "mmcli/manifest@1"}}\n', b"a,b\n1,2\n"])
def test_what_is_no_manifest_is_refused_at_once(data):
    with pytest.raises(ArtifactError):
        Rows(io.BytesIO(data))


def test_csv_rows_come_one_by_one_too():
    found = Rows(io.BytesIO(b"id,text_value\none,a\ntwo,b\n"))

    assert found.raw
    assert [chunk.dataset.id.tolist() for chunk in found.chunks(MODEL)] == [["one"], ["two"]]
