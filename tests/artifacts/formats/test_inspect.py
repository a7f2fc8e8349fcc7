"""Any artifact is recognised by what is in it, whatever its name."""

from __future__ import annotations

import json
from pathlib import Path

import fuzz_seeds
import pytest

from mmcli.artifacts.formats import inspect, manifest
from mmcli.errors import ArtifactError, InputError

SCHEMAS = {
    "features": "mmcli/features@1",
    "dataset": "mmcli/dataset@1",
    "alignment": "mmcli/alignment@1",
    "report": "mmcli/report@1",
    "fitted": "mmcli/fitted@1",
    "ndjson": "mmcli/manifest@1",
    "csv": "mmcli/manifest@1",
}


@pytest.mark.parametrize("name", [*SCHEMAS, "checkpoint"])
def test_every_format(name: str, tmp_path: Path) -> None:
    form = fuzz_seeds.checkpoint_format() if name == "checkpoint" else fuzz_seeds.formats()[name]
    path = tmp_path / "no-suffix"
    path.write_bytes(form.seed)

    found = inspect.validate(path)

    assert found["schema"] == SCHEMAS.get(name, "mmcli/checkpoint@1")
    assert json.loads(json.dumps(found)) == found


def test_what_a_summary_says(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(fuzz_seeds.formats()["dataset"].seed)
    summary = inspect.validate(path)["summary"]

    assert summary["items"] == 3
    assert summary["splits"] == {"test": 1, "train": 1, "val": 1}
    assert summary["streams"]["audio"] == {"rows": 4, "shape": [2], "present": 2, "kind": "sequence"}

    path.write_bytes(fuzz_seeds.formats()["csv"].seed)
    assert inspect.validate(path)["summary"]["errors"] == 1

    path.write_bytes(fuzz_seeds.formats()["alignment"].seed)
    assert inspect.validate(path)["summary"]["sealed"] is True


def test_json_on_one_line_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(json.dumps(json.loads(fuzz_seeds.formats()["report"].seed)))

    assert inspect.recognise(path) == "mmcli/report@1"


def test_a_manifest_with_a_header_line(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(manifest.header_line(tmp_path) + manifest.dump_row(manifest.Row("a")))

    assert inspect.validate(path)["summary"]["rows"] == 1


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"RIFF....WAVE", b"\x89PNG\r\n", b"PK\x05\x06" + bytes(18), b"a,b\n"]
)
def test_what_is_none_of_ours(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)

    with pytest.raises(InputError):
        inspect.recognise(path)


def test_a_damaged_one_is_recognised_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(fuzz_seeds.formats()["alignment"].seed.replace(b"clear", b"clean"))

    assert inspect.recognise(path) == "mmcli/alignment@1"
    with pytest.raises(ArtifactError):
        inspect.validate(path)
