"""How fast the receiver is, and how much memory it takes: `make bench`, or `receiver-bench`.

What is measured stands in scenarios.py, written out, with what it should be; a new line of the table is a new entry
there. What is no rate of webhooks stands in measures.py. One run (run.py) is an empty database, fresh processes, load,
and the proof that the database holds exactly what was acknowledged. A series (series.py) repeats all scenarios in turn,
other products (alerta.py) beside them. The figures are told by report.py, kept by results.py, set side by side by
compare.py; profile.py tells where the time goes.
"""
