"""How fast the receiver is, and how much memory it takes: `make bench`, or `python -m bench`.

What is measured stands in scenarios.py, written out; a new line of the table is a new entry there. One run (run.py) is
an empty database, fresh processes, load, and the proof that the database holds exactly what was acknowledged. A series
(series.py) repeats all scenarios in turn. The figures are told by report.py and kept by results.py.
"""
