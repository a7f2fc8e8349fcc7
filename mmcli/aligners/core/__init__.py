"""What every method stands on: the two sides of a pair, their frames, the test for belonging together, the result."""
