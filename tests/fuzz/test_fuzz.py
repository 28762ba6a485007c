"""Whatever bytes a reader is given, it returns or refuses them in words; `make fuzz` does so by the hour."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import damaged, survives
from tests.fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_read_or_refused_in_words(name: str, seed: int) -> None:
    reader, random = READERS[name], Random(seed)
    survives(reader, damaged(random.choice(reader.examples), random))


def test_sound_examples_reach_beyond_the_first_check() -> None:
    read = [
        name
        for name, reader in READERS.items()
        if any(survives(reader, e) == "read" for e in reader.examples)
    ]
    assert len(read) >= len(READERS) // 2, read
