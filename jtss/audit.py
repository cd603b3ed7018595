"""`python -m jtss.audit`: as `jtss audit`."""

from jtss.commands.main import door

if __name__ == "__main__":
    door("audit", "jtss.audit")
