"""From a data set to a checkpoint, and from a checkpoint to predictions."""
