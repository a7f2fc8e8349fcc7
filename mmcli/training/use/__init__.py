"""What training is called by and asked for: runs, series of runs, answers, points."""
