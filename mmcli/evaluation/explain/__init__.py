"""Why a model answers as it does: parts, Shapley values, gradients, attention, damage."""
