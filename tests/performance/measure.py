"""Speed where people wait, beside what they would use instead: one table, and exit code 1 where a limit is missed.

    python tests/performance/measure.py [--only builds,metrics,commands,many_runs,training,scale] [--share 0.1] [--busy]

``make performance`` runs it. Needs an installation with the extras ``dev``; what is not installed is said.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from table import Bench, Row, machine, markdown

PARTS = ("builds", "metrics", "commands", "many_runs", "training", "scale")
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
BUSY = 2  # processes


def main() -> int:
    """Measure, print the table, and write it into a page if asked."""
    options = _options()
    about = (
        f"{machine()}{f', {options.busy} busy processes beside it' if options.busy else ''}; "
        f"{'seconds on the clock' if options.by == 'clock' else 'seconds of processor time'}, "
        f"cheapest of {options.rounds}, {options.share:g} of COCO's number of images"
    )
    print(about, flush=True)
    rows: list[Row] = []
    with _busy(options.busy):
        for part in options.only.split(","):
            with tempfile.TemporaryDirectory(dir=options.dir) as work:
                bench = Bench(Path(work), options.share, options.rounds, options.by, bool(options.busy))
                for row in importlib.import_module(part).measure(bench):
                    print(" | ".join(row.cells()), flush=True)
                    rows.append(row)
    table = markdown(rows)
    print(f"\n{table}")
    if options.page:
        write(options.page, f"{about}.\n\n{table}")
    missed = [row.what for row in rows if not row.holds]
    print(f"{len(missed)} of {len(rows)} limits missed{': ' if missed else ''}{'; '.join(missed)}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of COCO's number of images")
    parser.add_argument("--rounds", type=int, default=3, help="turns of both sides; the cheapest counts")
    parser.add_argument(
        "--busy", type=int, nargs="?", const=BUSY, default=0, help=f"beside so many busy processes [{BUSY}]"
    )
    parser.add_argument("--by", choices=("clock", "processor"), default="clock", help="what ratios are of")
    parser.add_argument("--dir", type=Path, help="where to work: a real disk, or /dev/shm")
    parser.add_argument("--page", type=Path, help="a page whose table is to be replaced")
    return parser.parse_args()


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep processors busy while the block runs."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def write(page: Path, text: str) -> None:
    """Put ``text`` between the page's marks."""
    old = page.read_text()
    new, times = re.subn(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{text}\n{END}", old, flags=re.DOTALL)
    if times != 1:
        raise SystemExit(f"{page}: it needs one '{BEGIN}' and one '{END}'")
    page.write_text(new)


if __name__ == "__main__":
    sys.exit(main())
