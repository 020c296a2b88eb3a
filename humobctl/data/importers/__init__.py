"""Importers: what other programs and data sets write, as the tables of humobctl.

``recognise.py`` holds the table of formats, ``job.py`` runs an import; the rest reads.
"""
