"""`python -m recorder.simcam`: the simulator without Django."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
