"""Damage files where that leads into code not seen yet: `python -m tests.fuzz.guided SECONDS [READER …]`.

Each reader has so many seconds, in a process of its own; exit code 1 when one fell. Needs atheris, which knows Linux
and Python up to 3.13.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["cocoad", "benchmark"]):
    from tests.fuzz.damage import damaged, survives
    from tests.fuzz.readers import READERS, Reader

MEMORY_MB, SLOW = 2048, 10  # of the process; seconds for one input, instrumented
ENDED = re.compile(r"Done (\d+) (?:runs )?in (\d+) second")
REACHED = re.compile(r"cov: (\d+)")


def main(seconds: int, names: list[str]) -> int:
    """Attack the readers one after the other; print what was reached, and the end of what fell."""
    inputs, fell = 0, []
    for name in names or list(READERS):
        with tempfile.TemporaryDirectory(prefix="guided-") as work:
            code, said = _attacked(READERS[name], seconds, Path(work))
        ended, reached = ENDED.search(said), REACHED.findall(said)
        runs = int(ended[1]) if ended else 0
        inputs += runs
        print(f"{name}: {runs:,} inputs, {reached[-1] if reached else 'no'} branches", flush=True)
        if code or ended is None:
            fell.append(name)
            print(said[-3000:], flush=True)
    print(f"{inputs:,} inputs; {len(fell)} readers fell{': ' if fell else ''}{', '.join(fell)}")
    return 1 if fell else 0


def _attacked(reader: Reader, seconds: int, work: Path) -> tuple[int, str]:
    """Attack a reader in a child; return its exit code and what it said."""
    log, corpus = work / "log", work / "corpus"
    corpus.mkdir()
    for number, example in enumerate(reader.examples):
        (corpus / str(number)).write_bytes(example)
    child = os.fork()
    if child == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        limits = f"-max_total_time={seconds} -rss_limit_mb={MEMORY_MB} -timeout={SLOW} -max_len=65536"
        words = ["guided", *limits.split(), f"-artifact_prefix={work}/", str(corpus)]
        atheris.Setup(words, lambda data: survives(reader, data), custom_mutator=_mutated)
        atheris.Fuzz()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), log.read_text(errors="replace")


def _mutated(data: bytes, longest: int, seed: int) -> bytes:
    """Damage by bytes or, two times in three, by what the formats are made of."""
    random = Random(seed)
    return damaged(data, random)[:longest] if random.random() < 2 / 3 else atheris.Mutate(data, longest)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
