"""`python -m jtss.audit`: as `jtss audit`."""

import sys

from jtss.commands.main import main

if __name__ == "__main__":
    sys.exit(main(verb="audit", prog="python -m jtss.audit"))
