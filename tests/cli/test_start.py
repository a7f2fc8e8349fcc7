"""Starting is cheap: help, version and completion load nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mmcli.cli.app import COMMANDS

HEAVY = ("numpy", "scipy", "numba", "librosa", "torch", "PIL", "sklearn", "matplotlib", "av", "soundfile")
PROBE = """
import json, sys
sys.argv = ["mmcli", *json.loads({arguments!r})]
from mmcli.__main__ import main
try:
    main()
except SystemExit as stop:
    code = stop.code
print(json.dumps([code, [m for m in {heavy!r} if m in sys.modules]]))
"""


def loaded(arguments: list[str], **environment: str) -> tuple[int, list[str]]:
    script = PROBE.format(arguments=json.dumps(arguments), heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, modules


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_nothing_heavy(arguments):
    assert loaded(arguments) == (0, [])


def test_top_help_imports_no_command():
    script = (
        "import sys; sys.argv = ['mmcli', '--help']\n"
        "from mmcli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('mmcli.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    commands = {f"mmcli.cli.{name}" for name in COMMANDS}
    assert not commands & set(eval(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("words", "offered"), [("mmcli al", "align"), ("mmcli align --met", "--method")])
def test_completion_offers_names_and_loads_nothing_heavy(words, offered):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mmcli"],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "_MMCLI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
    )

    assert offered in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & set(HEAVY)


def test_every_command_has_its_file_and_a_help_text():
    for name, line in COMMANDS.items():
        done = subprocess.run([sys.executable, "-m", "mmcli", name, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, name
        assert len(done.stdout.split("Options:")[0].split()) > 10, f"{name} does not explain itself"
        assert line.endswith(".")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_the_null_device_and_no_output(tmp_path, closed):
    """A file that is opened would take its number, and be written into."""
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    command = f'"{sys.executable}" -m mmcli extract a.wav -o a.npz {closed}'
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, timeout=60, check=False).returncode == 0

    from mmcli.artifacts.formats import features

    assert features.load(tmp_path / "a.npz").frames > 50
