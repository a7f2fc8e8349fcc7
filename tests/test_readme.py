"""The examples of the README and of mmcli/docs are run and their output compared; what the demo finds is held by a
longer test.

``python tests/test_readme.py`` runs the console blocks and writes what they print into the pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "mmcli" / "docs"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
DEMO = re.compile(r"<!-- demo -->\n```text\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def session(block: str, folder: Path) -> str:
    """The block with what its commands print now, errors and data together, as a terminal shows them."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    lines = []
    for line in block.splitlines():
        if line.startswith("$ "):
            done = subprocess.run(
                ["bash", "-c", f"({line[2:]}) 2>&1"], cwd=folder, env=environment, capture_output=True, text=True
            )
            lines += [line, *(said.rstrip() for said in done.stdout.splitlines())]
    return "\n".join(lines) + "\n"


def with_console() -> list[Path]:
    """The README and the pages that show what commands print."""
    return [path for path in (README, *sorted(DOCS.glob("*.md"))) if CONSOLE.search(path.read_text())]


def blocks(text: str, folder: Path) -> str:
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    return CONSOLE.sub(lambda found: f"```console\n{session(found[1], folder)}```", text)


@pytest.mark.parametrize("path", with_console(), ids=lambda path: path.stem)
def test_the_examples_print_what_the_page_shows(tmp_path, path):
    text = path.read_text()

    assert blocks(text, tmp_path) == text, "run python tests/test_readme.py and look at the difference"


def test_links_of_the_readme_and_the_pages_lead_somewhere():
    for path in (README, *DOCS.glob("*.md")):
        for address in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
            assert address.startswith("https://") or (path.parent / address).exists(), f"{path.name}: {address}"


def test_the_extractor_of_the_page_works(tmp_path):
    import numpy as np

    from mmcli.media import AudioClip

    blocks = [block.split("```")[0] for block in (DOCS / "extending.md").read_text().split("```python\n")[1:]]
    example = next(block for block in blocks if block.startswith('"""Loudness'))
    (tmp_path / "loudness.py").write_text(example)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import loudness"
    subprocess.run([sys.executable, "-c", script], check=True)
    names: dict[str, object] = {"__name__": "loudness"}
    sys.modules["loudness"] = type(sys)("loudness")
    exec(compile(example, "loudness", "exec"), names)

    found = names["extract"](AudioClip.from_array(np.full(8000, 0.1, np.float32), 8000))

    assert np.allclose(found.values, -20.0, atol=0.01)
    assert len(found.times) == 20


@pytest.mark.hunt
def test_the_demo_finds_what_the_readme_and_the_first_page_show(tmp_path):
    done = subprocess.run(
        ["sh", "sample_data/demo.sh", str(tmp_path / "out")], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-2000:]
    tables = [DEMO.search(path.read_text()) for path in (README, DOCS / "start.md")]
    for line in (line for shown in tables if shown for line in shown[1].splitlines()):
        words = NUMBER.sub("#", line).split()
        same = [said for said in done.stdout.splitlines() if NUMBER.sub("#", said).split() == words]
        assert same, f"the demo no longer says anything like {line!r}"


if __name__ == "__main__":
    for page in with_console():
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(blocks(page.read_text(), Path(folder)))
