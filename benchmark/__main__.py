"""``python -m benchmark`` is ``bench``: for launchers that start modules, such as ``torchrun -m benchmark``."""

from benchmark.cli import main

if __name__ == "__main__":
    main()
