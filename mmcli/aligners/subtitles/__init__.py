"""Cues of a subtitle on the speech activity of a recording."""
