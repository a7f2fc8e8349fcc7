"""One item of somebody else's data set, before it is a row of a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field

# What columns and keys usually call themselves.
LABELS = ("label", "labels", "class", "category", "emotion", "intent")
GROUPS = ("group", "speaker", "speaker_id", "client_id", "subject", "subject_id", "session")
TEXTS = (
    "text", "sentence", "sentences", "transcript", "transcription", "caption", "utterance", "document", "content",
    "review", "question", "answer", "title", "raw_text", "normalized_text", "txt",
)  # fmt: skip


@dataclass(slots=True)
class Entry:
    """``id`` is empty where the item has none. ``files``: by member the suffix (``.wav``) or, where that is known
    instead, the modality, and the cell. ``arrays``: by name the cell; ``texts``: by name the text. ``problem``: why the
    item cannot be used, empty where it can.
    """

    id: str
    split: str = ""
    label: str = ""
    group: str = ""
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    def take(self, name: str, value: str) -> bool:
        """Keep a label, a group or a text by the name that it has. Returns whether it is any of these."""
        if name in LABELS:
            self.label = self.label or value
        elif name in GROUPS:
            self.group = self.group or value
        elif name == "split":
            self.split = value
        elif name in TEXTS:
            self.texts[name] = value
        else:
            return False
        return True
