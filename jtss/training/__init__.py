"""How a network is trained: steps, batches, seeds, and a run from its start to its checkpoint."""
