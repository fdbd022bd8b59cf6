-- What is planned is what runs: with group states, and by ranges of neighbouring keys; and what is said of the cost of a change.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA group_states_plans;
SET search_path = group_states_plans, public;
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text);
CREATE TABLE tb_pet (pk_pet int PRIMARY KEY, fk_owner int NOT NULL, weight int NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 3) AS i;
INSERT INTO tb_pet SELECT i, CASE WHEN i <= 15000 THEN 1 WHEN i <= 17000 THEN 2 ELSE 3 END, i % 30 FROM generate_series(1, 17010) AS i;
CREATE INDEX ON tb_pet (fk_owner);
VACUUM ANALYZE tb_pet, tb_owner;
RESET client_min_messages;
-- By delta a change does not read its group.
CREATE TABLE tv_owner AS SELECT fk_owner AS pk_owner, count(*) AS pets, sum(weight) AS weight FROM tb_pet GROUP BY fk_owner;
CREATE TABLE tv_owner_off WITH (pg_tviews.group_state = off) AS SELECT fk_owner AS pk_owner_off, count(*) AS pets, sum(weight) AS weight FROM tb_pet GROUP BY fk_owner;
CREATE TABLE tv_sum AS SELECT 1 AS pk_sum, sum(weight) AS weight FROM tb_pet;
CREATE TABLE tv_sum_off WITH (pg_tviews.group_state = off) AS SELECT 1 AS pk_sum_off, sum(weight) AS weight FROM tb_pet;
CREATE FUNCTION plan(entity text, key int) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT regexp_replace(trim(line), ' *\((cost|actual).*', '') FROM pg_tviews_analyze_cascade(entity, key) AS line
    WHERE line ~ 'Refresh of|Scan' AND line !~ 'never executed' $$;
-- Before the state is built, and after.
SELECT plan('owner', 3);
UPDATE tb_pet SET weight = weight + 1 WHERE pk_pet = 17005;
SELECT pg_tviews_wait();
SELECT plan('owner', 3);
SELECT plan('owner_off', 3);
-- Keys that are neighbours.
SET client_min_messages = warning;
CREATE TABLE tv_pet AS SELECT pk_pet, name, weight FROM tb_pet JOIN tb_owner ON pk_owner = fk_owner;
CREATE TABLE tv_person AS SELECT pk_owner AS pk_person, name FROM tb_owner;
CREATE TABLE tv_animal AS SELECT p.pk_pet AS pk_animal, o.name FROM tb_pet AS p JOIN tv_person AS o ON o.pk_person = p.fk_owner;
ANALYZE tv_person, tv_animal;
SELECT plan FROM plan('person', 2) AS plan WHERE plan ~ 'Refresh of';
DROP SCHEMA group_states_plans CASCADE;
