"""The figures of every task: what pages, pictures, sentences and the terminal ask for a title or a place."""

from __future__ import annotations

from mmcli.evaluation.metrics import alignment, classification, events, multilabel, ranking, regression
from mmcli.evaluation.metrics.figure import Figure

RETRIEVAL = ranking.TASK
FIGURES: dict[str, tuple[Figure, ...]] = {
    "classify": classification.FIGURES,
    "multilabel": multilabel.FIGURES,
    "regress": regression.FIGURES,
    RETRIEVAL: ranking.FIGURES,
    "alignment": alignment.FIGURES,
    events.TASK: events.FIGURES,
}
PRIMARY = {
    "classify": classification.PRIMARY,
    "multilabel": multilabel.PRIMARY,
    "regress": regression.PRIMARY,
    RETRIEVAL: ranking.PRIMARY,
}
_BY_NAME = {figure.name: figure for figures in FIGURES.values() for figure in figures}


def title(name: str) -> str:
    """The title of a figure; of a search its direction stands before it. Any other name with spaces for underscores.

    >>> title("f1_macro"), title("image to text/hit_rate@1"), title("commonest_class")
    ('F1 macro', 'image to text: hit rate@1', 'commonest class')
    """
    way, slash, rest = name.rpartition("/")
    if slash:
        return f"{way}: {title(rest)}"
    return _BY_NAME[name].title if name in _BY_NAME else name.replace("_", " ")


def primary(task: str) -> Figure:
    """The figure that a task is judged by."""
    return _BY_NAME[PRIMARY[task]]


def shown(task: str) -> list[Figure]:
    """The figures in the table on the terminal."""
    return sorted((figure for figure in FIGURES[task] if figure.shown), key=lambda figure: figure.shown)


def at_the_head(task: str) -> list[Figure]:
    """The figures at the head of the page."""
    return sorted((figure for figure in FIGURES[task] if figure.head), key=lambda figure: figure.head)
