"""The help of a command in groups, most used options first, with its examples at the end.

An option that no group names stands under "More". The groups are only how help is laid out: what an option does, and
when it is refused, stands in its command.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

_BATCH = ["timeout", "shard", "retry_failed", "verify_source", "max_failures"]

GROUPS: dict[str, dict[str, list[str]]] = {
    "extract": {
        "Common": ["output", "audio", "image", "video", "text", "series", "set_", "jobs", "dry_run", "json"],
        "What is read": ["modality", "track", "channel", "rate", "missing", "time_unit", "device"],
        "What is learned from the inputs": ["fitted", "fit_only"],
        "Only with intervals": ["segments", "window", "hop"],
        "Of many inputs": [
            "from_", "nul", "force", "memory", "recycle", "engine", "address", *_BATCH, "allow_missing", "progress",
        ],
    },
    "align": {
        "Common": ["output", "method", "clock", "page", "plot", "set_", "json"],
        "What is compared": ["feature", "metric", "kind", "repeats", "language", "rate", "missing", "time_unit"],
        "What is written": ["format_", "no_path", "force"],
        "Only for --method dtw": ["around", "within", "band", "fast", "matches", "memory"],
        "Only with --pairs": ["pairs", "timeout", "engine", "address", "shard", "retry_failed"],
        "For dtw and --pairs": ["jobs", "dry_run"],
    },
    "train": {
        "Common": ["output", "fusion", "modalities", "task", "target", "epochs", "seed", "set_", "dry_run", "json"],
        "What is learned": ["encoder", "context", "causal", "objective", "init", "device", "resume"],
        "Only for --fusion auto": ["effort", "trust"],
        "Rare classes, leading modalities, overfitting": [
            "class_weights", "sampling", "modulation", "smoothing", "auxiliary",
        ],
        "Several runs": ["cv", "seeds"],
        "Only with --task rank": ["events", "positive", "method", "splits", "by", "strict"],
        "Only with --private": ["private", "public", "items", "budget", "audit", "clients"],
    },
    "fuse": {
        "Common": ["output", "strategy", "normalise", "pool", "match", "seed", "set_", "json"],
        "One clock": ["rate", "reference", "align", "missing", "weight"],
        "Labels and splits": ["label_type", "balance", "spans", "span_kind"],
        "Large, or private": ["shard_size", "private", "bounds"],
    },
    "evaluate": {
        "Common": ["output", "split", "html", "plot", "explain", "against", "json"],
        "More of a model": ["media", "predictions", "robustness", "timings", "strict", "device", "seed", "set_"],
        "Several models, folds, searches": ["compare", "cv", "retrieve", "query", "relevant"],
        "Only of recommenders": ["events", "positive", "splits", "by"],
    },
    "predict": {
        "Common": ["output", "split", "explain", "threshold", "device", "json"],
        "Only of recommenders": ["k", "new", "among", "similar"],
        "Only of streams": [
            "stream", "raw", "rate", "channels", "window", "hop", "lateness", "late", "idle", "open_", "ahead", "map_",
            "final_only", "ack", "time_unit",
        ],
        "Of many inputs": ["from_", "nul", "jobs", "engine", "address", *_BATCH, "allow_programs"],
    },
    "warp": {
        "Common": ["map_", "output", "inverse", "json"],
        "Of many inputs": ["from_", "nul", "jobs", "engine", "address", *_BATCH],
    },
}  # fmt: skip
_LAST = ["quiet", "verbose", "config", "print_config", "debug", "help"]
MORE, EVERYWHERE = "More", "Every command"


class Grouped(TyperCommand):
    """A command whose options are listed in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, then the groups in their order, then what no group names."""
        records: dict[str, tuple[Any, Any]] = {
            str(p.name): (p, r) for p in self.get_params(ctx) if (r := p.get_help_record(ctx)) is not None
        }
        arguments = [name for name, (param, _) in records.items() if param.param_type_name == "argument"]
        groups: dict[str, list[str]] = {"Arguments": arguments, **GROUPS.get(str(self.name), {})}
        named = {name for names in groups.values() for name in names} | set(_LAST)
        rest = [name for name in records if name not in named]
        groups |= {MORE if len(groups) > 1 else "Options": rest, EVERYWHERE: _LAST}
        for title, names in groups.items():
            lines = [records[name][1] for name in names if name in records]
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, as they are."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"  {line.strip()}\n" if line.strip() else "\n")


def parted(text: str) -> tuple[str, str]:
    r"""What is said of a command, and its examples, which come last.

    >>> parted("Do it.\n\n\b\n  mmcli do it\n")
    ('Do it.', '  mmcli do it')
    """
    said, _, examples = text.strip().partition("\n\n\b\n")
    return said, examples.rstrip()
