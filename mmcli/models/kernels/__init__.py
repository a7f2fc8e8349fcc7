"""Compiled layers and the plain ones that stand in for them: arrays in, arrays out."""
