"""The report of a model with known answers: right figures, whole schema, same bytes, leaks found."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import report as reports
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.evaluation.judge import integrity
from mmcli.evaluation.model import Model
from mmcli.evaluation.report import plots, report
from mmcli.evaluation.report.report import Request, evaluate

from ..conftest import Answers, made, predict
from ..conftest import stream as vectors


def model(task: str = "classify", classes=("a", "b", "c"), call=predict) -> Model:
    return Model(predict=call, task=task, classes=None if task == "regress" else list(classes))


def test_the_report_follows_its_schema_and_counts_right(task, tmp_path):
    data = made(task=task, missing=0.2)
    found = evaluate(model(task), data)
    reports.save(tmp_path / "r.json", found)
    again = reports.load(tmp_path / "r.json")
    rows = data.rows("test")

    assert [item["id"] for item in again["items"]] == data.id[rows].tolist()
    presence = again["modalities"]["each"]["x"]
    assert (presence["present"], presence["n"]) == (int(data.streams["x"].present[rows].sum()), len(rows))
    assert again["verdict"]["compared"] is False
    if task == "classify":
        right = [item["label"] == item["prediction"] for item in again["items"]]
        assert again["metrics"]["accuracy"]["value"] == np.mean(right)
        assert sum(map(sum, again["confusion"]["counts"])) == len(rows)
        assert set(again["per_class"]) == {"a", "b", "c"}
    if task == "regress":
        errors = [abs(item["label"] - item["prediction"]) for item in again["items"]]
        assert again["metrics"]["mae"]["value"] == pytest.approx(np.mean(errors))


def test_the_same_request_gives_the_same_bytes(task):
    data = made(task=task)

    assert reports.dumps(evaluate(model(task), data)) == reports.dumps(evaluate(model(task), data))


def test_items_without_a_label_are_left_out_and_mentioned():
    data = made()
    data.label[data.rows("test")[0]] = ""
    found = evaluate(model(), data)

    assert len(found["items"]) == len(data.rows("test")) - 1
    assert "1 of 10 items have no label" in found["notes"][0]


def test_items_that_the_model_was_trained_on_are_no_test_and_that_is_said():
    data = made()
    seen = len(data.rows("train"))

    for split, count in (("all", data.items), ("train", seen)):
        notes = evaluate(model(), data, Request(split=split))["notes"]
        (note,) = (note for note in notes if "training split" in note)
        assert note.startswith(f"{seen} of the {count} items are of the training split")
    assert not any("training split" in note for note in evaluate(model(), data)["notes"])


def test_a_modality_that_the_model_reads_and_no_item_has_is_named():
    data = made(missing=0.2)
    data.streams["y"] = vectors(np.zeros((data.items, 3)), np.zeros(data.items, bool))
    data.streams["x"] = vectors(np.zeros((data.items, 3)), np.ones(data.items, bool))
    read = Model(predict=predict, task="classify", classes=["a", "b", "c"], modalities=("x", "y"))

    assert "no item has y, which the model was trained on" in evaluate(read, data)["notes"]


def test_a_model_and_a_data_set_that_do_not_belong_together_are_refused():
    with pytest.raises(MismatchError, match="the label 'c', which the model was not trained on"):
        evaluate(model(classes=("a", "b")), made())
    with pytest.raises(MismatchError, match="for regress, the labels of the data set are for classify"):
        evaluate(model("regress"), made())
    with pytest.raises(UsageError, match="no item is in the split 'exam'"):
        evaluate(model(), made(), Request(split="exam"))
    with pytest.raises(InputError, match="NaN"):
        evaluate(model(call=lambda d, rows: Answers(probabilities=np.full((len(rows), 3), np.nan))), made())


def test_numbers_trained_on_as_names_are_compared_as_names():
    data = made(task="regress")
    data.label = np.round(np.abs(data.label))
    names = sorted({f"{v:g}" for v in data.label})

    def call(dataset, rows):
        """Right about the data set itself; of mixtures of its items it knows nothing."""
        numbers = np.zeros(len(rows)) if dataset.label is None else dataset.label[rows]
        return Answers(probabilities=np.eye(len(names))[[names.index(f"{v:g}") for v in numbers]])

    assert evaluate(model(classes=names, call=call), data)["metrics"]["accuracy"]["value"] == 1.0


def test_guessing_without_looking_is_reported():
    data = made()
    train = data.label[data.rows("train")].tolist()
    common = max(sorted(set(train)), key=train.count)
    found = evaluate(model(), data)["baselines"]["commonest_class"]

    assert found == {"class": common, "accuracy": float((data.label[data.rows("test")] == common).mean())}


def test_sample_without_leaks_is_clean_and_planted_ones_are_found_every_time():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert integrity.check(made(seed=seed))["clean"]

        copied = made(seed=seed)
        test, train = rng.choice(copied.rows("test")), rng.choice(copied.rows("train"))
        for stream in copied.streams.values():
            stream.values[stream.offsets[train]] = stream.values[stream.offsets[test]]
        found = integrity.check(copied)
        assert not found["clean"]
        assert {case["id"] for case in found["duplicates"]["cases"][0]} == {copied.id[test], copied.id[train]}

        shared = made(seed=seed)
        shared.group[rng.choice(shared.rows("test"))] = shared.group[rng.choice(shared.rows("train"))]
        found = integrity.check(shared)
        assert found["group_leaks"]["groups"] == 1
        with pytest.raises(InputError, match="leaks between splits: group"):
            evaluate(model(), shared, Request(strict=True))


def test_equal_sources_count_as_duplicates_even_where_the_features_differ():
    data = made()
    data.source = ["0" * 64 if i in (data.rows("train")[0], data.rows("test")[0]) else "" for i in range(data.items)]

    assert integrity.check(data)["duplicates"]["between_splits"] == 1


def test_items_with_nothing_present_are_no_duplicates_of_each_other():
    data = made(items=20, missing=0.0)
    for name, stream in data.streams.items():
        keep = np.arange(20) > 3
        data.streams[name] = type(stream)(
            stream.values[keep],
            np.concatenate([[0], np.cumsum(keep)]).astype(np.int64),
            stream.times[keep],
            keep,
            meta=stream.meta,
        )

    assert integrity.check(data)["duplicates"] == {"between_splits": 0, "within_a_split": 0, "cases": []}


def test_every_figure_is_drawn_and_the_same_bytes_twice(task, tmp_path):
    found = evaluate(model(task), made(task=task))
    first = plots.save(found, tmp_path / "one")
    second = plots.save(found, tmp_path / "two")

    assert [path.name for path in first] == [f"{name}.png" for name in plots.available(found)]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert plots.save(found, tmp_path / "main.svg") == [tmp_path / "main.svg"]
    assert b"<svg" in (tmp_path / "main.svg").read_bytes()
    with pytest.raises(UsageError, match="png or svg"):
        plots.save(found, tmp_path / "x.bmp")


def test_the_confusion_picture_shows_what_it_should(tmp_path):
    """The darkest cells of the matrix are those with the largest share."""
    from PIL import Image

    found = {
        "confusion": {"classes": ["a", "b"], "counts": [[10, 0], [0, 10]]},
        "metrics": {"accuracy": {"value": 1.0, "interval": [0.8, 1.0], "n": 20}},
        "split": "test",
    }
    plots.save(found, tmp_path / "c.png")
    grey = np.asarray(Image.open(tmp_path / "c.png").convert("L"), float)
    dark = np.argwhere(grey < 105)  # the hue of a whole share is 97
    # Two dark squares, upper left and lower right of the matrix: their pixels' rows and columns rise together.
    left = dark[dark[:, 1] < grey.shape[1] * 0.62]
    assert np.corrcoef(left.T)[0, 1] > 0.5


def test_the_predictions_table_has_a_row_per_item(task):
    found = evaluate(model(task), made(task=task, missing=0.2))
    columns, rows = report.predictions_table(found)

    assert len(rows) == len(found["items"])
    assert all(len(row) == len(columns) for row in rows)


def test_groups_too_few_to_be_drawn_are_told():
    for groups, told in ((4, True), (60, False)):
        data = made(groups=groups)
        data.split[:] = "test"
        notes = evaluate(model(), data, Request(explain=0))["notes"]

        assert any(f"come from {groups} groups" in note for note in notes) is told
