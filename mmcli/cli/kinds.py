"""The kinds of things that can be chosen by name: what `mmcli list` lists, and what the shell completes (options).

Nothing here imports a member, or what takes time to import.
"""

from __future__ import annotations

from pathlib import Path

from mmcli.registry import Registry

ABOUT = {
    "extractors": "extract --audio, --image, --video, --text, --series, --table",
    "aligners": "align --method",
    "strategies": "fuse --strategy",
    "blocks": "train --fusion, beside auto",
    "encoders": "train --encoder",
    "turns": "train --context group --set train.reader",
    "rankers": "train --task rank --method",
    "metrics": "evaluate",
}


def registries(kind: str) -> list[tuple[Registry, str]]:
    """The families of a kind, and what stands before the names of each."""
    match kind:
        case "extractors":
            from mmcli import extractors

            return [(extractors.registry(modality), f"{modality}.") for modality in extractors.MODALITIES]
        case "aligners":
            from mmcli import aligners

            return [(aligners.registry, "")]
        case "strategies":
            from mmcli import fusion

            return [(fusion.registry, "")]
        case "rankers":
            from mmcli import ranking

            return [(ranking.registry, "")]
        case "blocks" | "encoders" | "turns":  # their packages load torch, which a list has no use for
            import mmcli

            package, folder = f"mmcli.models.{kind}", Path(mmcli.__file__).parent / "models" / kind
            group = "mmcli.models.fusion" if kind == "blocks" else package
            return [(Registry(kind, package, [str(folder)], group=group), "")]
    return []
