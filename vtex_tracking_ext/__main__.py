"""``python -m vtex_tracking_ext`` is the command ``vtex-tracking``."""

import sys

from vtex_tracking_ext.cli import main

sys.exit(main())
