"""``python -m replicate``."""

import sys

from replicate.cli import main

sys.exit(main())
