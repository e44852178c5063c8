"""Runs the streaming pipeline: `python -m app.stream`, and the file that a Flex Template's launcher starts."""

import sys

from app.stream.pipeline import main

if __name__ == "__main__":
    sys.exit(main())
