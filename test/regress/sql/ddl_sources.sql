-- Sources that are no tables: materialized views change with REFRESH, foreign tables by local writes.
CREATE SCHEMA ddl_sources;
SET search_path = ddl_sources, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, fk_shop int, amount int NOT NULL);
INSERT INTO tb_sale VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5);
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text);
INSERT INTO tb_shop VALUES (1, 'one'), (2, 'two'), (3, 'three');

CREATE MATERIALIZED VIEW mv_total AS SELECT fk_shop, sum(amount) AS total FROM tb_sale GROUP BY fk_shop;
CREATE UNIQUE INDEX ON mv_total (fk_shop);
CREATE TABLE tv_shop AS
SELECT tb_shop.pk_shop, tb_shop.name, mv_total.total
FROM tb_shop LEFT JOIN mv_total ON mv_total.fk_shop = tb_shop.pk_shop;
CREATE TABLE tv_total AS SELECT fk_shop AS pk_total, total FROM mv_total;
CREATE TABLE tv_over AS SELECT pk_shop AS pk_over, total FROM tv_shop;
SELECT entity, (SELECT array_agg(format('%s %s', source, strategy) ORDER BY source::text)
                FROM pg_tviews_explain_lineage(entity)) FROM pg_tview_meta WHERE entity IN ('shop', 'total') ORDER BY 1;
CREATE VIEW state AS
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'ddl_sources'::regnamespace ORDER BY entity;

-- A change of what it is made from is not a change of the materialized view; REFRESH is.
UPDATE tb_sale SET amount = 100 WHERE pk_sale = 1;
SELECT pg_tviews_wait();
TABLE tv_shop ORDER BY 1;
REFRESH MATERIALIZED VIEW mv_total;
SELECT pg_tviews_wait();
TABLE tv_shop ORDER BY 1;
TABLE state;
INSERT INTO tb_sale VALUES (4, 3, 7);
DELETE FROM tb_sale WHERE fk_shop = 2;
REFRESH MATERIALIZED VIEW CONCURRENTLY mv_total;
SELECT pg_tviews_wait();
TABLE tv_over ORDER BY 1;
TABLE tv_total ORDER BY 1;
TABLE state;
-- Other sources are followed by key meanwhile, and a refresh that is rolled back is none.
UPDATE tb_shop SET name = 'uno' WHERE pk_shop = 1;
BEGIN;
UPDATE tb_sale SET amount = 1;
SAVEPOINT s;
REFRESH MATERIALIZED VIEW mv_total;
ROLLBACK TO s;
COMMIT;
SELECT pg_tviews_wait();
TABLE tv_shop ORDER BY 1;
DO $$ BEGIN REFRESH MATERIALIZED VIEW ddl_sources.mv_total; END $$;
SELECT pg_tviews_wait();
TABLE tv_shop ORDER BY 1;
ALTER MATERIALIZED VIEW mv_total RENAME TO mv_sum;
ALTER MATERIALIZED VIEW mv_sum RENAME COLUMN total TO sum;
UPDATE tb_sale SET amount = 2;
REFRESH MATERIALIZED VIEW mv_sum;
SELECT pg_tviews_wait();
TABLE state;
REFRESH MATERIALIZED VIEW mv_sum WITH NO DATA;
CREATE MATERIALIZED VIEW mv_empty AS SELECT 1 AS pk_empty WITH NO DATA;
CREATE TABLE tv_empty AS SELECT pk_empty FROM mv_empty;
REFRESH MATERIALIZED VIEW mv_empty WITH NO DATA;
DROP MATERIALIZED VIEW mv_sum;
SET client_min_messages = warning;
DROP MATERIALIZED VIEW mv_sum CASCADE;
RESET client_min_messages;
TABLE state;

-- A foreign table that stands for a table of this database.
CREATE EXTENSION postgres_fdw SCHEMA ddl_sources;
CREATE TABLE tb_far (pk_far int PRIMARY KEY, fk_shop int, label text);
CREATE INDEX ON tb_far (fk_shop);
CREATE TABLE tb_other (pk_far int PRIMARY KEY, fk_shop int, label text);
INSERT INTO tb_far VALUES (1, 1, 'a'), (2, 2, 'b');
INSERT INTO tb_other VALUES (1, 1, 'other');
DO $$ BEGIN
    EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, dbname %L, port %L)',
                   current_setting('unix_socket_directories'), current_database(), current_setting('port'));
END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user 'postgres');
CREATE FOREIGN TABLE ft_far (pk_far int NOT NULL, fk_shop int, label text)
SERVER here OPTIONS (schema_name 'ddl_sources', table_name 'tb_far');
CREATE TABLE tv_far AS SELECT pk_far, label FROM ft_far;
CREATE TABLE tv_count AS
SELECT pk_shop AS pk_count, (SELECT count(*) FROM ft_far WHERE ft_far.fk_shop = tb_shop.pk_shop) AS n FROM tb_shop;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'ft_far'::regclass;
-- local writes, also those that could be done remotely as a whole
UPDATE ft_far SET label = upper(label);
INSERT INTO ft_far VALUES (3, 2, 'c'), (4, 3, 'd');
DELETE FROM ft_far WHERE pk_far = 4;
SELECT pg_tviews_wait();
TABLE tv_far ORDER BY 1;
TABLE tv_count ORDER BY 1;
BEGIN;
UPDATE ft_far SET label = 'gone' WHERE pk_far = 1;
ROLLBACK;
COPY ft_far FROM stdin;
5	3	e
\.
SELECT pg_tviews_wait();
TABLE state;
-- remote ones are not seen
UPDATE tb_far SET label = 'remote' WHERE pk_far = 1;
SELECT pg_tviews_wait();
TABLE state;
SELECT pg_tviews_refresh('far');
TABLE state;
TRUNCATE ft_far;
SELECT pg_tviews_wait();
TABLE tv_far;
TABLE state;
ALTER FOREIGN TABLE ft_far OPTIONS (SET table_name 'tb_other');
SELECT pg_tviews_wait();
TABLE tv_far;
ALTER FOREIGN TABLE ft_far RENAME TO ft_away;
UPDATE ft_away SET label = 'away';
SELECT pg_tviews_wait();
TABLE tv_far;
TABLE state;

-- A foreign partition.
CREATE TABLE tb_part (pk_part int, half int, label text) PARTITION BY LIST (half);
CREATE TABLE tb_part_1 PARTITION OF tb_part FOR VALUES IN (1);
CREATE TABLE tv_part AS SELECT pk_part, label FROM tb_part;
CREATE TABLE tb_half (pk_part int, half int, label text);
CREATE FOREIGN TABLE ft_part_2 PARTITION OF tb_part FOR VALUES IN (2)
SERVER here OPTIONS (schema_name 'ddl_sources', table_name 'tb_half');
INSERT INTO tb_part VALUES (1, 1, 'near'), (2, 2, 'far');
SELECT pg_tviews_wait();
TABLE tv_part ORDER BY 1;
TRUNCATE ft_part_2;
SELECT pg_tviews_wait();
TABLE tv_part ORDER BY 1;
INSERT INTO ft_part_2 VALUES (3, 2, 'far');
SELECT pg_tviews_wait();
TABLE state;
CREATE TABLE tv_part_too AS SELECT pk_part AS pk_part_too FROM tb_part;

SET client_min_messages = warning;
DROP SCHEMA ddl_sources CASCADE;
