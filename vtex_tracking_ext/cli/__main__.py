"""``python -m vtex_tracking_ext.cli`` is the command ``vtex-tracking``."""

import sys

from . import main

sys.exit(main())
