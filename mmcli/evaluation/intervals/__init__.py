"""How sure a figure is: intervals by resampling, for curves, for means over classes, and calibration."""
