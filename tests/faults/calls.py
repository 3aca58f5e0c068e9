"""Disturbs the Nth I/O call of a command and all its children: tests/faults/calls.cpp, loaded into them.

    with Calls(scene.root) as calls:
        calls.fail(17, errno.EIO)
        process = scene.start(*scene.run_words(), before=calls.before)
"""
import ctypes
import mmap
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

KINDS = ("open", "write", "sync", "rename", "remove", "truncate", "mkdir", "send", "receive")
OF_FILES = KINDS[:7]
OF_SOCKETS = KINDS[7:]
ALWAYS = (1 << 63) - 1
_COUNT_ONLY, _KILL_GROUP, _KILL_PROCESS, _FAIL, _WRITE_SHORT, _JUMP, _CUT_POWER = range(7)


def library():
    """Built beside the tests of the command that they test."""
    path = pathlib.Path(scenes.TRANCHE).resolve().parent / "tests" / "libtranche_faults.so"
    if not path.exists():
        raise AssertionError(f"{path} is missing: build the target `tests`")
    return path


class Control(ctypes.Structure):
    """As calls.cpp has it."""
    _fields_ = [("count", ctypes.c_uint64), ("at", ctypes.c_uint64), ("times", ctypes.c_uint64),
                ("deed", ctypes.c_uint32), ("error_number", ctypes.c_int32), ("counted_kinds", ctypes.c_uint32),
                ("port", ctypes.c_uint32), ("jump_seconds", ctypes.c_int64), ("syncs_lie", ctypes.c_uint64),
                ("hits", ctypes.c_uint64), ("counts", ctypes.c_uint64 * len(KINDS)), ("first_hit", ctypes.c_char * 256)]


class Calls:
    """Counts calls below the folder, or below one in it, and through sockets to the port; disturbs those that it is
    told to."""

    def __init__(self, folder, port=0, kinds=KINDS, below="."):
        self.folder = os.path.realpath(folder)
        self.counted = os.path.normpath(os.path.join(self.folder, below))
        self.file = os.memfd_create("tranche-calls")  # on no disk that may be full, or shut down
        os.truncate(self.file, ctypes.sizeof(Control))
        self.map = mmap.mmap(self.file, ctypes.sizeof(Control))
        self.control = Control.from_buffer(self.map)
        self.control.port = port
        self.control.counted_kinds = sum(1 << KINDS.index(kind) for kind in kinds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del self.control
        self.map.close()
        os.close(self.file)

    @property
    def before(self):
        """In front of the command."""
        return ["env", f"LD_PRELOAD={library()}", f"TRANCHE_CALLS=/proc/{os.getpid()}/fd/{self.file}",
                f"TRANCHE_CALLS_FOLDER={self.counted}"]

    def kill_group(self, at):
        self._disturb(_KILL_GROUP, at, 1)

    def kill_process(self, at):
        self._disturb(_KILL_PROCESS, at, 1)

    def fail(self, at, error_number, times=1):
        self.control.error_number = error_number
        self._disturb(_FAIL, at, times)

    def write_short(self, at, times=1):
        self._disturb(_WRITE_SHORT, at, times)

    def jump(self, at, seconds):
        """The clock of the calendar jumps and stays there."""
        self.control.jump_seconds = seconds
        self._disturb(_JUMP, at, ALWAYS)

    def cut_power(self, at):
        """The file system of the folder, an XFS, is shut down as it stands, and all processes are killed."""
        self._disturb(_CUT_POWER, at, 1)

    def let_syncs_lie(self, of):
        """As a disk does that says of data in its memory that it is safe; of "all", or of "targets": all but the ledger."""
        self.control.syncs_lie = {"all": 1, "targets": 2}[of]

    def _disturb(self, deed, at, times):
        self.control.deed = deed
        self.control.at = at
        self.control.times = times

    @property
    def count(self):
        return self.control.count

    @property
    def counts(self):
        return {kind: count for kind, count in zip(KINDS, self.control.counts) if count}

    @property
    def hits(self):
        return self.control.hits

    @property
    def first_hit(self):
        """What was disturbed first, with its path below the folder."""
        return self.control.first_hit.decode(errors="replace").replace(self.folder + "/", "")
