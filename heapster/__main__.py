"""`python -m heapster` is `heapster`."""

import sys

from heapster.cli import main

if __name__ == "__main__":
    sys.exit(main())
