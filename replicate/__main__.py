"""``python -m replicate``, and the console command."""

import sys

from replicate import arithmetic

# Before NumPy is loaded.
arithmetic.pin()

from replicate.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
