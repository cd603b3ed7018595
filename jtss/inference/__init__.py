"""From a trained model and alerts to probabilities: loading, prediction, calibration and bogus screening."""
