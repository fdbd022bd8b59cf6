"""Functions of a role that may create some in `public`, which fit better than the server's own: a program of ours that looks its names up
there calls them, with the rights of whoever runs it."""
from tviews_server import run

TRAP = """
DO $$ BEGIN CREATE ROLE mallory; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT CREATE ON SCHEMA public TO mallory;
SET ROLE mallory;
CREATE FUNCTION public.trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'in the trap'; END $$;
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE sql AS 'SELECT trap()';
CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE sql AS 'SELECT trap()';
CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT trap()';
CREATE FUNCTION public.format(text, bigint) RETURNS text LANGUAGE sql AS 'SELECT trap()';
CREATE FUNCTION public.length(name) RETURNS text LANGUAGE sql AS 'SELECT trap()';
RESET ROLE;
"""
# Where the extension is in a schema of its own, its views can have namesakes too.
NAMESAKES = """
SET ROLE mallory;
CREATE VIEW public.tviews AS SELECT public.trap() AS name;
CREATE VIEW public.pg_tview_lineage AS SELECT public.trap() AS source;
CREATE VIEW public.pg_tviews_workers AS SELECT public.trap() AS pid;
CREATE FUNCTION public.pg_tviews_health_check() RETURNS text LANGUAGE sql AS 'SELECT public.trap()';
RESET ROLE;
"""


def set_trap(connection, namesakes=False):
    run(connection, TRAP + (NAMESAKES if namesakes else ""))
