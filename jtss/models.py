"""`python -m jtss.models`: as before; see `jtss.commands.models`."""

import sys

from jtss.commands import common, models

if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(models.main())
