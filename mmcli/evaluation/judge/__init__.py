"""What a model came to: its outcome, the verdict against opponents, slices, robustness, integrity."""
