"""Pure functions from labels and probabilities to numbers, and how far to trust them."""
