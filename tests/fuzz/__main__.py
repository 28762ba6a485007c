"""Damage files for a while and count: `python -m tests.fuzz SECONDS [SEED]`; exit code 1 when a reader fell."""

from __future__ import annotations

import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from random import Random

from tests.fuzz.damage import damaged, survives
from tests.fuzz.readers import READERS

SLOW, MEMORY = 2.0, 4 << 30  # seconds for one input; bytes of address space beyond those at the start


def main(seconds: float, seed: int) -> int:
    """Go round the readers; print each new kind of fault with its seed, and the counts."""
    warnings.simplefilter("ignore")
    begun, faults, counts, slow = time.monotonic(), Counter[str](), Counter[str](), Counter[str]()
    number = 0
    while time.monotonic() - begun < seconds:
        for name, reader in READERS.items():
            number += 1
            random = Random(f"{seed}/{number}")
            data = damaged(random.choice(reader.examples), random)
            at = time.process_time()
            try:
                counts["read" if survives(reader, data) == "read" else "refused"] += 1
            except Exception as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{name}: {type(error).__name__} at {frame.filename.split('site-packages/')[-1]}:{frame.lineno}"
                if not faults[kind]:
                    print(
                        f"{kind}: {str(error)[:200]!r} (seed {seed}/{number}, {len(data)} bytes)", flush=True
                    )
                    traceback.print_exc(limit=-4)
                faults[kind] += 1
            if time.process_time() - at > SLOW:
                slow[name] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{number:,} inputs, {len(READERS)} readers: {counts['read']:,} read, {counts['refused']:,} refused in words"
    )
    print(
        f"{sum(faults.values())} fell, of {len(faults)} kinds; {sum(slow.values())} took over {SLOW:g} s; {peak} MB"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
