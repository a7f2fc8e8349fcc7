"""The video extractors, one per file."""
