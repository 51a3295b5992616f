"""Which faults there are, in the order in which they are run."""

from __future__ import annotations

from faults.kinds import channels, clock, database, disks, jobs, schema, web, workers
from faults.kinds.base import Fault

FAULTS = (
    Fault("web-kill", "kill -9 of a web process every 2 s", web.kill_web_processes, 12),
    Fault("master-kill", "kill -9 of gunicorn's master", web.kill_master, 16),
    Fault("worker-kill", "kill -9 of workers at random", workers.kill_at_random, 20, holds_up=True),
    Fault(
        "worker-points",
        "kill -9 of both workers: claimed, before and after an answer, in a change",
        workers.kill_at_points,
        30,
    ),
    Fault(
        "worker-lease",
        "kill -9 of workers whose lease is the default 60 s",
        workers.kill_at_points,
        10,
        lease_seconds=60,
    ),
    Fault(
        "worker-stop", "a worker sleeps through its lease and goes on", workers.sleep_through_the_lease, 15
    ),
    Fault("db-kill", "kill -9 of MariaDB, and recovery", database.kill_and_restart, 15),
    Fault("db-restart", "a clean restart of MariaDB", database.restart, 5),
    Fault("db-connections", "all connections killed every 2 s", database.kill_connections, 15),
    Fault("db-hang", "MariaDB stopped (SIGSTOP) for 30 s", database.hang, 30),
    Fault("db-row", "a stranger holds incidents' rows for 60 s", database.stranger_holds_a_row, 60),
    Fault("db-commit", "the answer to COMMIT is lost", database.cut_commits, 15, cutter=True),
    Fault("db-alter", "ALTER TABLE on incidents, by copying", database.alter_the_table, 10),
    Fault(
        "db-disk",
        "the database's disk is full (a small tmpfs)",
        disks.fill_the_databases,
        20,
        small_disk="database",
        impossible=disks.why_impossible,
    ),
    Fault(
        "spool-disk",
        "the spool's disk is full (a small tmpfs), the database is dead",
        disks.fill_the_spools,
        15,
        small_disk="spool",
        impossible=disks.why_impossible,
    ),
    Fault(
        "slack",
        "Slack hangs up, hangs, 500, 429, answers are lost",
        channels.slack_misbehaves,
        50,
        holds_up=False,
    ),
    Fault(
        "pagerduty",
        "PagerDuty is down while 500 incidents begin",
        channels.pagerduty_is_down,
        45,
        holds_up=False,
    ),
    Fault("poison", "jobs that make no sense", jobs.poison, 10, holds_up=False),
    Fault(
        "clock",
        "the host's clock jumps an hour ahead",
        clock.jump,
        15,
        variables=clock.variables,
    ),
    Fault("schema", "the schema of another release under running workers", schema.another_release, 5),
)
