"""One file per task: its figures, each with all that is said of it, and how they come from items and their weights."""
