"""The rules: what a file of them may say, and what follows for an alert or an incident. Pure: text in, effects out.

parse.py reads a file: document.py gives every part its place, each section and each larger effect has a reader of its
own (read_*.py). evaluate.py says what follows, services/effects.py makes it come true. render.py fills texts in.

A new effect gets a class and its events in `effects.py`, a field in `model.Rule`, a reader, and its place in
`evaluate.py`, in services/effects.py, and in what `receiver rules test` and `replay` show. A new field that rules look
at gets its events in `fields.py` and its value in `subject.py`.
"""
