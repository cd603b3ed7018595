"""What our reader makes of files, for tests."""

from data_prep.ledger import Rejection
from data_prep.packets.alerts import decode_block
from data_prep.packets.avro import Block
from data_prep.packets.containers import read_blocks


def outcomes(path) -> list[Block | Rejection]:
    return list(read_blocks(path))


def read(tmp_path, data: bytes, name: str = "one.avro") -> list[Block | Rejection]:
    path = tmp_path / name
    path.write_bytes(data)
    return outcomes(path)


def candids(items: list[Block | Rejection]) -> list[int]:
    return [alert.candid for item in items if isinstance(item, Block) for alert in decode_block(item)]


def rejected(items: list[Block | Rejection]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejection)]
