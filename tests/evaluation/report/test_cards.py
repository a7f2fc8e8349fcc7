"""The card of an item: a sound is played where its streams are named after their extractors, once."""

from __future__ import annotations

from mmcli.evaluation.report import page


def test_streams_of_several_extractors_play_their_sound_once():
    names = ["audio.logmel", "audio.mfcc", "image.small"]
    explanation = {"modalities": {name: {"values": [0.1, 0.2]} for name in names}, "share": {}}
    item = {"id": "a", "group": None, "label": "x", "prediction": "x", "present": names, "explanation": explanation}
    report = {"task": "regress", "modalities": {"each": {}}, "metrics": {}}
    media = {"audio": "data:audio/ogg;base64,AA==", "image": "data:image/png;base64,AA=="}
    card = page._card(item, report, media, page.strongest([item]))
    players = {part["name"]: "<audio" in part["body"] for part in card["parts"]}
    assert players == {"audio.logmel": True, "audio.mfcc": False, "image.small": False}
    assert "data:image/png" in card["parts"][2]["body"]


def test_a_stream_with_a_name_of_its_own_has_its_own_medium():
    media = {"audio.left": "L", "audio": "A"}
    assert page.medium_of("audio.left.mfcc", media) == "L"
    assert page.medium_of("audio.right", media) == "A"
    assert page.medium_of("audio", media) == "A"
