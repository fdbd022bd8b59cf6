-- Changes of partitions and inheritance children belong to the tables above them too, whatever the
-- order of their columns.
SET client_min_messages = warning;
CREATE SCHEMA capture_partitions;
SET search_path = capture_partitions, public;
CREATE TABLE tb_event (pk_event int PRIMARY KEY, fk_host int, message text) PARTITION BY RANGE (pk_event);
CREATE TABLE event_low PARTITION OF tb_event FOR VALUES FROM (0) TO (100);
CREATE TABLE event_mid (gone int, message text, fk_host int, pk_event int NOT NULL)
    PARTITION BY RANGE (pk_event);
ALTER TABLE event_mid DROP COLUMN gone;
CREATE TABLE event_mid_1 (pk_event int NOT NULL, message text, fk_host int);
ALTER TABLE event_mid ATTACH PARTITION event_mid_1 FOR VALUES FROM (100) TO (200);
ALTER TABLE tb_event ATTACH PARTITION event_mid FOR VALUES FROM (100) TO (300);
CREATE TABLE tb_host (pk_host int PRIMARY KEY, name text);
CREATE TABLE tv_host AS
SELECT tb_host.pk_host,
       jsonb_build_object('name', tb_host.name, 'events',
           (SELECT jsonb_agg(tb_event.message ORDER BY tb_event.pk_event) FROM tb_event
            WHERE tb_event.fk_host = tb_host.pk_host)) AS data
FROM tb_host;
-- a TVIEW over one partition only
CREATE TABLE tv_mid AS SELECT event_mid_1.pk_event AS pk_mid, event_mid_1.message FROM event_mid_1;
CREATE VIEW differences AS
SELECT (SELECT count(*) FROM pg_tviews_verify('host'))
     + (SELECT count(*) FROM pg_tviews_verify('mid')) AS differences;
\set check 'SELECT pg_tviews_wait() \\gset waited_ \\\\ SELECT tv_host.*, differences FROM tv_host, differences ORDER BY 1;'
INSERT INTO tb_host VALUES (1, 'alpha'), (2, 'beta');
INSERT INTO tb_event VALUES (1, 1, 'low'), (101, 1, 'mid'), (102, 2, 'mid two');
:check
-- straight into a leaf
INSERT INTO event_mid_1 (pk_event, fk_host, message) VALUES (103, 2, 'direct');
UPDATE event_mid SET message = 'through the middle' WHERE pk_event = 102;
:check
-- into another partition
UPDATE tb_event SET pk_event = 104 WHERE pk_event = 1;
:check
SELECT * FROM tv_mid ORDER BY pk_mid;
UPDATE tb_event SET fk_host = 2 WHERE pk_event = 104;
DELETE FROM event_mid_1 WHERE pk_event = 101;
:check
-- a partition that came later
CREATE TABLE event_mid_2 PARTITION OF event_mid FOR VALUES FROM (200) TO (300);
INSERT INTO event_mid_2 (pk_event, fk_host, message) VALUES (201, 1, 'later');
:check
-- whole tables
TRUNCATE event_mid_1;
:check
SELECT * FROM tv_mid ORDER BY pk_mid;
TRUNCATE tb_event;
:check
DROP TABLE tv_host, tv_mid CASCADE;

-- inheritance, from two parents
CREATE TABLE tb_animal (pk_animal int PRIMARY KEY, name text);
CREATE TABLE tb_pet (owner text, name text);
CREATE TABLE dog (breed text) INHERITS (tb_pet, tb_animal);
CREATE TABLE tv_animal AS SELECT tb_animal.pk_animal, tb_animal.name FROM tb_animal;
CREATE TABLE tv_owner AS
SELECT tb_pet.owner AS pk_owner, count(*) AS pets FROM tb_pet
WHERE tb_pet.owner IS NOT NULL GROUP BY tb_pet.owner;
INSERT INTO tb_animal VALUES (1, 'Cow');
INSERT INTO dog VALUES ('Ann', 'Rex', 2, 'beagle'), ('Ann', 'Max', 3, 'pug');
UPDATE dog SET name = 'Maxi' WHERE pk_animal = 3;
UPDATE tb_pet SET owner = 'Bob' WHERE name = 'Rex';
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_animal ORDER BY pk_animal;
SELECT * FROM tv_owner ORDER BY pk_owner;
DELETE FROM dog WHERE pk_animal = 2;
TRUNCATE ONLY tb_animal;
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_animal ORDER BY pk_animal;
SELECT * FROM tv_owner ORDER BY pk_owner;
DROP TABLE tv_animal, tv_owner;
DROP SCHEMA capture_partitions CASCADE;
