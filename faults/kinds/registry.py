"""Which faults there are, in the order in which they are run."""

from __future__ import annotations

from faults.kinds import (
    channels,
    clock,
    database,
    disks,
    galera,
    jobs,
    million,
    release,
    schema,
    web,
    workers,
)
from faults.kinds.base import Fault, nothing
from faults.kinds.hostile import run_hostile_cases
from faults.rounds.kind import run_rounds

FAULTS = (
    Fault("web-kill", "kill -9 of a web process every 2 s", web.kill_web_processes, 10, is_short=True),
    Fault("master-kill", "kill -9 of gunicorn's master", web.kill_master, 16),
    Fault("worker-kill", "kill -9 of workers at random", workers.kill_at_random, 12, holds_up=True),
    Fault(
        "worker-points",
        "kill -9 of both workers: claimed, before and after an answer, in a change",
        workers.kill_at_points,
        20,
        is_short=True,
    ),
    Fault(
        "worker-lease",
        "kill -9 of workers whose lease is the default 60 s",
        workers.be_missed,
        1,
        lease_seconds=60,
    ),
    Fault(
        "worker-stop", "a worker sleeps through its lease and goes on", workers.sleep_through_the_lease, 10
    ),
    Fault("db-kill", "kill -9 of MariaDB, and recovery", database.kill_and_restart, 10, is_short=True),
    Fault("db-restart", "a clean restart of MariaDB", database.restart, 5),
    Fault("db-connections", "all connections killed every 2 s", database.kill_connections, 10, is_short=True),
    Fault("db-read-only", "MariaDB becomes read-only", database.read_only, 8),
    Fault("db-hang", "MariaDB stopped (SIGSTOP) for 30 s", database.hang, 30),
    Fault("db-row", "a stranger holds incidents' rows for 60 s", database.stranger_holds_a_row, 60),
    Fault("db-commit", "the answer to COMMIT is lost", database.cut_commits, 10, cutter=True, is_short=True),
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
        is_short=True,
    ),
    Fault(
        "slack",
        "Slack hangs up, hangs, 500, 429, answers are lost",
        channels.slack_misbehaves,
        30,
        holds_up=False,
    ),
    Fault(
        "pagerduty",
        "PagerDuty is down while 500 incidents begin",
        channels.pagerduty_is_down,
        45,
        holds_up=False,
    ),
    Fault("poison", "jobs that make no sense", jobs.poison, 6, holds_up=False, is_short=True),
    Fault(
        "clock",
        "the host's clock jumps an hour ahead, back again, and behind",
        clock.jump,
        16,
        variables=clock.variables,
    ),
    Fault("schema", "the next release migrates under running processes", schema.another_release, 5),
    Fault(
        "release",
        "this release migrates and starts while the one before runs",
        release.upgrade_under_the_release_before,
        5,
        impossible=release.why_impossible,
        stack=release.ReleaseBeforeStack,
    ),
    Fault(
        "hostile",
        "hostile requests: each has its answer",
        nothing,
        30,
        by_itself=run_hostile_cases,
    ),
    *galera.FAULTS,
    Fault(
        "million",
        "large groups until there are a million, while parts die",
        million.until_there_are_enough,
        40,
        is_saturated=True,
        rate=40,
        largest_group=200,
        is_short=True,
    ),
    Fault(
        "crash-rounds",
        "a worker is killed around each call, again and again",
        nothing,
        60,
        by_itself=run_rounds,
        is_short=True,
    ),
)
