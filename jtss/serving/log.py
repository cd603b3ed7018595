"""What a service says of its work: an object of JSON in a line of its own, on stderr."""

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = "fields"


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(said | getattr(record, FIELDS, {}), default=str)


class Log:
    """Events with their fields.

    Attributes:
        logger: of Python's, for libraries that write to one.
    """

    def __init__(self) -> None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Lines())
        self.logger = logging.Logger("jtss.serve", logging.INFO)  # not one of Python's tree: nobody else's settings
        self.logger.addHandler(handler)

    def say(self, event: str, **fields: object) -> None:
        self.logger.info(event, extra={FIELDS: fields})

    def warn(self, event: str, **fields: object) -> None:
        self.logger.warning(event, extra={FIELDS: fields})
