"""`python -m data_prep build | simulate | inspect | compare | audit`: as `jtss data` and `jtss audit`."""

import sys

from jtss import invocation
from jtss.commands.main import main

PROGRAM = ("python", "-m", "data_prep")

if __name__ == "__main__":
    verb = "audit" if sys.argv[1:2] == ["audit"] else "data"
    invocation.called_as(verb, *PROGRAM, *["audit"] * (verb == "audit"))
    prog = " ".join(PROGRAM)
    sys.exit(main(sys.argv[1 + (verb == "audit") :], verb=verb, prog=f"{prog} audit" if verb == "audit" else prog))
