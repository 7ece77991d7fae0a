"""``python -m mlxr`` is the same as ``mlxr``."""

from mlxr.cli import main

if __name__ == "__main__":
    main()
