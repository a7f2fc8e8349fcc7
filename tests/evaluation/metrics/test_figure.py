"""A metric is one edit: it stands in the report, on the terminal and on the page, with its interval."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from mmcli.evaluation.metrics import tasks

KAPPA = """    Figure(
        "kappa",
        "Cohen's kappa",
        lambda s: 1 - (s.total - s.hit.sum(axis=1)) / (s.total - (s.support * s.predicted).sum(axis=1) / s.total),
        SHARE,
        shown=True,
        head=True,
    ),
"""
# What `mmcli evaluate` does with a report, without the time that a training takes.
PROGRAM = """
import json, sys
import numpy as np
import mmcli
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.cli.evaluate import model, outputs
from mmcli.evaluation.model import Model
from mmcli.evaluation.report.report import Request, evaluate, predictions_table

class Answers:
    values = None
    def __init__(self, probabilities):
        self.probabilities = probabilities

rng = np.random.default_rng(0)
label = rng.integers(0, 2, 40)
values = (np.eye(2)[label] + rng.normal(0, 0.6, (40, 2))).astype(np.float32)
stream = Stream(values, np.arange(41), np.zeros(40), np.ones(40, bool), meta={"kind": "vector"})
names, meta = np.array(["no", "yes"]), {"task": "classify", "classes": ["no", "yes"]}
data = Dataset({"x": stream}, [f"i{k}" for k in range(40)], ["test"] * 40, [""] * 40, names[label], meta=meta)

def predict(dataset, rows):
    x = np.exp(2 * np.stack([dataset.streams["x"].item(i).values[0] for i in rows]).astype(float))
    return Answers(x / x.sum(axis=1, keepdims=True))

judged = Model(predict=predict, task="classify", classes=["no", "yes"])
result = evaluate(judged, data, Request(explain=0))
target = outputs.Outputs(outputs.Path("r.json"), html=outputs.Path("r.html"))
target.write(result, predictions_table(result))
model._show(result, target.report)
print(json.dumps([mmcli.__file__, label.tolist(), predict(data, range(40)).probabilities.argmax(axis=1).tolist()]))
"""


def test_a_new_metric_is_one_edit(root, tmp_path):
    """In a copy of the package; the peer's value is beside it in the report, on the terminal and on the page."""
    sklearn = pytest.importorskip("sklearn.metrics")
    copy = shutil.copytree(root / "mmcli", tmp_path / "mmcli", ignore=shutil.ignore_patterns("csrc"))
    file = copy / "evaluation" / "metrics" / "classification.py"
    before = file.read_text()
    place = "    *BY_CLASS,\n"
    assert before.count(place) == 1
    file.write_text(before.replace(place, KAPPA + place))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    used, label, guess = json.loads(done.stdout)
    assert used.startswith(str(copy))
    entry = json.loads((tmp_path / "r.json").read_text())["metrics"]["kappa"]
    assert entry["value"] == pytest.approx(sklearn.cohen_kappa_score(label, guess), abs=1e-9)
    assert 0 < entry["interval"][0] < entry["value"] < entry["interval"][1] < 1
    assert f"{entry['value']:.3f}" in next(line for line in done.stderr.splitlines() if line.split()[:1] == ["kappa"])
    page = (tmp_path / "r.html").read_text()
    assert f"<b>{entry['value']:.3f}</b> Cohen&#39;s kappa" in page  # at the head
    assert "<td>Cohen&#39;s kappa</td>" in page  # among all figures


def test_a_figure_has_one_title_whatever_the_task():
    titles: dict[str, set[str]] = {}
    for figures in tasks.FIGURES.values():
        for figure in figures:
            titles.setdefault(figure.name, set()).add(figure.title)

    assert {name: each for name, each in titles.items() if len(each) > 1} == {}
    assert all(tasks.primary(task).name == name for task, name in tasks.PRIMARY.items())
    assert all(len(names) == len(set(names)) for names in ([f.name for f in each] for each in tasks.FIGURES.values()))
