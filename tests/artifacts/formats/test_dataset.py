"""Data sets: selecting items equals doing it one by one, and what does not belong together is refused."""

from __future__ import annotations

import fuzz_seeds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.artifacts.formats import dataset
from mmcli.errors import ArtifactError


@given(st.lists(st.integers(0, 7), max_size=8), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_selecting_equals_taking_items_one_by_one(indices: list[int], lengths: list[int]) -> None:
    """In any order, with repeats, absent items among them."""
    offsets = np.cumsum([0, *lengths])
    values = np.arange(offsets[-1] * 2, dtype=np.float32).reshape(-1, 2)
    present = np.array(lengths) > 0
    stream = dataset.Stream(values, offsets, np.arange(float(offsets[-1])), present, ~present, {"kind": "sequence"})

    chosen = stream.select(np.array(indices, np.int64))

    assert chosen.items == len(indices)
    assert chosen.present.tolist() == [bool(present[i]) for i in indices]
    assert chosen.lengths.tolist() == [lengths[i] for i in indices]
    for at, index in enumerate(indices):
        assert chosen.item(at).values.tolist() == stream.item(index).values.tolist()
        assert chosen.item(at).times.tolist() == stream.item(index).times.tolist()


def test_a_selection_keeps_its_columns_together() -> None:
    whole = fuzz_seeds.dataset_value()

    part = whole.select([2, 0])

    assert part.id.tolist() == ["ü", "a/1"]
    assert part.split.tolist() == ["test", "train"]
    assert part.label is not None
    assert part.label.tolist() == ["", "no"]
    assert part.source == [whole.source[2], whole.source[0]]
    part.check()
    assert dataset.loads(dataset.dumps(part), "x").items == 2


def test_rows_and_modalities() -> None:
    whole = fuzz_seeds.dataset_value()
    whole.streams["fused"] = whole.streams["audio"]

    assert whole.rows("val").tolist() == [1]
    assert whole.rows("val").dtype == np.int64
    assert whole.rows("nothing").tolist() == []
    assert whole.modalities == ["audio", "text"]


def test_a_stream_added_later_is_written_with_its_meta() -> None:
    whole = fuzz_seeds.dataset_value()
    whole.streams["fused"] = whole.streams["audio"]

    assert dataset.loads(dataset.dumps(whole), "x").meta["streams"]["fused"]["rate_hz"] == 2.0


def test_an_absent_item_has_no_rows() -> None:
    item = fuzz_seeds.dataset_value().streams["audio"].item(1)

    assert item.values.shape == (0, 2)
    assert item.times.shape == (0,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.meta.update(task="regress"), "not for regress"),
        (lambda d: d.meta.update(task=None), "a label needs a task"),
        (lambda d: d.meta.update(classes=["no"]), "'yes' is none of the classes"),
        (lambda d: d.meta.update(classes=["no", "yes", "no"]), "doubled"),
        (lambda d: d.meta.update(classes=None), "missing"),
        (lambda d: d.meta.update(thing=1), "unknown key"),
        (lambda d: d.id.__setitem__(0, ".."), "'..'"),
        (lambda d: d.id.__setitem__(0, "b"), "twice"),
        (lambda d: d.split.__setitem__(0, "dev"), "'dev'"),
        (lambda d: d.streams.update({"a/b": d.streams["audio"]}), "called 'a/b'"),
        (lambda d: d.streams["audio"].present.__setitem__(1, True), "present"),
        (lambda d: d.streams["audio"].made.__setitem__(1, True), "made"),
        (lambda d: d.streams["audio"].times.__setitem__(3, 0.0), "row 3"),
        (lambda d: d.streams["audio"].meta.update(kind="vector"), "2 rows"),
        (lambda d: d.streams["text"].values.__setitem__(0, 9), "token ids below 9"),
        (lambda d: d.streams.clear(), "0 streams"),
    ],
)
def test_what_does_not_belong_together_is_refused(change: object, words: str) -> None:
    whole = fuzz_seeds.dataset_value()
    change(whole)  # type: ignore[operator]

    with pytest.raises(ArtifactError, match=words):
        dataset.dumps(whole)


def test_a_regression_label_may_be_missing_but_not_infinite() -> None:
    whole = fuzz_seeds.dataset_value()
    whole.meta.update(task="regress", classes=None)
    whole.label = np.array([0.5, np.nan, 1.0])
    assert np.isnan(dataset.loads(dataset.dumps(whole), "x").label[1])

    whole.label[0] = np.inf
    with pytest.raises(ArtifactError, match="infinity"):
        dataset.dumps(whole)
