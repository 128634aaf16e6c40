"""``python -m surefoot``, which torchrun starts several of."""

from surefoot.cli import main

if __name__ == "__main__":
    main()
