"""The notebook of mmcli/docs runs in the root of a checkout, and prints what it shows.

``python tests/test_notebook.py`` runs it and writes what its cells print into it. A runner of forty lines: the packages
that run notebooks (nbclient, its kernel and their thirty others) are not needed to run Python in order.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "mmcli" / "docs" / "notebook.ipynb"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")  # of another processor the last digits may differ


def printed(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell gives, as its outputs are kept (nbformat 4): what it prints, and its last expression as text."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    value = None
    with contextlib.redirect_stdout(said):
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if said.getvalue():
        text = said.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        text = repr(value).splitlines(keepends=True)
        data = {"text/plain": text}
        outputs.append({"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"})
    return outputs


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs that its cells have now."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [
        cell | {"outputs": printed("".join(cell["source"]), names)} if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    return notebook | {"cells": cells}


def texts(notebook: dict[str, Any]) -> list[str]:
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return ["".join(output.get("text") or output["data"]["text/plain"]) for output in outputs]


def test_the_cells_print_what_the_notebook_shows(monkeypatch):
    pytest.importorskip("pandas", reason="the notebook shows tables")
    monkeypatch.chdir(ROOT)
    kept = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # nothing in it needs a warning
        now = run(kept)

    for before, after in zip(texts(kept), texts(now), strict=True):
        assert NUMBER.sub("#", after).split() == NUMBER.sub("#", before).split()
        for shown, found in zip(NUMBER.findall(before), NUMBER.findall(after), strict=True):
            assert float(found) == pytest.approx(float(shown), rel=0.1, abs=0.15)
    table = next(text for text in texts(now) if "accuracy" in text and "audio + image" in text)
    audio, image, both = (float(line.split()[-4]) for line in table.splitlines()[1:])
    assert both > max(audio, image), "the notebook says that two are better than one"


if __name__ == "__main__":
    os.chdir(ROOT)
    text = json.dumps(run(json.loads(NOTEBOOK.read_text(encoding="utf-8"))), indent=1, ensure_ascii=False)
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write("\n\n".join(texts(json.loads(text))) + "\n")
