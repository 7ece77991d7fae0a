"""``python -m mlxr`` is ``mlxr``."""

from mlxr.cli import main

if __name__ == "__main__":
    main()
