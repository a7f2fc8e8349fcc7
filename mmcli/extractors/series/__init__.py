"""The series extractors, one per file."""
