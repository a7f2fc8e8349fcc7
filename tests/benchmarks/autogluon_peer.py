"""AutoGluon-tabular in an environment of its own, for bench_public.py: ``python autogluon_peer.py DATA.npz SECONDS``.

DATA holds ``x`` float32 (n, width), ``y`` int64 (n,) and ``split``. It fits with its default presets and one thread to
the training rows and prints the accuracy on the test rows.
"""

import sys
import tempfile

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

with np.load(sys.argv[1]) as read:
    x, y, split = read["x"], read["y"], read["split"]
table = pd.DataFrame(x, columns=[f"c{i}" for i in range(x.shape[1])])
table["label"] = y
with tempfile.TemporaryDirectory() as folder:
    peer = TabularPredictor("label", path=folder, verbosity=0)
    peer.fit(table[split == "train"], time_limit=float(sys.argv[2]), num_cpus=1)
    said = peer.predict(table[split == "test"].drop(columns="label")).to_numpy()
print(float((said == y[split == "test"]).mean()))
