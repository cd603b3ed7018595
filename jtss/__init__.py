"""jtss: classify astronomical objects from their first few alerts."""

import os
from importlib.metadata import version

__version__ = "0.1.0"

# The convolutions that jaxlib 0.10 takes from YNNPACK compute gradients on one core; XLA's own take all. It reads this
# at the first compilation; what the user sets comes later, and counts.
if version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_experimental_ynn_fusion_type= {os.environ.get('XLA_FLAGS', '')}".strip()
