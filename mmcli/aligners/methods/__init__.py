"""The methods of alignment, one per file: ``Config`` and ``align(x, y, config)``. A new file is a new method."""
