"""The only place that speaks SQL. Functions take a Connection and never commit: the services own the transactions."""
