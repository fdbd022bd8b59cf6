-- Only what changed is written and cascaded: columns that a TVIEW does not read, documents that
-- come out equal, columns of a TVIEW that its readers do not read.
SET client_min_messages = warning;
CREATE SCHEMA cost_relevance;
SET search_path = cost_relevance, public;
CREATE TABLE tb_user (
    pk_user int PRIMARY KEY,
    name text NOT NULL,
    mail text NOT NULL,
    note text
);
INSERT INTO tb_user SELECT i, 'user ' || i, 'mail ' || i, 'note' FROM generate_series(1, 9) AS i;
CREATE TABLE tv_user AS
SELECT pk_user, length(name) AS size, jsonb_build_object('name', name) AS data FROM tb_user;
CREATE TABLE tv_mail AS
SELECT pk_user AS pk_mail, jsonb_build_object('mail', mail) AS data FROM tb_user;
CREATE TABLE tv_size AS
SELECT pk_user AS pk_size, jsonb_build_object('size', size) AS data FROM tv_user;
CREATE TABLE tv_card AS
SELECT tv_mail.pk_mail AS pk_card, jsonb_build_object('mail', tv_mail.data, 'size', tv_size.data) AS data
FROM tv_mail JOIN tv_size ON tv_size.pk_size = tv_mail.pk_mail;

-- What the applier has done since the last call: records taken, documents by outcome; and the
-- documents that stand where they did not stand then.
CREATE VIEW places AS
SELECT 'user' AS entity, pk_user AS pk, ctid AS place, xmin AS writer FROM tv_user
UNION ALL SELECT 'mail', pk_mail, ctid, xmin FROM tv_mail
UNION ALL SELECT 'size', pk_size, ctid, xmin FROM tv_size
UNION ALL SELECT 'card', pk_card, ctid, xmin FROM tv_card;
CREATE TABLE stood (entity text, pk int, place tid, writer xid);
CREATE TABLE counted (LIKE pg_tview_frontier);
CREATE FUNCTION since_then(OUT records bigint, OUT updated bigint, OUT unchanged bigint,
                           OUT full_refreshes bigint, OUT rewritten text[])
LANGUAGE plpgsql AS $$
BEGIN
    SELECT now.records - counted.records, now.rows_updated - counted.rows_updated,
           now.rows_unchanged - counted.rows_unchanged, now.full_refreshes - counted.full_refreshes
    INTO records, updated, unchanged, full_refreshes
    FROM pg_tview_frontier AS now CROSS JOIN counted;
    SELECT array_agg(entity || ' ' || pk ORDER BY entity, pk) INTO rewritten
    FROM (SELECT * FROM places EXCEPT SELECT * FROM stood) AS changed;
    TRUNCATE counted, stood;
    INSERT INTO counted SELECT * FROM pg_tview_frontier;
    INSERT INTO stood SELECT * FROM places;
END $$;
SELECT pg_tviews_wait();
SELECT FROM since_then();
\set wait 'SELECT pg_tviews_wait() \\gset waited_'

-- a column that no TVIEW reads: not even a record
UPDATE tb_user SET note = 'changed' WHERE pk_user <= 3;
:wait
SELECT * FROM since_then();
-- a column set to what it is
UPDATE tb_user SET name = name, mail = mail;
:wait
SELECT * FROM since_then();
-- a column that one TVIEW reads: nothing is recomputed for the others, and so on for their readers
UPDATE tb_user SET mail = 'changed' WHERE pk_user = 1;
:wait
SELECT * FROM since_then();
-- a column of tv_user that tv_size does not read
UPDATE tb_user SET name = 'rseu 2' WHERE pk_user = 2;
:wait
SELECT * FROM since_then();
-- one that it reads: the whole chain
UPDATE tb_user SET name = 'user 2000' WHERE pk_user = 2;
:wait
SELECT * FROM since_then();
-- there and back again before the applier looks: recomputed, found equal, not written
BEGIN;
UPDATE tb_user SET name = 'elsewhere' WHERE pk_user = 3;
UPDATE tb_user SET name = 'user 3' WHERE pk_user = 3;
COMMIT;
:wait
SELECT * FROM since_then();
-- a value that is equal but not the same is a change
CREATE TABLE tb_number (pk_number int PRIMARY KEY, value numeric);
INSERT INTO tb_number VALUES (1, 1.0), (2, 2.0);
CREATE TABLE tv_number AS
SELECT pk_number, jsonb_build_object('value', value) AS data FROM tb_number;
CREATE TABLE tv_whole AS
SELECT pk_number AS pk_whole, trunc(value)::int AS value FROM tb_number;
SELECT pg_tviews_wait();
SELECT FROM since_then();
UPDATE tb_number SET value = 1.00 WHERE pk_number = 1;
:wait
SELECT * FROM since_then();
SELECT * FROM tv_number ORDER BY 1;

-- a table that is read twice: a column that only one occurrence reads is not followed from the other
CREATE TABLE tb_package (pk_package int PRIMARY KEY, name text, version text, fk_needs int);
CREATE INDEX ON tb_package (fk_needs);
INSERT INTO tb_package SELECT i, 'package ' || i, '1', nullif(1, i) FROM generate_series(1, 100) AS i;
CREATE TABLE tv_package AS
SELECT package.pk_package, package.name, package.version, needed.name AS needs
FROM tb_package AS package LEFT JOIN tb_package AS needed ON needed.pk_package = package.fk_needs;
SELECT strategy, relevant FROM pg_tview_lineage WHERE tview = 'tv_package'::regclass ORDER BY path;
SELECT pg_tviews_wait();
SELECT FROM since_then();
UPDATE tb_package SET version = '2' WHERE pk_package = 1;
:wait
SELECT records, updated, unchanged, full_refreshes FROM since_then();
UPDATE tb_package SET name = 'libc' WHERE pk_package = 1;
:wait
SELECT records, updated, unchanged, full_refreshes FROM since_then();
BEGIN;
UPDATE tb_package SET version = '3' WHERE pk_package = 1;
UPDATE tb_package SET fk_needs = 2, version = '3' WHERE pk_package = 3;
UPDATE tb_package SET name = 'two' WHERE pk_package = 2;
COMMIT;
:wait
SELECT records, updated, unchanged, full_refreshes FROM since_then();
SELECT count(*) FROM pg_tviews_verify('package');
SELECT * FROM tv_package WHERE pk_package < 4 ORDER BY 1;
DROP TABLE tv_package;

SELECT (SELECT count(*) FROM pg_tviews_verify('user')) + (SELECT count(*) FROM pg_tviews_verify('mail'))
     + (SELECT count(*) FROM pg_tviews_verify('size')) + (SELECT count(*) FROM pg_tviews_verify('card'))
     + (SELECT count(*) FROM pg_tviews_verify('number')) AS differences;
DROP VIEW places CASCADE;
DROP TABLE tv_card;
DROP TABLE tv_size;
DROP TABLE tv_user, tv_mail, tv_number, tv_whole;
DROP SCHEMA cost_relevance CASCADE;
