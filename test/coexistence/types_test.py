"""TVIEWs over the types of PostGIS and pgvector, where the archive has them, follow exactly, and recompute what a change concerns."""
import foreign_types
from tviews_server import Server, run

with Server("coexistence_types") as server:
    connection = server.prepare("types", "SELECT 1")
    available = {name for name, in run(connection, "SELECT name FROM pg_available_extensions")}
    for extension in foreign_types.KINDS:
        if extension in available:
            foreign_types.check_type(connection, extension, "types_" + extension)
            print(f"note: {extension} {run(connection, 'SELECT default_version FROM pg_available_extensions WHERE name = %s', (extension,))[0][0]}: exact and surgical")
        else:
            print(f"note: {extension} is not in the archive")
