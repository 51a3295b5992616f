"""The neighbours break as the suite believes they do."""

from __future__ import annotations

import pymysql
import pytest
from sqlalchemy import make_url

from tests.fakes.commit_cutter import CommitCutter
from tests.fakes.mariadb import MariaDB


def port_of(url) -> int:
    return int(make_url(url).port or 0)


def connect(url, port=None):
    parts = make_url(url)
    return pymysql.connect(
        host="127.0.0.1",
        port=port or port_of(url),
        user=parts.username,
        password=str(parts.password),
        database=parts.database,
    )


def insert_one(connection):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES (1)")
    connection.commit()


def count(url):
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM kept")
        return cursor.fetchone()[0]


@pytest.fixture
def url(mysql_database_url):
    with connect(mysql_database_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (number INT)")
    return mysql_database_url


def test_a_commit_whose_answer_is_cut_has_happened(url):
    with CommitCutter(port_of(url), every=2) as cutter:
        insert_one(connect(url, cutter.port))
        cutter.arm()
        connection = connect(url, cutter.port)
        insert_one(connection)
        with pytest.raises(pymysql.err.OperationalError):
            insert_one(connection)
        assert cutter.cuts == 1
        cutter.disarm()
        insert_one(connect(url, cutter.port))
    assert count(url) == 4


def test_a_killed_mariadb_comes_back_with_its_data():
    server = MariaDB()
    try:
        url = server.create_database("kept")
        with connect(url) as connection:
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE kept (number INT)")
            insert_one(connection)
            server.kill()
            with pytest.raises(pymysql.err.OperationalError):
                connect(url)
        server.start()
        assert count(url) == 1
        server.shut_down()
        server.start()
        assert count(url) == 1
    finally:
        server.stop()
