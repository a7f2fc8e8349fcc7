"""What to show next: methods that learn from events, the bridge to items nobody has seen, and how both are judged."""

from __future__ import annotations

from pathlib import Path

from mmcli.registry import Registry

registry = Registry("ranking method", f"{__name__}.methods", [str(Path(__file__).parent / "methods")])
