"""The text extractors, one per file."""
