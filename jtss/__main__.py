"""`python -m jtss VERB`: as `jtss VERB`."""

from jtss import invocation
from jtss.commands.main import VERBS, program

if __name__ == "__main__":
    for verb in VERBS:
        invocation.called_as(verb, *invocation.MODULE, verb)
    program(prog="python -m jtss")
