"""`python -m jtss.experiments`: as before; see `jtss.commands.paper`."""

import sys

from jtss.commands import common, paper

if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(paper.main())
