"""`python -m amp_datasets.demo DIR` writes the set."""

import sys

from amp_datasets.demo.write import main

if __name__ == "__main__":
    sys.exit(main())
