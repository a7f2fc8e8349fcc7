"""How a history becomes scores of items. One method a file, each with Config, GRID and fit(histories, config, seed)."""
