"""The table extractors, one per file."""
