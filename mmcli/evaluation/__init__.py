"""How good a model is, how sure that is, and why: metrics with intervals, verdicts, explanations, reports.

One file per task, each with the same shape: ``validate`` checks the inputs, ``FIGURES`` lists the metrics, ``Metrics``
gives every figure as a function of item weights, ``evaluate`` returns ``{name: {value, interval, n, method}}``::

    from mmcli.evaluation.metrics import classification
    classification.evaluate(labels, probabilities=probabilities, classes=["no", "yes"])["accuracy"]

:mod:`mmcli.evaluation.report.report` puts everything about one model and one data set together, from any callable that
predicts.
"""
