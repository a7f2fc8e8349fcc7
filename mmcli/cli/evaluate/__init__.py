"""`mmcli evaluate`: a model, a map, a search, two reports, folds."""
