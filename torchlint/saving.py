"""How a file of the user is written: whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from torchlint.signals import kept_back


def put(filename: str, data: bytes) -> None:
    """Write a file that need not be there yet, whole or not at all. Raises OSError."""
    if os.path.exists(filename):
        with open(filename, "rb") as file:
            before = file.read()
        write(filename, data, instead_of=before)
        return
    # Opened by its name, so that its mode is what the user has set for new files.
    temporary = f"{filename}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, filename)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def write(filename: str, data: bytes, *, instead_of: bytes) -> None:
    """Put new bytes in the place of old ones at once, so that a reader or a crash never meets half a file.

    Links lead to what is written; mode, owner and extended attributes are those of the old file as far as the
    system lets us. Raises OSError, also where the user may not write the file or it no longer holds the old
    bytes; then it is as it was.
    """
    import tempfile

    target = os.path.realpath(filename)
    held = os.stat(target)
    _may_be_replaced(target, held)
    folder = os.path.dirname(target)
    # What ends a process would leave its temporary file; none of this takes long.
    with kept_back("SIGINT", "SIGTERM", "SIGHUP"):
        handle, temporary = tempfile.mkstemp(prefix=".torchlint-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                _dress(temporary, target, held)
                os.fsync(file.fileno())
            # As late as can be: an editor may have saved the file while it was checked.
            with open(target, "rb") as file:
                if file.read() != instead_of:
                    raise OSError("it has changed since it was read")
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        _settle(folder)


def _may_be_replaced(target: str, held: os.stat_result) -> None:
    """Raise OSError where the user may not write a file; to replace it the folder's rights would do."""
    if not stat.S_ISREG(held.st_mode):
        raise OSError("it is no regular file")
    effective = os.access in os.supports_effective_ids
    if not os.access(target, os.W_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)


def _dress(temporary: str, target: str, held: os.stat_result) -> None:
    """Give a new file the owner, the mode and the attributes of the one that it is to replace."""
    if hasattr(os, "chown") and (held.st_uid, held.st_gid) != (os.geteuid(), os.getegid()):
        for owner in ((held.st_uid, held.st_gid), (-1, held.st_gid)):
            with suppress(OSError):  # only root gives files away; a group of one's own may be kept
                os.chown(temporary, *owner)
                break
    os.chmod(temporary, stat.S_IMODE(held.st_mode))
    with suppress(OSError, AttributeError):  # not every system or disk has them
        for name in os.listxattr(target):
            with suppress(OSError):
                os.setxattr(temporary, name, os.getxattr(target, name))


def _settle(folder: str) -> None:
    """Have the disk keep the new name, too; where a folder cannot be opened, the system sees to that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
