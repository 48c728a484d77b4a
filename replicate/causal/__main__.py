"""``python -m replicate.causal``."""

import sys

from replicate import arithmetic

# Before NumPy is loaded.
arithmetic.pin()

from replicate.causal.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
