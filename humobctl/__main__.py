"""``python -m humobctl``."""

from humobctl.cli import main

main()
