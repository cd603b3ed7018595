"""`python -m jtss.experiments table2 | … | realism`: as `jtss paper` and `jtss realism`."""

import sys

from jtss.commands.main import door

if __name__ == "__main__":
    if sys.argv[1:2] == ["realism"]:
        door("realism", "jtss.experiments", "realism")
    door("paper", "jtss.experiments")
