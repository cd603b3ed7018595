"""Tar archives as a stream of members, with flat memory and without trust.

Our own, for the standard library's tarfile keeps every member it has seen, reads a long name of any length into memory,
and takes a damaged header or a cut on a member's border for the end. A night of alerts deserves better; it needs only
this much.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

TAR_BLOCK = 512
CHUNK = 1 << 16
MAX_NAME_BYTES = 1 << 16  # of a GNU long name or a pax header; names of alerts take 30
MAX_TAIL_BYTES = 1 << 20  # zeros after the end mark; the usual record size of tar pads to 10,240

REGULAR = (b"0", b"\0", b"7")  # plain, pre-POSIX, contiguous
HARD_LINK, SPARSE, VOLUME_LABEL = b"1", b"S", b"V"  # the latter two of GNU tar
GNU_LONG_NAME, GNU_LONG_LINK, PAX, PAX_GLOBAL, DIRECTORY = b"L", b"K", b"x", b"g", b"5"
WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6", VOLUME_LABEL)  # links, devices, FIFOs: their size says nothing
MAX_LENGTH_DIGITS = 8  # of a pax record, with the space after them
SPARSE_CONTINUES, MAP_CONTINUES = 482, 504  # places of the flags that another block of the map of holes follows


class ArchiveError(ValueError):
    """A tar archive that is cut, damaged or of a kind that we do not read."""


class Member(NamedTuple):
    """One member: `stream` reads its bytes, and only until the next member is asked for."""

    name: str
    is_file: bool
    is_directory: bool
    is_hard_link: bool
    stream: "MemberStream"


class MemberStream:
    """The bytes of one member; a read past a cut archive's end raises ArchiveError, never returns less in silence."""

    def __init__(self, archive: BinaryIO, size: int) -> None:
        self._archive = archive
        self._left = size
        self._padding = -size % TAR_BLOCK

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        data = _read_exactly(self._archive, size, "a member")
        self._left -= size
        return data

    def skip_rest(self) -> None:
        left = self._left + self._padding
        self._left = self._padding = 0
        while left:
            left -= len(_read_exactly(self._archive, min(left, CHUNK), "a member"))


def members(archive: BinaryIO) -> Iterator[Member]:
    """Walk through a tar archive (ustar, GNU, pax) that is read once, front to back.

    Args:
        archive: anything with `read(n)`.

    Yields:
        Members in their order; directories, links, devices and sparse files too.

    Raises:
        ArchiveError: a bad checksum, a cut archive, a missing end mark, pax sparse files, data after the end that are
            no other archive.

    POSIX.1-2001, pax interchange format.
    """
    long_name = ""
    while True:
        header = _read_exactly(archive, TAR_BLOCK, "a header")
        if not header.strip(b"\0"):
            header = _after_the_end(archive)
            if not header:
                return
        kind, size = header[156:157], _checked_size(header)
        if kind in (GNU_LONG_NAME, GNU_LONG_LINK, PAX, PAX_GLOBAL):
            long_name = _extended_name(kind, _extension(archive, size)) or long_name
            continue
        is_file = kind in REGULAR
        if not is_file and kind not in (*WITHOUT_DATA, SPARSE):
            raise ArchiveError(f"member type {kind!r} (vendor specific)")
        if kind == SPARSE:
            _skip_map_of_holes(archive, header)
        stream = MemberStream(archive, 0 if kind in WITHOUT_DATA else size)
        yield Member(long_name or _name(header), is_file, kind == DIRECTORY, kind == HARD_LINK, stream)
        stream.skip_rest()
        long_name = ""


def _read_exactly(archive: BinaryIO, size: int, what: str) -> bytes:
    """`size` bytes, collected in chunks so that a false size costs no memory."""
    parts = []
    left = size
    while left:
        try:
            part = archive.read(min(left, CHUNK))
        except EOFError:  # gzip's way to say it
            part = b""
        if not part:
            raise ArchiveError(f"ends within {what}: {left} of {size} bytes are missing")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _skip_map_of_holes(archive: BinaryIO, header: bytes) -> None:
    more = header[SPARSE_CONTINUES]
    while more:
        more = _read_exactly(archive, TAR_BLOCK, "a map of holes")[MAP_CONTINUES]


def _checked_size(header: bytes) -> int:
    """The member's size in bytes, from a header whose checksum is right."""
    expected = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if _number(header[148:156]) != expected:
        raise ArchiveError("a header's checksum is wrong")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    """An octal or, beyond 8 GiB, a base-256 number."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if digits.strip(b"01234567"):  # int() would take signs and underscores, too
        raise ArchiveError(f"{field!r} is not an octal number")
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return (prefix + b"/" * bool(prefix) + name).decode("utf-8", "replace")


def _extension(archive: BinaryIO, size: int) -> bytes:
    if size > MAX_NAME_BYTES:
        raise ArchiveError(f"a name of {size} bytes, expected at most {MAX_NAME_BYTES}")
    return _read_exactly(archive, size + -size % TAR_BLOCK, "a name")[:size]


def _extended_name(kind: bytes, data: bytes) -> str:
    """The name that a GNU or pax extension gives to the next member, "" where it gives none."""
    if kind == GNU_LONG_NAME:
        return data.split(b"\0", 1)[0].decode("utf-8", "replace")
    return _pax_name(data) if kind == PAX else ""


def _pax_name(data: bytes) -> str:
    """The path in a pax header: records of "length keyword=value" with a line end, which a value may hold, too."""
    name = b""
    while data:
        digits = data[:MAX_LENGTH_DIGITS].partition(b" ")[0]
        record = data[: int(digits)] if digits.isdigit() else b""
        keyword, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or record[-1:] != b"\n" or len(record) < int(digits):
            raise ArchiveError("a damaged pax header")
        if keyword == b"size" or keyword.startswith(b"GNU.sparse"):
            raise ArchiveError(f"a pax header with {keyword!r}")
        name = value if keyword == b"path" else name
        data = data[len(record) :]
    return name.decode("utf-8", "replace")


def _after_the_end(archive: BinaryIO) -> bytes:
    """The first header of an archive that was joined to this one, as by `cat`; b"" where only zeros are left.

    An end mark is two blocks of zeros; one, which some programs write, does as well.
    """
    zeros = 0
    while block := archive.read(TAR_BLOCK):
        while len(block) < TAR_BLOCK and (part := archive.read(TAR_BLOCK - len(block))):
            block += part
        if block.strip(b"\0"):
            if len(block) < TAR_BLOCK:
                raise ArchiveError("data after the end mark")
            return block
        zeros += len(block)
        if zeros > MAX_TAIL_BYTES:
            raise ArchiveError(f"more than {MAX_TAIL_BYTES} zeros after the end mark")
    return b""
