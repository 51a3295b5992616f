"""Another host upgrades the database: a receiver of the old release does no more jobs, and still takes alerts."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from tests.builders import bodies
from tests.fakes.receiver import Receiver


def test_up_goes_on_taking_alerts_when_another_release_changes_the_schema(tmp_path, mysql_database_url):
    engine = create_engine(mysql_database_url)
    with Receiver(tmp_path, mysql_database_url) as receiver:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999_newer'"))
        receiver.process.wait_for_output("worker.outdated", timeout=30)
        assert receiver.post(bodies.alertmanager([bodies.alert(service="a")])).status_code == 200
        with engine.connect() as connection:
            assert connection.execute(text("SELECT COUNT(*) FROM deliveries")).scalar_one() == 1
        assert receiver.process.stop() == 0
    engine.dispose()
