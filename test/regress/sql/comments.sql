-- What psql shows: comments on everything of the extension, on every TVIEW, and the view tviews.
CREATE SCHEMA comments;
SET search_path = comments, public;
SET client_min_messages = warning;

-- nothing of the extension is without a comment, but what a comment cannot be put on usefully
SELECT pg_describe_object(pg_depend.classid, pg_depend.objid, 0) AS uncommented
FROM pg_depend
WHERE pg_depend.refclassid = 'pg_extension'::regclass AND pg_depend.deptype = 'e'
  AND pg_depend.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews')
  AND pg_depend.classid <> 'pg_type'::regclass -- row types of tables, from PostgreSQL 17 on
  AND coalesce(obj_description(pg_depend.objid, pg_depend.classid::regclass::name), '') = ''
ORDER BY 1;

CREATE TABLE tb_place (pk_place int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_seat (pk_seat int PRIMARY KEY, fk_place int NOT NULL REFERENCES tb_place);
CREATE INDEX ON tb_seat (fk_place);
INSERT INTO tb_place VALUES (1, 'hall');
INSERT INTO tb_seat VALUES (10, 1), (11, 1);
CREATE FUNCTION said() RETURNS TABLE (relation text, place int, comment text) LANGUAGE sql SET search_path = pg_catalog AS $$
    SELECT pg_class.relname::text, pg_description.objsubid,
           replace(pg_description.description, 'tb_plain.', '') -- which the server prints up to PostgreSQL 15 only
    FROM pg_description JOIN pg_class ON pg_class.oid = pg_description.objoid AND pg_description.classoid = 'pg_class'::regclass
    WHERE pg_class.relname ~ '^t?v_' AND pg_class.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^comments')
    ORDER BY pg_class.relname COLLATE "C", pg_description.objsubid
$$;

-- one line, whatever the definition looks like
CREATE TABLE tv_seat AS
  SELECT tb_seat.pk_seat,
         tb_place.name   AS place
  FROM tb_seat
	JOIN tb_place ON tb_place.pk_place = tb_seat.fk_place
;
SELECT pg_tviews_create('place', 'SELECT pk_place, name FROM tb_place');
SELECT * FROM said();

-- what is long ends with dots, and between characters
SELECT pg_tviews_create('long', format('SELECT pk_place, %L AS text, name FROM tb_place', repeat('ü', 150))) AS created;
SELECT length(comment) < 200 AND comment ~ '^TVIEW: SELECT pk_place, ''ü+[.]{3}$' AS clipped FROM said() WHERE relation = 'tv_long' AND place = 0;

-- another definition is said; a comment of one's own stays, and so does none
SELECT pg_tviews_replace('place', 'SELECT pk_place, upper(name) AS name FROM tb_place');
CREATE OR REPLACE VIEW v_seat AS SELECT tb_seat.pk_seat, 'one'::text AS place FROM tb_seat;
SELECT * FROM said() WHERE relation ~ 'seat|place';
COMMENT ON TABLE tv_seat IS 'where people sit';
COMMENT ON VIEW v_seat IS NULL;
COMMENT ON COLUMN tv_seat.pk_seat IS 'its number';
SELECT pg_tviews_replace('seat', 'SELECT tb_seat.pk_seat, ''two''::text AS place FROM tb_seat');
SELECT * FROM said() WHERE relation ~ 'seat';
ALTER TABLE tv_place RENAME TO tv_venue;
ALTER SCHEMA comments RENAME TO comments_elsewhere;
SET search_path = comments_elsewhere, public;
SELECT * FROM said() WHERE relation ~ 'venue|place';

-- a table that is converted keeps what it had
CREATE TABLE tb_plain (pk_plain int PRIMARY KEY);
CREATE VIEW v_plain AS SELECT pk_plain FROM tb_plain;
CREATE TABLE tv_later (pk_later int);
CREATE VIEW v_later AS SELECT pk_plain AS pk_later FROM tb_plain;
COMMENT ON TABLE tv_later IS 'mine';
SELECT pg_tviews_convert_table('later');
SELECT * FROM said() WHERE relation ~ 'later';

-- the short view, for everybody
SELECT pg_tviews_wait();
CREATE ROLE comments_reader;
SET ROLE comments_reader;
SELECT name::text ~ 'tv_seat' AS named, rows, size ~ '^[0-9]+ (bytes|kB)$' AS sized, strategy, lag < '1 hour' AS lag, state
FROM tviews WHERE name::text ~ 'tv_(seat|venue)$' ORDER BY name::text;
RESET ROLE;
SELECT count(*) = (SELECT count(*) FROM pg_tview_meta) AS all_of_them FROM tviews;
CREATE TABLE tv_cross AS SELECT DISTINCT ON (pk_place) pk_place, (SELECT count(*) FROM tb_seat) AS n FROM tb_place ORDER BY pk_place;
SELECT strategy FROM tviews WHERE name = 'tv_cross'::regclass;
CREATE TABLE tb_ratio (pk_ratio int PRIMARY KEY, n int);
INSERT INTO tb_ratio VALUES (1, 1);
CREATE TABLE tv_ratio AS SELECT count(*) AS pk_ratio, 1 / min(n) AS share FROM tb_ratio;
UPDATE tb_ratio SET n = 0;
SET client_min_messages = error;
SELECT pg_tviews_wait();
SELECT state FROM tviews WHERE name = 'tv_ratio'::regclass;
DROP SCHEMA comments_elsewhere CASCADE;
DROP ROLE comments_reader;
