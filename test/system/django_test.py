"""Django's migrations, dumpdata and loaddata, as docs/integrations/django.md has them; its Python is run here.

Danger: a migration in one transaction fails at a TVIEW, or leaves one behind when it is undone; a dump of an application
cannot be loaded. Right answer: what the page says."""
import io
import pathlib
import re
import sys
import tempfile

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from tviews_server import ROOT, Server, check_equal, run, value

PAGE = (ROOT / "docs/integrations/django.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)

BOOK = """
class Book(models.Model):
    id = models.AutoField(primary_key=True)
    title = models.CharField(max_length=60)
"""


def make_application(directory):
    """The application shop."""
    shop = pathlib.Path(directory) / "shop"
    (shop / "migrations").mkdir(parents=True)
    (shop / "__init__.py").touch()
    (shop / "migrations/__init__.py").touch()
    (shop / "models.py").write_text(f"from django.db import models\n{BOOK}\n{BLOCKS[1]}\nBookDocument = tview(models)\n")
    (shop / "migrations/0001_initial.py").write_text(
        f"from django.db import migrations, models\n{BLOCKS[0]}\n"
        "class Migration(migrations.Migration):\n    initial = True\n    operations = operations(migrations, models)\n")
    sys.path.insert(0, directory)


class Interrupted(Exception):
    pass


with Server("django") as server, tempfile.TemporaryDirectory() as directory:
    session = server.connect()
    run(session, "CREATE SCHEMA tviews")
    run(session, "CREATE EXTENSION pg_tviews SCHEMA tviews")
    run(session, "SET search_path = public, tviews")
    make_application(directory)
    settings.configure(INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, DATABASES={
        "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": server.socket}})
    django.setup()
    from shop.models import Book, BookDocument
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    migration = MigrationLoader(connection).get_migration("shop", "0001_initial")
    try:
        with transaction.atomic():
            with connection.schema_editor() as editor:
                migration.apply(ProjectState(), editor)
            raise Interrupted
    except Interrupted:
        pass
    assert value(session, "SELECT count(*) FROM pg_class WHERE relname IN ('tv_book', 'v_book', 'shop_book')") == 0

    call_command("migrate", "shop", verbosity=0)
    run(session, "SELECT pg_tviews_wait()")
    assert BookDocument.objects.get().title == "Emma"

    # A test case that is rolled back: its row is nowhere.
    with transaction.atomic():
        Book.objects.create(title="Persuasion")
        transaction.set_rollback(True)
    run(session, "SELECT pg_tviews_wait()")
    assert BookDocument.objects.count() == 1

    dump = io.StringIO()
    call_command("dumpdata", "shop", exclude=["shop.BookDocument"], stdout=dump)
    assert "bookdocument" not in dump.getvalue() and "Emma" in dump.getvalue(), dump.getvalue()
    run(session, "TRUNCATE shop_book CASCADE")
    run(session, "SELECT pg_tviews_wait()")
    assert BookDocument.objects.count() == 0
    fixture = pathlib.Path(directory) / "shop.json"
    fixture.write_text(dump.getvalue())
    call_command("loaddata", str(fixture), verbosity=0)
    run(session, "SELECT pg_tviews_wait()")
    assert BookDocument.objects.get().title == "Emma"
    check_equal(session)
    connection.close()
