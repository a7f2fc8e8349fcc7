"""A report as an object: its figures by name, and its page in a notebook."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import report as files


class Report:
    """What an evaluation found; ``content`` is the JSON object of `mmcli evaluate`."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def __getitem__(self, name: str) -> Any:
        """A part of the report: ``report["metrics"]``."""
        return self.content[name]

    @property
    def verdict(self) -> str:
        """The verdict in a sentence."""
        return str(self.content["verdict"]["text"])

    def to_pandas(self) -> Any:
        """One row a figure: its value and the ends of its interval. Needs pandas."""
        from mmcli.artifacts.formats.tables import pandas

        rows = {name: _row(entry) for name, entry in self.content["metrics"].items()}
        return pandas().DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high", "n"])

    def save(self, path: str | Path, media: str | Path | None = None) -> None:
        """Write the report: the page where the name ends in html, else the JSON that `mmcli evaluate` writes.

        ``media``: see :meth:`page`.
        """
        from mmcli.artifacts.io import atomic

        if Path(path).suffix.lower() in (".html", ".htm"):
            atomic.write_text(path, self.page(media))
        else:
            files.save(path, self.content)

    def page(self, media: str | Path | None = None) -> str:
        """The page of `mmcli evaluate --html`, one HTML document; ``media`` is the manifest whose pictures, films and
        sounds it shows. Raises ArtifactError where that knows none of the explained items.
        """
        from mmcli.artifacts.formats import manifest
        from mmcli.evaluation.report import media as of_items
        from mmcli.evaluation.report import page

        if media is None:
            return page.render(self.content)
        listed = manifest.load(media)
        shown, _ = of_items.gather(listed, self.content)
        return page.render(self.content, shown, of_items.thumbnails(listed, self.content))

    def __repr__(self) -> str:
        """The verdict in one line."""
        return f"<Report of {self.content['model']['name']} on {self.content['split']}: {self.verdict}>"

    def _repr_html_(self) -> str:
        """The page inside of a notebook, in a frame of its own, so that neither changes the looks of the other."""
        style = "width:100%;height:36em;border:1px solid #8888"
        return f'<iframe title="report" style="{style}" srcdoc="{escape(self.page(), quote=True)}"></iframe>'


def load(path: str | Path) -> Report:
    """The report in a file."""
    return Report(files.load(path))


def _row(entry: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    low, high = entry.get("interval") or (None, None)
    return entry.get("value"), low, high, entry.get("n")
