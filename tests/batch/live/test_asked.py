"""Models asked modality by modality, in numpy or in torch, answer as `predict` does on the whole item."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mmcli.artifacts.formats import checkpoint, dataset
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.batch.live.answers import asked
from mmcli.cli.app import run
from mmcli.errors import ArtifactError
from mmcli.training.fit import predictor
from mmcli.training.fit.incremental import Incremental
from mmcli.training.fit.plain import Plain

from .rows import data_set, rows_of

IN_NUMPY = ("vector.concat", "vector.mean", "vector.weighted", "vector.gated", "vector.late", "sequence.kernels")
IN_TORCH = ("sequence.concat", "sequence.late", "sequence.crossmodal", "vector.attention")


def answers(model, data) -> np.ndarray:
    codes: dict[str, dict] = {}
    for row in rows_of(data):
        codes.setdefault(row["id"], {})[row["modality"]] = model.encode(row["modality"], row["values"])
    return np.array([model.answer(codes[name]) for name in data.id.tolist()])


@pytest.mark.parametrize("name", [*IN_NUMPY, *IN_TORCH])
def test_codes_give_the_answers_of_predict_with_any_modalities(folder, model, name):
    data = dataset.load(folder / f"{name.split('.')[0]}.npz")
    small = asked(model(name))
    whole = predictor.load(model(name))
    assert isinstance(small, Plain if name in IN_NUMPY else Incremental)
    assert small.recomputes == (name in ("sequence.crossmodal",))
    np.testing.assert_allclose(answers(small, data), whole.predict(data).logits, atol=2e-5)
    np.testing.assert_allclose(answers(Incremental(whole), data), whole.predict(data).logits, atol=2e-5)


def test_numbers_are_answered_too(tmp_path):
    given = data_set("vector")
    label = np.asarray(given.streams["audio"].values)[:, 0].astype(np.float64) * 3 + 7
    data = Dataset(given.streams, given.id, given.split, given.group, label, meta={"task": "regress"})
    dataset.save(tmp_path / "data.npz", data)
    command = ["train", str(tmp_path / "data.npz"), "-o", str(tmp_path / "model.pt"), "--task", "regress", "-q"]
    assert run([*command, "--fusion", "auto", "--set", "train.candidates=kernels"]) == 0
    small = asked(tmp_path / "model.pt")
    assert isinstance(small, Plain)
    expected = predictor.load(tmp_path / "model.pt").predict(data)
    _, values = small.meaning(answers(small, data))
    np.testing.assert_allclose(values, expected.values, atol=2e-4)


def test_a_small_model_is_asked_without_torch(model):
    script = "import sys; from mmcli.cli.app import run; code = run(sys.argv[1:]); "
    script += "sys.exit(code or ('torch' in sys.modules))"
    command = [sys.executable, "-c", script, "predict", str(model("vector.concat")), "-", "--stream"]
    row = b'{"id": "a", "modality": "audio", "t": 1, "values": [1, 2, 3, 4]}\n'
    done = subprocess.run(command, input=row, capture_output=True, check=False)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 2), done.stderr


def test_weights_that_do_not_go_with_their_configuration_are_refused(model, tmp_path):
    good = checkpoint.load(model("vector.concat"), predictor.expected)
    for change in ("shape", "missing", "spare"):
        tensors = dict(good.tensors)
        if change == "shape":
            tensors["head.direct.bias"] = tensors["head.direct.bias"][:1].clone()
        elif change == "missing":
            del tensors["head.direct.bias"]
        else:
            tensors["head.more"] = tensors["head.direct.bias"].clone()
        checkpoint.save(tmp_path / "bad.pt", checkpoint.Checkpoint(tensors, good.config))
        with pytest.raises(ArtifactError, match=r"head\.(direct\.bias|more)"):
            asked(tmp_path / "bad.pt")


@pytest.mark.parametrize(
    ("fusion", "said"), [("crossmodal", "anew from all modalities (crossmodal)"), ("late", "once")]
)
def test_info_says_what_a_stream_has_to_compute_anew(model, fusion, said, capsys):
    asked_of = model(f"sequence.{fusion}")
    assert run(["info", str(asked_of)]) == 0
    assert (
        f"stream: {'every answer is computed ' if fusion == 'crossmodal' else 'each modality is encoded '}{said}"
        in (capsys.readouterr().out)
    )
