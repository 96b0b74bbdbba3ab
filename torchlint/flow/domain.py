"""The small lattices of the engine: what may hold at one point, as sets of possibilities.

Every lattice is a `Flag`: an empty value is unreachable, one member is certain, several are
what joined paths left. Join is `|`, so it is idempotent, commutative and associative by
construction, and a rule asks `Mode.TRAIN in mode` for "may" and `mode is Mode.TRAIN` for "must".
"""

from __future__ import annotations

from enum import Enum, Flag


class Mode(Flag):
    """Which mode a module may be in."""

    TRAIN = 1
    EVAL = 2
    CALLER = 4  # as whoever came before left it: nothing in sight has set it
    UNKNOWN = 8  # set by something that cannot be read: a flag, a stranger
    EITHER = TRAIN | EVAL


class Grad(Flag):
    """Whether a tensor may require grad."""

    NO = 1
    YES = 2
    UNKNOWN = 4
    EITHER = NO | YES


class GradMode(Flag):
    """Which grad mode may be active; names as torch has them."""

    ENABLED = 1
    NO_GRAD = 2
    INFERENCE = 4
    CALLER = 8  # grad mode of a function whose callers are not all in sight
    OFF = NO_GRAD | INFERENCE

    @property
    def surely_off(self) -> bool:
        """No path leaves gradients on."""
        return bool(self) and not (self & ~GradMode.OFF)

    @property
    def surely_on(self) -> bool:
        """No path in sight switches gradients off."""
        return bool(self) and not (self & GradMode.OFF)


class Device(Flag):
    """Where a tensor, or what a module holds, may lie; empty where nothing in sight has put it anywhere."""

    CPU = 1
    CHOSEN = 2  # a device that somebody chooses when the program runs
    ACCELERATOR = 4

    @property
    def is_apart(self) -> bool:
        """Whether it may lie on a device that has to be waited for."""
        return bool(self & (Device.CHOSEN | Device.ACCELERATOR))


class Creation(Enum):
    """How a view was made that torch refuses to write once an operation on it is recorded."""

    PIECE = "piece"  # one of several views that one operation made
    UNGRADED = "ungraded"  # made where gradients were off
    SPREAD = "spread"  # several elements lie in one place of memory; written with gradients or without
    OVERLAP = "overlap"  # written from another view that lies in the same memory in part


class Misuse(Enum):
    """What torch refuses to do with an inference tensor outside inference_mode."""

    SAVED = "saved"  # an operation that is recorded saves it for backward
    WRITTEN = "written"  # it is written in place, with gradients or without
    GRADED = "graded"  # it is told to require grad
    PARAMETER = "parameter"  # a parameter that requires grad is made of it
    BUFFER = "buffer"  # it becomes a buffer, which load_state_dict() writes in place


class Sensitivity(Flag):
    """Whether a module computes differently in training mode."""

    NO = 1
    YES = 2
    UNKNOWN = 4

    @classmethod
    def of_parts(cls, parts: list[Sensitivity]) -> Sensitivity:
        """A module made of parts: one sensitive part is enough, one unknown part leaves it open."""
        if any(cls.YES in part for part in parts):
            return cls.YES
        if any(cls.UNKNOWN in part for part in parts):
            return cls.UNKNOWN
        return cls.NO


class Fate(Enum):
    """What becomes of tensors that a function returns, in the hands of its callers."""

    STAYS = "stays"  # all callers are in sight, and keep them from autograd and from writes
    UNSEEN = "unseen"  # those in sight do, and there may be others
    LOST = "lost"  # some caller does not, or cannot be followed


class Idle(Enum):
    """Why a grad-mode switch does not do what it says."""

    ALONE = "alone"  # made by a statement of its own: nobody enters it
    UNCALLED = "uncalled"  # a with enters the class, which torch refuses
    COROUTINE = "coroutine"  # decorates an async def, whose body runs later
    YIELDS = "yields"  # is still entered when a generator hands over to its caller
