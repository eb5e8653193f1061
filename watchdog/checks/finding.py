"""What a check requires and what it found. A check that can't be made says so: it is never "ok"."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

#: ``warning`` works for now; ``wrong`` does not, or not for long; ``not checked`` is neither.
Result = Literal["ok", "warning", "wrong", "not checked"]


class Finding(msgspec.Struct, frozen=True):
    """One named check and its result."""

    #: The group and the check: ``disk.state``.
    name: str
    result: Result
    #: What there should be.
    required: str
    #: What there is; for what was not checked, why not.
    found: str
    #: The command or step that mends it, or that makes the check possible; empty where nothing needs to be done.
    mend: str


class Claim(NamedTuple):
    """What one check requires, before it is made; each method is one of the results it may have."""

    name: str
    required: str

    def ok(self, found: str) -> Finding:
        """Return that all is well."""
        return Finding(self.name, "ok", self.required, found, "")

    def warning(self, found: str, mend: str) -> Finding:
        """Return what will become wrong."""
        return Finding(self.name, "warning", self.required, found, mend)

    def wrong(self, found: str, mend: str) -> Finding:
        """Return what is wrong."""
        return Finding(self.name, "wrong", self.required, found, mend)

    def not_checked(self, why: str, mend: str = "") -> Finding:
        """Return that nobody knows."""
        return Finding(self.name, "not checked", self.required, why, mend)
