"""``python -m replicate.causal``."""

import sys

from replicate import surroundings

# Before NumPy and Matplotlib are loaded.
surroundings.prepare()

from replicate.causal.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
