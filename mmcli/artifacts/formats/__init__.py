"""One file format per file, each with ``load``, ``save``, ``loads`` and ``dumps``; see :mod:`mmcli.artifacts`."""
