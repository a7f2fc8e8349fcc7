"""The verdict on a recommender in words: which modality places new items and by how much, and what known items need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmcli.ranking.judge import POPULAR, PREDICTED, Judged
from mmcli.ranking.metrics import PRIMARY


def sentence(judged: Judged, method: str, modalities: Sequence[str]) -> str:
    """The verdict in words."""
    said = []
    if judged.new and judged.new["metrics"]:
        said += _of_new(judged.new, modalities)
    if judged.warm:
        table = judged.warm
        popular = table["beside"][POPULAR]
        better = "beats" if popular["behind"]["interval"][0] > 0 else "does not surely beat"
        figure = f"NDCG@20 {_with(table['metrics'][PRIMARY])}"
        rival = f"most popular ({popular[PRIMARY]['value']:.3f})"
        said.append(f"For known items {method} reaches {figure} and {better} {rival}.")
        if gain := table.get("content_adds"):
            low, high = gain["interval"]
            word = "adds to that" if low > 0 else "takes from that" if high < 0 else "adds nothing there"
            said.append(f"Content {word} ({gain['value']:+.3f}, {low:+.3f} to {high:+.3f}).")
    return " ".join(said)


def _of_new(table: Mapping[str, Any], modalities: Sequence[str]) -> list[str]:
    beside, named = table["beside"], table["carried_by"]
    others = ", ".join(f"{entry[PRIMARY]['value']:.3f} for {name}" for name, entry in beside.items())
    scores = f"NDCG@20 {_with(table['metrics'][PRIMARY])} against {others}"
    if not named:
        return [f"No modality places new items better than chance ({table['chance']:.3f}): {scores}."]
    verb = "places" if len(named) == 1 else "place"
    said = [f"{_and(named)} {verb} new items: {scores}, {table['chance']:.3f} by chance."]
    if beside[PREDICTED]["behind"]["interval"][0] <= 0:
        said.append("That lists are personal is no sure gain over predicted popularity.")
    if idle := [name for name in modalities if name not in named]:
        said.append(f"{_and(idle)} {'adds' if len(idle) == 1 else 'add'} nothing that is sure.")
    return said


def _with(entry: Mapping[str, Any]) -> str:
    low, high = entry["interval"]
    return f"{entry['value']:.3f} ({low:.3f} to {high:.3f})"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
