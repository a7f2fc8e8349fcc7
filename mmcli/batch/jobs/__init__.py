"""The batches that commands call: extraction, pairs, warps, predictions."""
