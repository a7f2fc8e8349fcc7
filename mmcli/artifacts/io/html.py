"""Pages that need nothing but themselves: a template with its style and script, and what all pages share of these."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from markupsafe import Markup

BASE = "mmcli.artifacts"


def render(package: str, name: str, values: Mapping[str, Any], *, linked: bool = False) -> str:
    """The page of ``templates/NAME.html.j2`` of a package; the same values give the same page.

    Its ``style`` is base.css and NAME.css, its ``script`` base.js (the switch between light and dark) and NAME.js.
    Every value is escaped unless it is Markup; should one get through, its ``policy`` keeps it from running, and from
    fetching anything. ``linked``: sound and film may lie beside the page.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.ChainableUndefined)
    template = environment.from_string(_read(package, f"{name}.html.j2"))
    script = _read(BASE, "base.js") + _read(package, f"{name}.js")
    parts = {
        "style": Markup(_read(BASE, "base.css") + _read(package, f"{name}.css")),
        "script": Markup(script),
        "policy": _policy(script, linked),
    }
    return template.render(parts | dict(values))


def _policy(script: str, linked: bool) -> str:
    """A content security policy (W3C CSP Level 3): this script runs and no other, nothing comes from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    beside = " 'self' file:" if linked else ""
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        f"media-src data: blob:{beside}; base-uri 'none'; form-action 'none'"
    )


def _read(package: str, name: str) -> str:
    return (resources.files(package) / "templates" / name).read_text(encoding="utf-8")
