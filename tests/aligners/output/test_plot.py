"""--plot: the costs by the metric that sounds are compared with, and the interval where it can be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mmcli.aligners import pair
from mmcli.aligners.core.sides import Side
from mmcli.aligners.methods import auto
from mmcli.aligners.output import plot
from mmcli.artifacts.formats.alignment import Alignment

ABOUT = {"name": "x", "sha256": None, "duration_s": 10.0}


def test_auto_shows_sounds_by_their_cosine(sample_data: Path) -> None:
    """They were drawn by the euclidean distance of frames that are meant for the cosine."""
    files = (sample_data / "reading" / f"{n}" for n in ("reading.flac", "reading_shifted.ogg"))
    a, b = (Side(f, role) for f, role in zip(files, ("reference", "query"), strict=True))
    assert pair.matched(a, b, "auto").costs(auto.Config()).metric == "cosine"


def test_the_interval_is_seen_in_a_part_of_its_own(tmp_path: Path) -> None:
    """A wider interval fills more of the lower part; without one there is none."""
    knots = np.array([[0.0, 0.0], [4.0, 4.0], [6.0, 4.0], [10.0, 8.0]])
    frames = np.random.default_rng(0).standard_normal((50, 3))
    costs = plot.Costs(plot.between(frames, frames, "cosine").cells, "cosine", (0.0, 10.0), (0.0, 8.0), 0.0, 2.0)

    def drawn(name: str, widths: list[float] | None) -> np.ndarray:
        found = Alignment(
            model="piecewise",
            knots=knots,
            breaks=[{"side": "reference", "start": 4.0, "end": 6.0}],
            confidence_s=widths,
            quality={"ratio": None, "verdict": "match", "reason": ""},
            method={"name": "auto", "config": {}},
            reference=ABOUT,
            query=ABOUT,
        )
        plot.draw(tmp_path / name, found, costs)
        return np.asarray(Image.open(tmp_path / name).convert("RGB"), dtype=int)

    plain, even, uneven = drawn("a.png", None), drawn("b.png", [0.02] * 4), drawn("c.png", [0.02, 0.02, 0.002, 0.002])
    assert even.shape[0] > plain.shape[0]

    def pink(image: np.ndarray) -> int:
        r, g, b = image[plain.shape[0] :].transpose(2, 0, 1)
        return int(((r > g + 25) & (abs(g - b) < 12)).sum())

    assert pink(even) > 1.5 * pink(uneven) > 1000


def test_a_dollar_in_a_name_is_drawn_as_it_is(tmp_path: Path) -> None:
    """It was read as mathematics: the map was lost to an error of the drawing."""
    frames = np.random.default_rng(0).standard_normal((50, 3))
    costs = plot.Costs(plot.between(frames, frames, "cosine").cells, "cosine", (0.0, 10.0), (0.0, 8.0), 0.0, 2.0)
    found = Alignment(
        model="piecewise",
        knots=np.array([[0.0, 0.0], [8.0, 8.0]]),
        quality={"ratio": None, "verdict": "match", "reason": ""},
        method={"name": "auto", "config": {}},
        reference={**ABOUT, "name": r"a$\frac$.wav"},
        query={**ABOUT, "name": "b$x^$.wav"},
    )
    plot.draw(tmp_path / "a.png", found, costs)
    assert (tmp_path / "a.png").stat().st_size > 1000
