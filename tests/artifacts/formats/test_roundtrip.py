"""What is written is read back, value for value and bit for bit, and written again gives the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmcli.artifacts.formats import alignment, dataset, features, fitted, manifest, report
from mmcli.artifacts.io.paths import id_problem

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)  # -0.0 and subnormals among them
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WORD = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
IDS = st.lists(WORD, min_size=1, max_size=3).map("/".join).filter(lambda text: id_problem(text) is None)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)


def times(frames: int) -> st.SearchStrategy[Any]:
    """Strictly increasing float64."""
    steps = st.lists(st.integers(1, 2**40), min_size=frames, max_size=frames)
    return st.tuples(steps, st.integers(-(2**40), 2**40)).map(lambda x: np.cumsum(x[0]) * 2.0**-20 + x[1] * 2.0**-20)


@st.composite
def items(draw: st.DrawFn) -> features.Features:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, max_side=4))
    values = draw(hnp.arrays(np.float32, shape, elements=FLOATS))
    return features.Features(values, draw(times(shape[0])), {"config": draw(OBJECTS), "notes": draw(st.lists(TEXT))})


@settings(max_examples=60)
@given(items())
def test_features(one: features.Features) -> None:
    data = features.dumps(one)
    again = features.loads(data, "x")

    assert again.values.tobytes() == one.values.tobytes()
    assert again.values.shape == one.values.shape
    assert again.times.tobytes() == one.times.tobytes()
    assert again.meta == one.meta
    assert features.dumps(again) == data


@given(hnp.arrays(np.float32, (3, 4), elements=FLOATS))
def test_features_whatever_their_memory_layout(values: np.ndarray) -> None:
    clock = np.arange(3.0)
    plain = features.dumps(features.Features(values, clock, {}))

    assert features.dumps(features.Features(np.asfortranarray(values), clock, {})) == plain
    assert features.dumps(features.Features(np.repeat(values, 2, axis=1)[:, ::2], clock, {})) == plain


@st.composite
def maps(draw: st.DrawFn) -> alignment.Alignment:
    count = draw(st.integers(2, 6))
    knots = np.stack([draw(times(count)), draw(times(count))], axis=1)
    steps = draw(st.lists(st.sampled_from([(0, 1), (1, 0), (1, 1), (1, 2)]), max_size=8))
    path = np.cumsum([(draw(st.integers(0, 9)), 0), *steps], axis=0)
    spoken = {"kind": "word", "text": draw(TEXT), "start": 0.5, "end": 0.5, "score": None, "spoken": True}
    silent = {"kind": "line", "text": draw(TEXT), "start": None, "end": None, "score": -1.5, "spoken": False}
    return alignment.Alignment(
        model=draw(st.sampled_from(["piecewise", "warp"])),
        knots=knots,
        breaks=draw(st.just([]) | st.just([{"side": "query", "start": -1.0, "end": 5e-324}])),
        confidence_s=draw(st.none() | st.lists(st.floats(0, 9), min_size=count, max_size=count)),
        quality={"ratio": draw(st.none() | FLOATS), "verdict": draw(TEXT), "reason": draw(TEXT)},
        method={"name": draw(TEXT), "config": draw(OBJECTS)},
        cost=draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        query={"name": draw(TEXT), "sha256": None, "duration_s": draw(st.none() | st.floats(0, 1e6))},
        path=draw(st.none() | st.just(path)),
        segments=draw(st.none() | st.just([spoken, silent])),
        matches=draw(st.none() | st.lists(OBJECTS, max_size=2)),
        runner_up=draw(st.none() | OBJECTS),
        exact=draw(st.none() | st.booleans()),
        bound=draw(st.none() | st.floats(0, 1)),
    )


@settings(max_examples=50)
@given(maps())
def test_alignment(one: alignment.Alignment) -> None:
    data = alignment.dumps(one)
    again = alignment.loads(data, "x")

    for key in alignment.Alignment.__dataclass_fields__:
        found, wanted = getattr(again, key), getattr(one, key)
        if isinstance(wanted, np.ndarray):
            assert found.tobytes() == wanted.tobytes(), key
            assert found.dtype == wanted.dtype
        else:
            assert repr(found) == repr(wanted), key  # tells -0.0 from 0.0 and 1 from 1.0
    assert alignment.dumps(again) == data


@given(st.floats(-1e6, 1e6), st.floats(0.25, 4), st.floats(1, 1e4))
def test_alignment_on_a_line(offset: float, rate: float, duration: float) -> None:
    ends = np.array([[offset, 0.0], [offset + rate * duration, duration]])
    one = alignment.Alignment(model="affine", knots=ends, offset_s=offset, rate=rate, ppm=(rate - 1) * 1e6)
    again = alignment.loads(alignment.dumps(one), "x")

    assert (again.offset_s, again.rate, again.ppm) == (offset, rate, (rate - 1) * 1e6)


@st.composite
def sets(draw: st.DrawFn) -> dataset.Dataset:
    ids = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    count = len(ids)
    splits = draw(st.lists(st.sampled_from(["train", "val", "test", ""]), min_size=count, max_size=count))
    streams = {}
    for name in draw(st.lists(st.sampled_from(["audio", "text.a-b", "fused", "9"]), min_size=1, unique=True)):
        lengths = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
        rows = sum(lengths)
        clocks = [draw(times(length)) for length in lengths]
        values = draw(hnp.arrays(np.float32, (rows, *draw(hnp.array_shapes(max_dims=3, max_side=3))), elements=FLOATS))
        present = np.array(lengths) > 0
        made = draw(st.none() | st.just(present & (np.array(splits) == "train")))
        offsets = np.cumsum([0, *lengths])
        streams[name] = dataset.Stream(
            values, offsets, np.concatenate([np.zeros(0), *clocks]), present, made, {"notes": []}
        )
    task, label, classes = draw(labels(count))
    meta = {"task": task, "classes": classes, "normalisers": draw(OBJECTS), "seed": draw(st.none() | st.integers(0, 9))}
    groups = draw(st.lists(WORD | st.just(""), min_size=count, max_size=count))
    source = draw(st.lists(st.sampled_from(["", "a" * 64]), min_size=count, max_size=count))
    return dataset.Dataset(streams, ids, splits, groups, label, source, meta)


@st.composite
def labels(draw: st.DrawFn, count: int) -> tuple[str | None, Any, list[str] | None]:
    classes = draw(st.lists(WORD, min_size=1, max_size=3, unique=True))
    task = draw(st.sampled_from([None, "classify", "regress", "multilabel"]))
    if task is None:
        return None, None, None
    if task == "classify":
        return task, draw(st.lists(st.sampled_from([*classes, ""]), min_size=count, max_size=count)), classes
    if task == "regress":
        return task, draw(hnp.arrays(np.float64, count, elements=st.floats(allow_infinity=False))), None
    return task, draw(hnp.arrays(np.bool_, (count, len(classes)))), classes


@settings(max_examples=50)
@given(sets())
def test_dataset(one: dataset.Dataset) -> None:
    data = dataset.dumps(one)
    again = dataset.loads(data, "x")

    assert list(again.streams) == list(one.streams)
    for name, stream in one.streams.items():
        for key in ("values", "offsets", "times", "present", "made"):
            found, wanted = getattr(again.streams[name], key), getattr(stream, key)
            assert (found is None) == (wanted is None)
            if wanted is not None:
                assert found.tobytes() == wanted.tobytes(), key
                assert found.shape == wanted.shape
        assert again.streams[name].meta == stream.meta
    for key in ("id", "split", "group", "source"):
        assert list(getattr(again, key)) == list(getattr(one, key))
    assert (again.label is None) == (one.label is None)
    if one.label is not None and again.label is not None:
        assert again.label.tobytes() == one.label.tobytes()
    assert again.meta == one.meta
    assert dataset.dumps(again) == data


@st.composite
def rows(draw: st.DrawFn) -> manifest.Row:
    path = (
        st.lists(WORD, min_size=1, max_size=3).map("/".join).filter(lambda t: ".." not in t.split("/") and t[0] != "/")
    )
    cells = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "audio": path,
                "image.left": path.map(lambda text: text + ".npy#3"),
                "map.audio": path,
                "text_value": TEXT.filter(lambda text: text and "\0" not in text),
                "num.x": st.floats(allow_nan=False, allow_infinity=False).map(repr),
                "cat.y": WORD,
            },
        )
    )
    start = draw(st.none() | st.floats(0, 1e6))
    return manifest.Row(
        draw(IDS),
        cells,
        draw(st.none() | st.sampled_from(["train", "val", "test"])),
        draw(st.none() | WORD),
        draw(st.none() | WORD),
        start,
        draw(st.none() | st.floats(1, 10).map(lambda more: (start or 0) + more)),
        draw(st.none() | TEXT.filter(lambda text: text and "\0" not in text)),
        draw(st.dictionaries(WORD.map(lambda w: "x" + w), TEXT.filter(lambda t: t and "\0" not in t), max_size=2)),
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@settings(max_examples=40)
@given(found=st.lists(rows(), min_size=1, max_size=4, unique_by=lambda row: row.id))
def test_manifest(suffix: str, found: list[manifest.Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("m") / f"m{suffix}"
    digest = manifest.save(path, found)
    again = manifest.load(path)

    assert again.rows == found
    assert not again.unterminated
    assert manifest.save(path, again.rows) == digest


@settings(max_examples=40)
@given(OBJECTS, OBJECTS)
def test_fitted(config: dict[str, Any], state: dict[str, Any]) -> None:
    data = fitted.dumps({"extractor": "tfidf", "config": config, "state": state})
    again = fitted.loads(data, "x")

    assert (repr(again["config"]), repr(again["state"])) == (repr(config), repr(state))
    assert fitted.dumps(again) == data


@settings(max_examples=40)
@given(st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False)), JSON, st.lists(IDS, unique=True))
def test_report(metrics: dict[str, float], extra: Any, ids: list[str]) -> None:
    one = {
        "metrics": {name: {"value": value, "interval": [value, value], "n": 3} for name, value in metrics.items()},
        "curves": extra,
        "items": [{"id": item, "probabilities": extra} for item in ids],
    }
    data = report.dumps(one)
    again = report.loads(data, "x")

    assert repr({key: again[key] for key in one}) == repr(one)
    assert report.dumps(again) == data


def test_checkpoint() -> None:
    import torch

    from mmcli.artifacts.formats import checkpoint

    tensors = {
        "zeros": torch.tensor([0.0, -0.0, 1e-45, 3.4e38]),
        "ünïcode name": torch.arange(6, dtype=torch.int64).reshape(2, 3).t(),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
        "number": torch.tensor(2.5, dtype=torch.float64),
        "nothing": torch.zeros(0, 4),
        "view": torch.arange(10.0)[3:5],
    }
    config = {"task": "classify", "model": {}, "classes": ["ü"], "modalities": {}, "training": {"history": [0.1, -0.0]}}
    data = checkpoint.dumps(checkpoint.Checkpoint(tensors, config))
    again = checkpoint.loads(data, "x")

    assert list(again.tensors) == list(tensors)
    for name, tensor in tensors.items():
        assert again.tensors[name].dtype == tensor.dtype
        assert again.tensors[name].shape == tensor.shape
        assert torch.equal(
            again.tensors[name].view(-1).view(torch.uint8), tensor.contiguous().view(-1).view(torch.uint8)
        )
    assert repr({key: again.config[key] for key in config}) == repr(config)
    assert checkpoint.dumps(again) == data
