"""Is the server still what the files say? python drift.py inventories/production.py"""

import sys

from stagecraft.drift.command import main

sys.exit(main())
