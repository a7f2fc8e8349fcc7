"""Training that may be given away: differential privacy for models, the count of what it costs, and its audit."""
