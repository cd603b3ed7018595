"""`python -m jtss VERB`: as `jtss VERB`."""

import sys

from jtss.commands.main import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m jtss"))
