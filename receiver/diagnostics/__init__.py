"""What is looked at when an incident is diagnosed: Prometheus, the pods in Kubernetes, and what the service depends on.

To add a kind of dependency: a file with a function after `Check` (base.py), its name in
domain.diagnosis.DependencyKind, a line in registry.py, a row in docs/diagnostics.md.
"""
