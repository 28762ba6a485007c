"""What can be wrong with a submission: every code, what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "suspect"]


@dataclass(frozen=True)
class Code:
    """A kind of finding; a suspect one may have an explanation that the submitter owes."""

    severity: Severity
    means: str
    remedy: str


CODES = {
    "schema": Code("error", "`submission.json` does not meet its schema", "pack again with this version"),
    "folder": Code("error", "a file is not named in `submission.json`, or is a link", "take it out"),
    "file": Code("error", "a file is missing, or has another size or hash than stated", "pack again"),
    "too-large": Code("error", "a file is larger than the leaderboard takes", "pack at 64×64, or ask"),
    "dataset": Code("error", "no ground truth has this dataset's name, split, hash and counts",
                    "build the official dataset (`cocoad verify`), run and pack again"),
    "images": Code("error", "the table's ids are not the test set's, or its numbers make no sense", "pack again"),
    "maps": Code("error", "the atlas cannot be decoded, or has another form than stated", "pack again"),
    "claims": Code("error", "the metrics claimed are not those of the files", "pack again; never edit metrics"),
    "difference": Code("error", "the stated difference to the full maps is not that of the metrics stated, "
                       "or above 0.05 points without `lossy`", "pack again"),
    "record": Code("error", "the run's record was edited, or is of another dataset or metrics",
                   "pack the run's directory again"),
    "keeper": Code("error", "a new submission says what only the leaderboard's keeper may: `reproduced` (with `--new`)",
                   "take it out"),
    "constant-maps": Code("suspect", "more than 1 % of the maps have a single value",
                          "send image scores only to a table without pixel metrics, or explain"),
    "copied-maps": Code("suspect", "maps are the same for several images, or the same as in another submission",
                        "explain"),
    "follows-masks": Code("suspect", "maps follow the masks more closely than detectors do (correlation above 0.95)",
                          "explain how the masks were not used"),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where: a file or a split."""

    code: str
    where: str
    detail: str

    @property
    def severity(self) -> Severity:
        """Whether it is an error or a suspicion."""
        return CODES[self.code].severity

    def __str__(self) -> str:
        return f"{self.severity} [{self.code}] {self.where}: {self.detail}"
