"""One fusion strategy per file; normalisation, clocks and the assembly of data sets beside them."""
