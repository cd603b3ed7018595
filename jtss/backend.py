"""What this backend must be told to compute gradients fast."""

import jaxlib

# The convolutions that jaxlib 0.10 takes from YNNPACK compute gradients on one core; XLA's own take all. An option of
# the program, not XLA_FLAGS: those are the user's, and count for the whole process.
GRADIENT_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""} if jaxlib.__version__.startswith("0.10.") else {}
