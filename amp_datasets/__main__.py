"""`python -m amp_datasets` is `amp`."""

from amp_datasets.cli import main

if __name__ == "__main__":
    main()
