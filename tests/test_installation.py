"""`mmcli doctor`: what is here, what is missing, and what that costs."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest

from mmcli import installation
from mmcli.aligners.kernels import engine
from mmcli.cli import app


def test_a_sound_installation_ends_with_0_and_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["doctor"]) == 0
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert "numpy" in lines["libraries"]
    assert set(lines) >= {"kernel dtw", "decoders", "[cluster]", "CUDA", "processors", "memory", "disk"}


def test_a_missing_library_ends_with_2_and_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("soundfile", "ray"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert app.run(["doctor", "--json"]) == 2
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert facts["problems"] == ["soundfile is needed and not installed: pip install soundfile"]
    assert "ray" in facts["extras"]["cluster"]
    assert "pip install soundfile" in err


def test_kernels_that_were_not_compiled_are_named_with_what_the_twin_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module, _, _ in installation.KERNELS.values():
        monkeypatch.setitem(sys.modules, module, None)
    assert not any(installation.compiled().values())
    assert app.run(["doctor"]) == 0
    assert "warping paths: the twin in Python, about 20 times slower" in capsys.readouterr().out


def test_the_first_alignment_without_kernels_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    monkeypatch.setattr(engine, "_dtw", None)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("time,v\n" + "".join(f"{k / 10},{(k * 7) % 11}\n" for k in range(40)))
    app.run(["align", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--method", "dtw"])
    assert (
        capsys.readouterr().err.splitlines()[0].startswith("no compiled kernels: the twins in Python serve, about 20")
    )
