"""Is the server still what the files say? python drift.py inventories/production.py"""

from stagecraft.drift.command import main

main()
