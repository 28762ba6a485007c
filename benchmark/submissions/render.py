"""The result of a verification, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmark.submissions.findings import CODES
from benchmark.submissions.verify import Verified
from cocoad.base.console import one_line


def lines_of(verified: Verified) -> Iterator[str]:
    """Yield the result as lines: what was scored, what is wrong, what to do."""
    yield f"{one_line(verified.name)}: {_verdict(verified)}"
    for one in verified.splits:
        mad = one.rescored.metrics["ader"]["mad"]
        yield (
            f"  {one_line(one.split.title)}: {len(one.truth.images)} maps scored again, "
            f"mAD {'–' if mad is None else f'{100 * mad:.2f} %'}"
        )
    for finding in verified.findings:
        yield f"  {one_line(str(finding))}"
        yield f"    {CODES[finding.code].remedy}"


def _verdict(verified: Verified) -> str:
    if not verified.findings:
        return f"verified, {verified.trust}"
    errors = sum(finding.severity == "error" for finding in verified.findings)
    return f"refused: {errors} error(s), {len(verified.findings) - errors} suspicion(s)"


def as_plain(verified: Verified) -> dict[str, Any]:
    """Return the result ready for JSON; metrics are those that were computed again."""
    about = verified.submission.about if verified.submission else None
    return {
        "folder": str(verified.folder),
        "method": about.method if about else None,
        "sound": not verified.findings,
        "trust": verified.trust if not verified.findings else None,
        "splits": [
            {
                "dataset": one.truth.dataset.name,
                "split": one.truth.dataset.split,
                "hash": one.truth.dataset.hash,
                "images": len(one.truth.images),
                "metrics": one.rescored.metrics,
            }
            for one in verified.splits
        ],
        "findings": [
            {"severity": one.severity, "code": one.code, "where": one.where, "detail": one.detail}
            for one in verified.findings
        ],
    }
