"""`python -m jtss.audit`: as before; see `jtss.commands.audit`."""

import sys

from jtss.commands import audit, common

if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(audit.main())
