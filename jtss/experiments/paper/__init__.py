"""The paper's experiments: grids of trainings, measured once, shared by many processes, and set as its tables."""
