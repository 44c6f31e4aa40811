"""Go's os.FileMode, the mode on the wire, to and from the kernel's st_mode.

Bits: Go's io/fs package, `type FileMode`. The low nine are the permissions of either side.
"""

from __future__ import annotations

import stat as st

DIR = 1 << 31
APPEND = 1 << 30
EXCLUSIVE = 1 << 29
TEMPORARY = 1 << 28
SYMLINK = 1 << 27
DEVICE = 1 << 26
NAMED_PIPE = 1 << 25
SOCKET = 1 << 24
SETUID = 1 << 23
SETGID = 1 << 22
CHAR_DEVICE = 1 << 21
STICKY = 1 << 20
IRREGULAR = 1 << 19
PERM = 0o777

TYPE_MASK = DIR | SYMLINK | NAMED_PIPE | SOCKET | DEVICE | CHAR_DEVICE | IRREGULAR

_GO_TYPE = {
    st.S_IFREG: 0,
    st.S_IFDIR: DIR,
    st.S_IFLNK: SYMLINK,
    st.S_IFIFO: NAMED_PIPE,
    st.S_IFSOCK: SOCKET,
    st.S_IFBLK: DEVICE,
    st.S_IFCHR: DEVICE | CHAR_DEVICE,
}


def from_st_mode(mode: int) -> int:
    """The FileMode that Go's os.Lstat gives for a kernel mode."""
    go = mode & PERM | _GO_TYPE.get(st.S_IFMT(mode), IRREGULAR)
    if mode & st.S_ISUID:
        go |= SETUID
    if mode & st.S_ISGID:
        go |= SETGID
    if mode & st.S_ISVTX:
        go |= STICKY
    return go


def permissions(mode: int) -> int:
    """The kernel's permission bits, set-id and sticky included, of a FileMode."""
    perm = mode & PERM
    if mode & SETUID:
        perm |= st.S_ISUID
    if mode & SETGID:
        perm |= st.S_ISGID
    if mode & STICKY:
        perm |= st.S_ISVTX
    return perm


def is_regular(mode: int) -> bool:
    """Whether a FileMode has no type bits: content can be asked for."""
    return not mode & TYPE_MASK
