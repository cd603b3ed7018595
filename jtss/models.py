"""`python -m jtss.models`: as `jtss models`."""

from jtss.commands.main import door

if __name__ == "__main__":
    door("models", "jtss.models")
