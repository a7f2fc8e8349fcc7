"""What becomes of errors, signals and closed outputs: the exit code and one or two lines."""

from __future__ import annotations

import errno

import pytest

from mmcli import errors
from mmcli.cli import app, console


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (errors.UsageError("bad flag", hint="use the other"), 2, "mmcli align: bad flag\nuse the other\n"),
        (errors.MissingError("no such file", source="a.wav"), 2, "mmcli align: a.wav: no such file\n"),
        (errors.BatchFailedError("3 of 9 inputs failed"), 3, "mmcli align: 3 of 9 inputs failed\n"),
        (errors.ArtifactError("is torn", source="x.npz"), 4, "mmcli align: x.npz: is torn\n"),
        (errors.OutputError("disk full", source="y.npz"), 5, "mmcli align: y.npz: disk full\n"),
        (KeyboardInterrupt(), 130, "mmcli align: interrupted\n"),
        (app.Terminated(), 143, "mmcli align: terminated\n"),
        (MemoryError(), 4, "mmcli align: the input does not fit into the memory of this machine\n"),
    ],
)
def test_each_error_ends_with_its_code_and_says_what_happened(raised, code, said, capsys):
    assert app._code(raised, "mmcli align") == code
    assert capsys.readouterr().err == said


def test_a_bug_is_called_a_bug(capsys):
    assert app._code(ZeroDivisionError("division by zero"), "mmcli align") == 1
    assert "internal error: ZeroDivisionError" in capsys.readouterr().err


def test_only_disk_errors_count_as_cannot_write(monkeypatch, capsys):
    monkeypatch.setattr(app, "_abandon_stdout", lambda: None)

    assert app._code(OSError(errno.ENOSPC, "No space left on device"), "mmcli") == 5
    assert app._code(OSError(errno.EBADF, "Bad file descriptor"), "mmcli") == 1
    capsys.readouterr()


def test_control_characters_in_names_never_reach_the_terminal(capsys):
    app._code(errors.InputError("torn", source="evil\x1b[31m\n.npz"), "mmcli align")

    assert "\x1b" not in capsys.readouterr().err


def test_no_arguments_shows_the_help_and_is_a_usage_error(capsys):
    assert app.run([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "offer"), [(["aling"], "did you mean 'align'?"), (["align", "--metod", "dtw"], "--method")]
)
def test_a_typing_mistake_is_answered_with_the_nearest_name(arguments, offer, capsys):
    assert app.run(arguments) == 2
    assert offer in capsys.readouterr().err


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        console.emit({"value": float("nan")})
