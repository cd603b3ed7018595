"""`python -m jtss.models`: as `jtss models`."""

import sys

from jtss.commands.main import main

if __name__ == "__main__":
    sys.exit(main(verb="models", prog="python -m jtss.models"))
