"""Encoders that were trained before: their weights come from a local file, are never changed, and nothing is fetched.

A module here has the shape of every extractor, and besides ``NEEDS_FILE = True``, ``MODALITIES`` (what it can read) and
``ready(config)``, which loads the model. ``Config.file`` names the model; what the features keep of it is its name and
its SHA-256.

Items are computed one at a time: rounding depends on what shares a matrix product, and the same input is to give the
same bytes whatever else is in the batch. What is computed together are the parts of one item: frames of a video,
windows of a recording, pieces of a long text.
"""
