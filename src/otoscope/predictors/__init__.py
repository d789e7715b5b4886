"""Clip-level regressors behind one protocol: what learns how memorable a clip is."""
