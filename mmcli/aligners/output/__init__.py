"""What becomes of a map: pages, plots, other formats, and files put on the other clock."""
