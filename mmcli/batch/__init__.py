"""Many inputs, one command: planned before work, isolated in worker processes, journalled, continued after anything.

``extract.py`` is what ``mmcli extract`` calls; ``run.py`` is the supervisor beneath it and knows nothing of extraction.
"""
