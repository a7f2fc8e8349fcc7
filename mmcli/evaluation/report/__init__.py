"""The report of an evaluation, and everything drawn from it: pages, plots, comparisons."""
