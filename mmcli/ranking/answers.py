"""Lists for histories, a line a user: `mmcli predict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError
from mmcli.ranking import content
from mmcli.ranking.recommender import Recommender
from mmcli.ranking.scorer import top

BLOCK = 256  # histories at once


@dataclass(frozen=True)
class History:
    """A user: the items met, of which those in ``disliked`` say nothing of the taste but are not shown again."""

    user: str
    met: tuple[str, ...]
    disliked: frozenset[str] = frozenset()


@dataclass(eq=False)
class Newcomers:
    """Items outside the catalogue: their ids, and content vectors by modality, a row each."""

    ids: list[str]
    vectors: dict[str, content.Array]


def read(line: Mapping[str, Any], number: int) -> History:
    """A history from a JSON object: ``{"user": ID, "history": [ID, ...]}``; an entry may be ``{"item": ID, "liked":
    false}``. Raises :class:`InputError` that names what is wrong.

    >>> read({"user": "u", "history": [1, "b", {"item": "c", "liked": False}]}, 1)
    History(user='u', met=('1', 'b', 'c'), disliked=frozenset({'c'}))
    """
    if not isinstance(line, dict) or not isinstance(line.get("history"), list):
        raise InputError(f"line {number}: has no list called history", hint='{"user": "u1", "history": ["a", "b"]}')
    met, disliked = [], set()
    for entry in line["history"]:
        item = entry.get("item") if isinstance(entry, dict) else entry
        if isinstance(item, bool) or not isinstance(item, (str, int)) or str(item) == "":
            raise InputError(f"line {number}: {str(entry)[:60]!r} in its history is no item")
        met.append(str(item))
        if isinstance(entry, dict) and entry.get("liked") is False:
            disliked.add(str(item))
    return History(str(line.get("user", line.get("id", number))), tuple(dict.fromkeys(met)), frozenset(disliked))


class Lists:
    """Answers of a model: the ``k`` best of the catalogue and the newcomers, or of ``among`` alone."""

    def __init__(
        self,
        model: Recommender,
        k: int,
        *,
        among: Sequence[str] | None = None,
        newcomers: Newcomers | None = None,
        explain: bool = False,
    ) -> None:
        self.model, self.k, self.explain = model, k, explain
        self.newcomers = newcomers or Newcomers([], {})
        taken = [name for name in self.newcomers.ids if name in model.place]
        if taken:
            raise InputError(f"item {taken[0]!r} is in the catalogue; its content is known", hint="another id")
        self.ids = [*model.items, *self.newcomers.ids]
        self.allowed = np.ones(len(self.ids), bool)
        if among is not None:
            number = {name: i for i, name in enumerate(self.ids)}
            unknown = [name for name in among if name not in number]
            if len(unknown) == len(among):
                raise InputError(
                    f"none of the {len(among):,} items of --among is known; the first is {unknown[0][:60]!r}"
                )
            self.allowed[:] = False
            self.allowed[[number[name] for name in among if name in number]] = True

    def lines(self, users: Sequence[History]) -> Iterator[dict[str, Any]]:
        """One JSON object a history, in order."""
        for start in range(0, len(users), BLOCK):
            yield from self._block(users[start : start + BLOCK])

    def _block(self, users: Sequence[History]) -> Iterator[dict[str, Any]]:
        model, place = self.model, self.model.place
        liked = [sorted(place[i] for i in user.met if i in place and i not in user.disliked) for user in users]
        rows = model.histories(liked)
        scores = model.scores(rows)
        if self.newcomers.ids:
            scores = np.hstack([scores, model.score_content(rows, self.newcomers.vectors)])
        scores[:, ~self.allowed] = -np.inf
        for row, user in enumerate(users):
            scores[row, [place[i] for i in user.met if i in place]] = -np.inf
        best = top(scores, self.k)
        for row, user in enumerate(users):
            line: dict[str, Any] = {"user": user.user, "items": []}
            for item in best[row].tolist():
                if np.isfinite(scores[row, item]):
                    line["items"].append(self._entry(np.array(liked[row], np.int64), item, float(scores[row, item])))
            if self.newcomers.ids:
                line["places"] = {
                    name: int((scores[row] > scores[row, len(model.items) + i]).sum()) + 1
                    for i, name in enumerate(self.newcomers.ids)
                }
            unknown = sum(i not in place for i in user.met)
            if unknown:
                line["unknown"] = unknown
            yield line

    def _entry(self, history: NDArray[np.int64], item: int, score: float) -> dict[str, Any]:
        entry: dict[str, Any] = {"item": self.ids[item], "score": score}
        outside = item - len(self.model.items)
        if outside >= 0 or not self.model.known[item]:
            entry["new"] = True
        if self.explain:
            own = {k: v[[outside]] for k, v in self.newcomers.vectors.items()} if outside >= 0 else None
            entry["because"] = self.model.because(history, item, own) if len(history) else {"popularity": score}
        return entry

    def similar(self, name: str | None, count: int) -> list[dict[str, Any]]:
        """The items most like one: of a known item what its history alone leads to, of another its nearest content."""
        model = self.model
        if name is not None and name in model.place:
            number = model.place[name]
            if model.known[number]:
                scores = model.scores(model.histories([[number]]))[0]
                scores[number] = -np.inf
                return self._named(scores, count)
            assert model.bridge is not None
            vectors = {key: v[[number]] for key, v in model.bridge.vectors.items()}
        else:
            number, vectors = -1, {key: v[:1] for key, v in self.newcomers.vectors.items()}
        assert model.bridge is not None
        parts = (
            np.float32(weight) * content.kernel(vectors[key], model.bridge.vectors[key])[0]
            for key, weight in model.bridge.weights.items()
        )
        scores = np.asarray(sum(parts), np.float32)
        if number >= 0:
            scores[number] = -np.inf
        return self._named(scores, count)

    def _named(self, scores: content.Array, count: int) -> list[dict[str, Any]]:
        scores = np.where(self.allowed[: len(scores)], scores, -np.inf).astype(np.float32)
        best = top(scores[None], count)[0].tolist()
        return [{"item": self.model.items[i], "score": float(scores[i])} for i in best if np.isfinite(scores[i])]
