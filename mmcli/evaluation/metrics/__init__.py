"""One file per task: ``validate`` checks the inputs, ``Metrics`` gives every figure as a function of item weights."""
