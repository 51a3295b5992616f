"""What mends: actions that change one thing in a system of the user's, each able to say first what it would change.

To add one: a file with a class after `Action` (base.py), its line in registry.py, a row in docs/actions.md, a test
against its real counterpart. Whether an action may run now is decided elsewhere (services/remediation); here stands
only how.
"""
