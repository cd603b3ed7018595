"""One command for a GPU that one has for a short time: `make gpu`, `python -m benchmarks.gpu --budget 12m --out gpu`.

budget     how much time a stage may take
sizes      recipes, full and toy
stages     what is done, in the order of its value
road       runs the stages one after another, each a process of its own; knows no JAX
work       that process: one stage, from its name to its result file; `job` is what it is given and gives back
checks, speed, trainings    what the stages do
report     what is brought back
"""
