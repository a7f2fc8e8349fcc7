"""The image extractors, one per file."""
