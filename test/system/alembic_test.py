"""Alembic's migrations and its autogenerate, as docs/integrations/alembic.md has them; its Python is run here.

Danger: a migration in one transaction fails at a TVIEW, or leaves one behind when it is rolled back; autogenerate proposes
to drop TVIEWs or tables of the extension. Right answer: what the page says."""
import re

import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from tviews_server import ROOT, Server, check_equal, run, value

PAGE = (ROOT / "docs/integrations/alembic.md").read_text()
page = {}
for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
    exec(block, page)  # defines upgrade and include_name


def proposals(**options):
    """What autogenerate would do, and to what."""
    models = sqlalchemy.MetaData()
    sqlalchemy.Table("tb_book", models, sqlalchemy.Column("pk_book", sqlalchemy.Integer, primary_key=True),
                     sqlalchemy.Column("title", sqlalchemy.String(60)), sqlalchemy.Column("pages", sqlalchemy.Integer))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, **options})
        return [(name, getattr(what, "name", None)) for name, what, *_ in compare_metadata(context, models)]


with Server("alembic") as server:
    session = server.connect()
    run(session, "CREATE SCHEMA tviews")
    run(session, "CREATE EXTENSION pg_tviews SCHEMA tviews")
    run(session, "SET search_path = public, tviews")
    engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: server.connect(autocommit=False))

    with engine.connect() as connection:
        transaction = connection.begin()
        page["upgrade"](Operations(MigrationContext.configure(connection)), sqlalchemy)
        transaction.rollback()
    assert value(session, "SELECT count(*) FROM pg_class WHERE relname ~ '^t[bv]_book|^v_book'") == 0

    with engine.begin() as connection:
        page["upgrade"](Operations(MigrationContext.configure(connection)), sqlalchemy)
    run(session, "UPDATE tb_book SET title = 'Persuasion'")
    run(session, "SELECT pg_tviews_wait()")
    assert value(session, "SELECT title FROM tv_book") == "Persuasion"

    assert proposals() == [("remove_table", "tv_book")], proposals()
    assert proposals(include_name=page["include_name"]) == [], proposals(include_name=page["include_name"])
    check_equal(session)

    run(session, "TRUNCATE tb_book CASCADE")
    run(session, "SELECT pg_tviews_wait()")
    assert value(session, "SELECT count(*) FROM tv_book") == 0
    run(session, "DROP SCHEMA public CASCADE")
    assert value(session, "SELECT count(*) FROM tviews.pg_tview_meta") == 0
