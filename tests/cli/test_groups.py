"""Help stands in groups that name options there are, all options are in it once, and examples come last."""

from __future__ import annotations

import re

import pytest

from mmcli.cli import app, groups


@pytest.mark.parametrize("name", list(groups.GROUPS))
def test_groups_name_options_that_there_are_each_once(name):
    known = {param.name for param in app.load(name).params}
    named = [option for options in groups.GROUPS[name].values() for option in options]
    assert set(named) <= known
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", list(app.COMMANDS))
def test_every_option_is_in_the_help_once_and_examples_come_last(name, capsys):
    assert app.run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    listed = re.split(r"^(?:Common|Options):$", shown, flags=re.MULTILINE)[1]
    for param in app.load(name).params:
        if param.param_type_name == "option":
            long = max(param.opts, key=len)
            assert len(re.findall(rf"^  (?:-\w, )?{re.escape(long)}\b(?!-)", listed, re.MULTILINE)) == 1, long
    assert re.search(rf"^Examples:\n(?:  .*\n)*?  .*mmcli {name}", listed, re.MULTILINE)
    assert listed.index("Examples:") > listed.index("--help")


def test_the_most_used_options_come_first(capsys):
    assert app.run(["align", "--help"]) == 0
    shown = capsys.readouterr().out
    titles = re.findall(r"^(\w[^\n]*):$", shown, re.MULTILINE)
    assert titles == ["Arguments", *groups.GROUPS["align"], groups.EVERYWHERE, "Examples"]
