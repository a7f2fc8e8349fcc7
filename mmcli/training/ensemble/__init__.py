"""Candidates beside each other: kernel machines, opponents, and the ensemble that is not worse than its best part."""
