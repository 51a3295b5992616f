"""The built-in reports: what each says, and the questions that people may put.

A new report is a module here with a class that is a `base.ReportKind`, an entry in registry.py, and a part of
docs/reports.md. Its numbers come from the roll-ups (storage/report_*.py), and never from grafana_alerts.
"""
