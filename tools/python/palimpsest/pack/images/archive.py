"""The members of an uncompressed tar archive, read in place.

Python's tarfile takes damage for the end of an archive, so this module checks the end. An archive that is cut, damaged or
followed by something is refused with its last good member; a link whose file isn't in the archive is refused by name.
"""

import os
import posixpath
import tarfile

from .. import InputError
from .listing import shown

END = bytes(2 * tarfile.BLOCKSIZE)
_OTHER_KINDS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zX": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}  # by their first bytes


def read_members(path: str, file: str) -> list[tarfile.TarInfo]:
    """The TarInfo of every member, in order. `file` is `path`, or an unpacked copy of it."""
    members = []
    size = os.path.getsize(file)
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                if member.isreg() and not member.issparse() and member.offset_data + member.size > size:
                    raise InputError(f"{place(path, member)}: expected {member.size} bytes, found the end of the file. Get the file again")
                members.append(member)
            end = tar.offset
    except (tarfile.TarError, ValueError) as error:
        if not members:
            raise InputError(f"{shown(path)}: expected a tar file, found {_other_kind(file) or error}") from None
        raise InputError(f"{place(path, members[-1])}: expected another member after it, found {error}. Get the file again") from None
    _expect_end(path, file, end, members)
    return members


def place(path: str, member: tarfile.TarInfo) -> str:
    return f"{shown(path)}, {shown(member.name)}"


def linked(path: str, member: tarfile.TarInfo, by_name: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo:
    """The file that a member is, or that it links to; `by_name` has the members of the archive by their normal_name()."""
    seen = []
    while not member.isreg() or member.issparse():
        if member.issparse():
            raise InputError(f"{place(path, member)}: expected a plain file, found a sparse one. Write the archive without --sparse")
        target = member.linkname
        if member.issym():
            target = posixpath.join(posixpath.dirname(member.name), target)
        seen.append(member)
        found = by_name.get(posixpath.normpath(target))
        if found is None or found in seen or not (found.isreg() or found.islnk() or found.issym()):
            raise InputError(
                f"{place(path, seen[0])}: expected a file, or a link to a file in this archive, found a link to "
                f"{shown(seen[-1].linkname)}. Write the archive with the files themselves (tar --dereference --hard-dereference)"
            )
        member = found
    return member


def normal_name(member: tarfile.TarInfo) -> str:
    return posixpath.normpath(member.name)


def _expect_end(path: str, file: str, end: int, members: list[tarfile.TarInfo]) -> None:
    """Raises InputError where an archive doesn't end at `end` with two blocks of zeros, and nothing but zeros after them."""
    after = f"after {shown(members[-1].name)}" if members else "in it"
    with open(file, "rb") as opened:
        opened.seek(end)
        found = opened.read(len(END))
        if found != END:
            cut = len(found) < len(END)
            what = f"the end of the file at byte {end + len(found)}" if cut else f"a damaged header at byte {end}"
            raise InputError(
                f"{shown(path)}: expected another member {after}, or the two blocks of zeros that end an archive, found {what}. Get the file again"
            )
        while chunk := opened.read(1 << 20):
            if chunk.count(0) != len(chunk):
                raise InputError(
                    f"{shown(path)}: expected nothing but zeros after its end at byte {end}, found other bytes, as in archives "
                    "joined by cat. Give the archives one by one, or join them with tar --concatenate"
                )


def _other_kind(file: str) -> str | None:
    with open(file, "rb") as opened:
        head = opened.read(4)
    kind = next((kind for start, kind in _OTHER_KINDS.items() if head.startswith(start)), None)
    return kind and f"a {kind} file. Unpack it first"
