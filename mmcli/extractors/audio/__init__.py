"""The audio extractors, one per file."""
