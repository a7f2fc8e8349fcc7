"""Candidates beside each other: kernel machines, opponents, and the pool that is not worse than its best part."""
