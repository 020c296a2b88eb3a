"""What is thrown at humobctl, and what came of it: ``python -m attack``, or ``make attack``.

`inputs` mutates files of every format and plants values that are known to be bad, `kills` ends
commands at any moment, `servers` and `models` are those of somebody who means ill, `pages` asks the
server of `explore`. The table of what was seen is docs/notes/robustness.md.
"""
