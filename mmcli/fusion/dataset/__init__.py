"""From manifests of features to data sets: survey, assembly, balance, augmentation, words as frames."""
