"""What the door of events lets in, and what it refuses with the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import event_lines, events
from mmcli.errors import InputError, UsageError

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "events"


def write(tmp_path, text, name="events.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(tmp_path, text, **options):
    with pytest.raises(InputError) as caught:
        events.load(write(tmp_path, text), **options)
    assert caught.value.exit_code == 4
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,item,rating\nu,a,5\nu,b,five\n", "line 3: rating is 'five'"),
        ("user,item,rating\nu,a,nan\nu,b,5\n", "line 2: rating is nan"),
        ("user,item,weight\nu,a,1\nu,b,-1\n", "line 3: weight -1"),
        ("user,item,time\nu,a,881250949\nu,b,881250949000\n", "line 3: time 881250949000"),
        ("user,item,time\nu,a,1997-01-01\nu,b,1997-13-40\n", "line 3: time is '1997-13-40'"),
        ("user,item\nu,a\n,b\n", "line 3: user is empty"),
        ("user,item\nu,a\nu,b,c\n", "line 3: 3 cells"),
        ("user,item\nu,a\n", "line 2: holds one event"),
        ("user,item\n", "no event"),
        ("who,what\nu,a\n", "no column 'user'"),
        ("user,item,split\nu,a,train\nu,a,test\n", "line 3: user 'u' and item 'a' are in test and in train"),
        ("user,item,split\nu,a,train\nu,b,later\n", "line 3: split 'later'"),
        ('{"user": "u", "item": "a"}\n{"user": "u"}\n', "line 2: has no user and item"),
        ('{"user": "u", "item": "a"}\nnonsense\n', "line 2: is not JSON"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path, text, said):
    assert said in refusal(tmp_path, text)


def test_more_than_half_of_the_events_on_unknown_items_is_refused(tmp_path):
    text = "user,item\nu,a\nv,x\nw,y\n"
    assert "line 3: 2 of 3 events" in refusal(tmp_path, text, known=["a", "b"])
    kept = events.load(write(tmp_path, "user,item\nu,a\nv,b\nw,y\n"), ["a", "b"])
    assert "1 of 3 events are on items that are not known" in kept.notes[0]


def test_of_a_pair_the_last_in_time_is_kept_and_counted(tmp_path):
    table = events.load(write(tmp_path, "user,item,rating,time\nu,a,3,30\nu,a,5,20\nu,b,4,10\n"))
    assert table.value.tolist() == [3.0, 4.0]
    assert table.notes == ["1 repeats of a pair of user and item; the last of each is kept"]


def test_a_program_among_the_users_is_kept_and_named(tmp_path):
    lines = [f"bot,i{n}" for n in range(2000)] + [f"u{n},i{n}" for n in range(20)]
    table = events.load(write(tmp_path, "user,item\n" + "\n".join(lines) + "\n"))
    assert len(table) == 2020
    assert table.notes == ["user 'bot' has 2,000 events, as a program would; kept"]


def test_a_test_event_before_training_events_is_said_and_refused_when_strict(tmp_path):
    text = "user,item,time,split\nu,a,200,train\nu,b,100,test\n"
    assert "flatter" in events.load(write(tmp_path, text)).notes[0]
    assert "line 3" in refusal(tmp_path, text, strict=True)


def test_the_same_events_are_read_however_they_are_written(tmp_path):
    table = "user,item,rating,time\nu,a,5,1000000000\nv,b,2,2000000000\n"
    forms = [
        table.encode(),
        table.replace(",", ";").encode(),
        table.replace(",", "\t").encode(),
        table.replace("\n", "\r\n").encode(),
        table.encode("utf-16"),
        table.encode("utf-8-sig"),
        b"userId,movieId,rating,timestamp\nu,a,5,1000000000\nv,b,2,2000000000\n",
        b"user,item,rating,time\nu,a,5,1000000000000\nv,b,2,2000000000000\n",
        b"user,item,rating,time\nu,a,5,2001-09-09T01:46:40\nv,b,2,2033-05-18T03:33:20\n",
        b'{"user":"u","item":"a","rating":5,"time":1000000000}\n{"user":"v","item":"b","rating":2,"time":2000000000}\n',
    ]
    for number, form in enumerate(forms):
        table = events.load(write(tmp_path, form, f"e{number}"))
        assert (table.users, table.items) == (["u", "v"], ["a", "b"]), number
        assert table.value.tolist() == [5, 2]
        assert table.time.tolist() == [1e9, 2e9]


def test_lines_are_counted_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(event_lines, "BLOCK", 3)
    text = "user,item,rating\n" + "".join(f"u{n},i{n},4\n" for n in range(10)) + "u,a,bad\n"
    assert "line 12: rating is 'bad'" in refusal(tmp_path, text)


def test_positive_rules():
    table = events.Events(
        ["u"], ["a", "b"], np.array([0, 0]), np.array([0, 1]), np.arange(2), value=np.array([5, 3], "f4"), kind="rating"
    )
    assert events.positives(table, "rating>3")[0].tolist() == [True, False]
    assert events.positives(table, "rating<=3")[0].tolist() == [False, True]
    for rule in ("weight>1", "rating", "rating>=much"):
        with pytest.raises(UsageError):
            events.positives(table, rule)


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases/events is not here")
def test_the_shared_cases_end_as_they_should():
    good = {"good.csv", "bot_user.csv", "duplicate_conflict.csv", "utf16.csv", "leak_test_before_train.csv"}
    for path in sorted(CASES.glob("*.csv")):
        if path.name == "items.csv":
            continue
        if path.name in good:
            events.load(path, ["m1", "m2", "m3"])
            continue
        with pytest.raises(InputError):
            events.load(path, ["m1", "m2", "m3"])
