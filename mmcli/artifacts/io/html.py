"""Pages that need nothing but themselves: a template with its style and script, and what all pages share of these."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from markupsafe import Markup

BASE = "mmcli.artifacts"


def render(package: str, name: str, values: Mapping[str, Any]) -> str:
    """The page of ``templates/NAME.html.j2`` of a package; the same values give the same page.

    Its ``style`` is base.css and NAME.css, its ``script`` base.js (the switch between light and dark) and NAME.js.
    Every value is escaped unless it is Markup.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.ChainableUndefined)
    template = environment.from_string(_read(package, f"{name}.html.j2"))
    parts = {
        "style": Markup(_read(BASE, "base.css") + _read(package, f"{name}.css")),
        "script": Markup(_read(BASE, "base.js") + _read(package, f"{name}.js")),
    }
    return template.render(parts | dict(values))


def _read(package: str, name: str) -> str:
    return (resources.files(package) / "templates" / name).read_text(encoding="utf-8")
