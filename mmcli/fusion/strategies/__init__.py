"""One fusion strategy per file: ``Config``, optional ``fit``, and ``fuse``. A new file is a new strategy."""
