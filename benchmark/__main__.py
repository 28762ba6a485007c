"""``bench`` for launchers that start a module or a file.

Started as a file it takes nothing from the current folder, where a ``benchmark.py`` of somebody's may lie; started as
a module (``python -m benchmark``) Python itself looks there first.
"""

import sys
from pathlib import Path

if not __package__:  # as a file: its own folder came first, which holds no packages but ours' parts
    sys.path[:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmark.cli import main

if __name__ == "__main__":
    main()
