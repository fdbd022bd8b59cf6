-- The change of one row: what it would touch, how that is recomputed, and doing it.
SET client_min_messages = warning;
CREATE SCHEMA tools_change;
SET search_path = tools_change, public;
CREATE TABLE tb_user (
    pk_user int PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE tb_post (
    pk_post bigint PRIMARY KEY,
    fk_user int REFERENCES tb_user,
    title text NOT NULL
);
CREATE INDEX ON tb_post (fk_user);
CREATE TABLE tb_tag (
    fk_post bigint REFERENCES tb_post,
    name text,
    PRIMARY KEY (fk_post, name)
);
CREATE TABLE tb_note (
    pk_note int NOT NULL,
    year int NOT NULL,
    body text,
    PRIMARY KEY (pk_note, year)
) PARTITION BY LIST (year);
CREATE TABLE tb_note_1 PARTITION OF tb_note FOR VALUES IN (1);
CREATE TABLE tb_note_2 PARTITION OF tb_note FOR VALUES IN (2);
CREATE TABLE tb_other (pk_other int PRIMARY KEY);
CREATE TABLE tb_bare (a int);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 5) AS i;
INSERT INTO tb_post SELECT i, 1 + i % 5, 'post ' || i FROM generate_series(1, 100) AS i;
INSERT INTO tb_tag SELECT i, 'tag ' || i % 3 FROM generate_series(1, 100) AS i;
INSERT INTO tb_note SELECT i, 1 + i % 2, 'note' FROM generate_series(1, 10) AS i;
INSERT INTO tb_other VALUES (1);
INSERT INTO tb_bare VALUES (1);

CREATE TABLE tv_user AS
SELECT pk_user, jsonb_build_object('name', name) AS data FROM tb_user;
CREATE TABLE tv_post AS
SELECT tb_post.pk_post, tb_post.fk_user,
       jsonb_build_object(
           'title', tb_post.title, 'author', tv_user.data,
           'tags', (SELECT jsonb_agg(tb_tag.name ORDER BY tb_tag.name)
                    FROM tb_tag WHERE tb_tag.fk_post = tb_post.pk_post)) AS data
FROM tb_post JOIN tv_user ON tv_user.pk_user = tb_post.fk_user;
CREATE TABLE tv_feed AS
SELECT tb_user.pk_user AS pk_feed,
       jsonb_build_object('posts', (SELECT count(*) FROM tv_post
                                    WHERE tv_post.fk_user = tb_user.pk_user)) AS data
FROM tb_user;
CREATE TABLE tv_statistics AS
SELECT 1 AS pk_statistics, jsonb_build_object('posts', (SELECT count(*) FROM tb_post)) AS data;
CREATE TABLE tv_rank AS
SELECT ranked.pk_user AS pk_rank, jsonb_build_object('rank', ranked.place) AS data
FROM (SELECT pk_user, rank() OVER (ORDER BY name) AS place FROM tb_user) AS ranked;
CREATE TABLE tv_note AS
SELECT pk_note, jsonb_build_object('body', body) AS data FROM tb_note;

-- what a change of a row would touch
SELECT * FROM pg_tviews_explain_change('tb_user', 2);
SELECT * FROM pg_tviews_explain_change('tb_post', '7');
SELECT * FROM pg_tviews_explain_change('tb_tag', '[7, "tag 1"]');
SELECT * FROM pg_tviews_explain_change('tv_user', 2);
SELECT * FROM pg_tviews_explain_change('tb_note', '[3, 2]');
SELECT * FROM pg_tviews_explain_change('tb_note_2', '[3, 2]');
SELECT * FROM pg_tviews_explain_change('tb_other', 1);
SELECT * FROM pg_tviews_explain_change('tb_user', 99);
SELECT * FROM pg_tviews_explain_change('tb_user', 'x');
SELECT * FROM pg_tviews_explain_change('tb_tag', 'x');
SELECT * FROM pg_tviews_explain_change('tb_tag', '7');
SELECT * FROM pg_tviews_explain_change('tb_bare', 1);
SELECT * FROM pg_tviews_explain_change('v_user', 1);

-- how: each step, with its plan
CREATE FUNCTION steps(entity text, pk text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT regexp_replace(query_plan, 'keys, statement shape .*', 'keys')
    FROM pg_tviews_analyze_cascade(entity, pk) WHERE query_plan !~ '^ '
$$;
SELECT steps('user', '2');
SELECT steps('tools_change.tv_post', '7');
SELECT steps('post', '12345');
SELECT steps('post', 'x');
SELECT count(*) FILTER (WHERE query_plan ~ 'actual time=.*rows=1(\.00)? loops=1') > 0 AS is_analyzed,
       count(*) FILTER (WHERE query_plan ~ 'Buffers: shared') > 0 AS has_buffers
FROM pg_tviews_analyze_cascade('user', 2);

-- nothing has been written
SELECT xmin = (SELECT min(xmin::text)::xid FROM tv_post) AS is_untouched FROM tv_post GROUP BY 1;

-- doing it: a document that has been damaged is repaired, and what reads it follows
SET pg_tviews.protect = off;
UPDATE tv_user SET data = '{}' WHERE pk_user IN (2, 3);
UPDATE tv_post SET data = '{}' WHERE pk_post IN (1, 2);
DELETE FROM tv_note WHERE pk_note IN (3, 4);
RESET pg_tviews.protect;
BEGIN;
SELECT pg_tviews_cascade('tb_user'::regclass, 2);
ROLLBACK;
SELECT pg_tviews_wait();
SELECT pk_user, data FROM tv_user WHERE pk_user IN (2, 3) ORDER BY 1;
SELECT pg_tviews_cascade('tb_user'::regclass, 2);
SELECT pg_tviews_cascade('tb_post'::regclass, '2');
SELECT pg_tviews_cascade('tb_note'::regclass, '[3, 2]');
SELECT pg_tviews_wait();
SELECT pk_user, data FROM tv_user WHERE pk_user IN (2, 3) ORDER BY 1;
SELECT pk_post, data FROM tv_post WHERE pk_post IN (1, 2) ORDER BY 1;
SELECT pk_note, data FROM tv_note WHERE pk_note IN (3, 4) ORDER BY 1;
SELECT pg_tviews_cascade('tb_user'::regclass, 3);
SELECT pg_tviews_cascade('tb_note'::regclass, '[4, 1]');
SELECT pg_tviews_wait();
SELECT (SELECT count(*) FROM pg_tviews_verify('user'))
     + (SELECT count(*) FROM pg_tviews_verify('post'))
     + (SELECT count(*) FROM pg_tviews_verify('note')) AS differences;
SET client_min_messages = notice;
SELECT pg_tviews_cascade('tb_other'::regclass, 1);
SET client_min_messages = warning;
SELECT pg_tviews_cascade('tb_user'::regclass, 99);
SELECT pg_tviews_cascade(0, 1);
BEGIN READ ONLY;
SELECT pg_tviews_cascade('tb_user'::regclass, 2);
ROLLBACK;

-- with the privileges of the caller
CREATE ROLE tools_change_user;
GRANT USAGE ON SCHEMA tools_change TO tools_change_user;
GRANT SELECT ON tv_user TO tools_change_user;
SET ROLE tools_change_user;
SELECT * FROM pg_tviews_explain_change('tb_user', 2);
SELECT pg_tviews_cascade('tb_user'::regclass, 2);
SELECT * FROM pg_tviews_analyze_cascade('post', 2);
SELECT query_plan FROM pg_tviews_analyze_cascade('user', '2') WHERE query_plan !~ '^ ';
RESET ROLE;

-- What is evaluated for a session never asks for parallel workers: its process belongs to the session's lock group.
CREATE TABLE tb_many (pk_many int PRIMARY KEY, n int) WITH (parallel_workers = 2);
INSERT INTO tb_many SELECT i, i % 10 FROM generate_series(1, 200000) AS i;
ANALYZE tb_many;
CREATE TABLE tv_many WITH (pg_tviews.group_state = off) AS SELECT n AS pk_many, count(*) AS many FROM tb_many GROUP BY n;
SELECT query_plan FROM pg_tviews_analyze_cascade('many', '3') WHERE query_plan ~ 'Gather|Workers';
SELECT count(*) FROM pg_tviews_verify('many');
DROP TABLE tv_many;
DROP TABLE tb_many;

DROP TABLE tv_feed;
DROP TABLE tv_post;
DROP TABLE tv_user, tv_statistics, tv_rank, tv_note;
DROP SCHEMA tools_change CASCADE;
DROP ROLE tools_change_user;
