-- Which column is the key, and which tables are TVIEWs, where nothing or only a setting says it.
CREATE SCHEMA keys_names;
SET search_path = keys_names, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_item (id int PRIMARY KEY, label text);
INSERT INTO tb_item VALUES (1, 'a'), (2, 'b');
CREATE FUNCTION keys() RETURNS TABLE (tview regclass, key name) LANGUAGE sql AS
$$ SELECT tview, key_column FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
   WHERE relnamespace = 'keys_names'::regnamespace ORDER BY tview::text $$;

-- pk_<entity>, else the only pk_*, else id.
CREATE TABLE tv_first AS SELECT id, id AS pk_other, id AS pk_first FROM tb_item;
CREATE TABLE tv_second AS SELECT id, id AS pk_other, label FROM tb_item;
CREATE TABLE tv_third AS SELECT label, id FROM tb_item;
CREATE TABLE tv_fourth (label, id) AS SELECT label, id AS anything FROM tb_item;
SELECT pg_tviews_create('fifth', 'SELECT label, id FROM tb_item');
-- Several pk_* hide what is called id; "ID" is another name.
CREATE TABLE tv_bad AS SELECT id, id AS pk_a, id AS pk_b FROM tb_item;
CREATE TABLE tv_bad AS SELECT id AS "ID" FROM tb_item;
CREATE TABLE tv_bad AS SELECT 1 AS id FROM tb_item;
-- The function and the conversion of a table can name it, as the option does.
SELECT pg_tviews_create('sixth', 'SELECT label, id, id + 1 AS next FROM tb_item', 'next');
SELECT pg_tviews_create('seventh', 'SELECT label AS "La""bel", id FROM tb_item', key => 'La"bel');
SELECT pg_tviews_create('bad', 'SELECT id FROM tb_item', key => 'nothing');
SELECT pg_tviews_create('eighth', 'SELECT id FROM tb_item', key => NULL);
CREATE VIEW v_ninth AS SELECT label, id FROM tb_item;
CREATE TABLE old_ninth (label text, id int);
ALTER TABLE old_ninth RENAME TO tv_ninth;
SELECT pg_tviews_convert_table('tv_ninth', key => 'label');
SELECT * FROM keys();
UPDATE tb_item SET label = label || '!';
INSERT INTO tb_item VALUES (3, 'c');
SELECT pg_tviews_wait();
SELECT * FROM tv_third ORDER BY 1;
SELECT * FROM tv_sixth ORDER BY 1;
SELECT * FROM tv_ninth ORDER BY 1;
SELECT tview, (pg_tviews_verify(tview::text)).* FROM keys();

-- Another prefix.
SHOW pg_tviews.table_prefix;
SET pg_tviews.table_prefix = 'view_of_';
CREATE TABLE view_of_item AS SELECT id, label FROM tb_item;
CREATE TABLE tv_plain AS SELECT id, label FROM tb_item;
SELECT pg_tviews_create('thing', 'SELECT id FROM tb_item');
SELECT tview, entity, backing_view FROM pg_tview_meta
WHERE tview IN ('view_of_item'::regclass, 'view_of_thing'::regclass) ORDER BY 1;
SELECT to_regclass('v_plain'), pg_tviews_table('item'), pg_tviews_table('view_of_item'), pg_tviews_table('third'),
       pg_tviews_table('tv_third');
ALTER TABLE view_of_thing RENAME TO view_of_stuff;
SELECT entity, backing_view FROM pg_tview_meta WHERE tview = 'view_of_stuff'::regclass;
CREATE TABLE none WITH (pg_tviews.key = 'id') AS SELECT id FROM tb_item;
SET pg_tviews.table_prefix = 'a prefix that is longer than names have room for';
-- None: by option or function only.
SET pg_tviews.table_prefix = '';
CREATE TABLE tv_none AS SELECT id FROM tb_item;
CREATE TABLE none WITH (pg_tviews.key = 'id') AS SELECT id FROM tb_item;
CREATE TABLE items WITH (pg_tviews.entity = 'some') AS SELECT id FROM tb_item;
SELECT pg_tviews_create('more', 'SELECT id FROM tb_item');
SELECT tview, entity, backing_view FROM pg_tview_meta
WHERE tview IN ('items'::regclass, 'more'::regclass) ORDER BY 1;
SELECT to_regclass('v_none'), pg_tviews_table('some'), pg_tviews_table('items'), pg_tviews_table('more'),
       pg_tviews_table('tv_third');
ALTER TABLE more RENAME TO many;
SELECT entity, backing_view FROM pg_tview_meta WHERE tview = 'many'::regclass;
DROP TABLE items, many;
RESET pg_tviews.table_prefix;
DROP SCHEMA keys_names CASCADE;
