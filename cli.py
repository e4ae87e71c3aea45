"""`python cli.py` from a checkout; an installed copy has the command `amp`."""

from amp_datasets.cli import main

if __name__ == "__main__":
    main()
