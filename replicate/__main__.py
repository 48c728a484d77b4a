"""``python -m replicate``, and the console command."""

import sys

from replicate import lifeline

if __name__ == "__main__":
    lifeline.end_quietly_on_interrupt()

from replicate import surroundings

# Before NumPy and Matplotlib are loaded.
surroundings.prepare()

from replicate.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
