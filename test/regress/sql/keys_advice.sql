-- A key that is computed from several tables, whatever by: creation says which columns would be a key of several, and with
-- these each change is surgical.
CREATE SCHEMA keys_advice;
SET search_path = keys_advice, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_right (pk_right int PRIMARY KEY, fk_user int NOT NULL REFERENCES tb_user, "What" text NOT NULL, day date NOT NULL);
CREATE INDEX ON tb_right (fk_user);
INSERT INTO tb_user SELECT i, 'u' || i FROM generate_series(1, 5) AS i;
INSERT INTO tb_right SELECT i, 1 + i % 5, 'w' || i, date '2020-01-01' + i FROM generate_series(1, 20) AS i;
CREATE TYPE pair AS (x int, y int);
CREATE TABLE tv_text AS SELECT u.pk_user || ':' || r.pk_right AS pk_text, u.name, r.day FROM tb_user u JOIN tb_right r ON r.fk_user = u.pk_user;
CREATE TABLE tv_array AS SELECT jsonb_build_array(u.pk_user, r.pk_right) AS pk_array, u.name, r.day FROM tb_user u JOIN tb_right r ON r.fk_user = u.pk_user;
CREATE TABLE tv_row AS SELECT row(u.pk_user, r.pk_right)::pair AS pk_row, u.name, r.day FROM tb_user u JOIN tb_right r ON r.fk_user = u.pk_user;
CREATE TABLE tv_format AS SELECT format('%s-%s', name, "What") AS pk_format, count(*) FROM tb_user JOIN tb_right r ON fk_user = pk_user GROUP BY name, "What";
CREATE TABLE tv_md5 AS SELECT md5(u.name || r.w) AS pk_md5, r.day FROM tb_user u JOIN (SELECT fk_user, "What" AS w, day FROM tb_right WHERE pk_right < 9) r ON r.fk_user = u.pk_user;
-- As it is said.
CREATE TABLE tv_said WITH (pg_tviews.key = 'u_pk_user, r_pk_right') AS
SELECT u.pk_user AS u_pk_user, r.pk_right AS r_pk_right, u.name, r.day FROM tb_user u JOIN tb_right r ON r.fk_user = u.pk_user;
-- Nothing is said where no path is lacking, or where that is not the reason: merged columns, aggregates, one table.
CREATE TABLE tv_one AS SELECT concat_ws(':', fk_user, pk_right) AS pk_one, day FROM tb_right;
CREATE TABLE tv_document AS SELECT jsonb_build_object('user', fk_user, 'right', pk_right) AS pk_document, day FROM tb_right;
CREATE TABLE tv_settings AS SELECT concat(day, pk_right) AS pk_settings, day FROM tb_right;
CREATE TABLE tv_merged AS SELECT coalesce(u.pk_user, r.fk_user + 1) AS pk_merged, count(*) FROM tb_user u FULL JOIN tb_right r ON r.fk_user = u.pk_user GROUP BY 1;
CREATE TABLE tv_aggregate AS SELECT max(u.pk_user + r.pk_right) AS pk_aggregate FROM tb_user u JOIN tb_right r ON r.fk_user = u.pk_user;
CREATE TABLE tv_alike AS SELECT u.pk_user AS pk_alike, count(*) FROM tb_user u JOIN tb_right r ON r.fk_user = u.pk_user GROUP BY u.pk_user;
SET client_min_messages = warning;
UPDATE tb_right SET day = day + 1 WHERE pk_right = 3;
UPDATE tb_right SET pk_right = 30 WHERE pk_right = 4;
UPDATE tb_user SET name = 'other' WHERE pk_user = 2;
SELECT FROM pg_tviews_wait();
SELECT m.tview FROM pg_tview_meta AS m WHERE m.tview IN ('tv_text'::regclass, 'tv_array', 'tv_row', 'tv_format', 'tv_said', 'tv_one', 'tv_document', 'tv_settings')
    AND EXISTS (SELECT FROM pg_tviews_verify(m.tview::text));
-- Such keys are never NULL, which creation knows.
SELECT tview, key_is_not_null FROM pg_tview_meta WHERE tview IN ('tv_one'::regclass, 'tv_document', 'tv_array', 'tv_format') ORDER BY tview::text;
DROP SCHEMA keys_advice CASCADE;
