"""Whole models: networks, kernel machines, stacks of them, contrastive encoders, and the one door to all."""
