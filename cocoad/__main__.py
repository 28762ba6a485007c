"""`python -m cocoad`: what the command `cocoad` does."""

from cocoad.cli import main

if __name__ == "__main__":
    main()
