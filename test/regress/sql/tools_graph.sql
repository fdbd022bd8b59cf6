-- What hangs together: the graph in three formats, the path of a cascade, indexes that are missing.
SET client_min_messages = warning;
CREATE SCHEMA tools_graph;
SET search_path = tools_graph, public;
CREATE TABLE tb_user (
    pk_user int PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE tb_post (
    pk_post int PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    fk_user int REFERENCES tb_user,
    title text NOT NULL
);
CREATE TABLE tb_comment (
    pk_comment int PRIMARY KEY,
    fk_post int REFERENCES tb_post,
    body text
);
CREATE TABLE tb_setting (name text, value text);

-- at creation, missing indexes are named
SET client_min_messages = notice;
CREATE TABLE tv_user AS
SELECT pk_user, jsonb_build_object('name', name) AS data FROM tb_user;
CREATE TABLE tv_post AS
SELECT tb_post.pk_post, tb_post.id, tb_post.fk_user,
       jsonb_build_object(
           'title', tb_post.title,
           'author', tv_user.data,
           'comments', (SELECT count(*) FROM tb_comment
                        WHERE tb_comment.fk_post = tb_post.pk_post)) AS data
FROM tb_post JOIN tv_user ON tv_user.pk_user = tb_post.fk_user;
SET client_min_messages = warning;
CREATE TABLE tv_feed AS
SELECT tb_user.pk_user AS pk_feed,
       jsonb_build_object('posts', (SELECT jsonb_agg(tv_post.data ORDER BY tv_post.pk_post)
                                    FROM tv_post WHERE tv_post.fk_user = tb_user.pk_user)) AS data
FROM tb_user;
CREATE TABLE tv_setting AS
SELECT 1 AS pk_setting, (SELECT max(value) FROM tb_setting) AS highest;

\pset format unaligned
\pset tuples_only on
SELECT pg_tviews_graph();
SELECT pg_tviews_graph('dot');
SELECT jsonb_pretty(pg_tviews_graph('json')::jsonb);
SELECT pg_tviews_graph('png');
\pset format aligned
\pset tuples_only off

SELECT * FROM pg_tviews_show_cascade_path('user');
SELECT * FROM pg_tviews_show_cascade_path('post');
SELECT * FROM pg_tviews_show_cascade_path('tools_graph.tv_feed');
SELECT * FROM pg_tviews_show_cascade_path('setting');
SELECT * FROM pg_tviews_show_cascade_path('nobody');

SELECT * FROM pg_tviews_suggest_indexes('user');
SELECT * FROM pg_tviews_suggest_indexes('post');
SELECT * FROM pg_tviews_suggest_indexes('feed');

-- an index that the column leads will do, one that it does not lead or that is partial will not
CREATE INDEX ON tb_comment (body, fk_post);
CREATE INDEX ON tb_comment (fk_post) WHERE body IS NULL;
SELECT * FROM pg_tviews_suggest_indexes('post');
CREATE INDEX ON tb_comment (fk_post, body);
CREATE INDEX ON tb_post (fk_user);
SELECT * FROM pg_tviews_suggest_indexes('post');
-- also those that come with the TVIEW
DROP INDEX tv_post_id_idx;
DROP INDEX tv_post_fk_user_idx;
SELECT * FROM pg_tviews_suggest_indexes('post');

-- for the partitions of windows
CREATE TABLE tb_step (pk_step int PRIMARY KEY, fk_walk int, kind int NOT NULL);
CREATE TABLE tv_step AS
SELECT tb_step.pk_step, rank() OVER (PARTITION BY tb_step.fk_walk ORDER BY tb_step.pk_step) AS place FROM tb_step;
SELECT index_suggestion FROM pg_tviews_suggest_indexes('step');
CREATE INDEX ON tb_step (fk_walk);
SELECT index_suggestion FROM pg_tviews_suggest_indexes('step');
DROP TABLE tv_step;

-- for everybody
CREATE ROLE tools_graph_user;
GRANT USAGE ON SCHEMA tools_graph TO tools_graph_user;
SET ROLE tools_graph_user;
SELECT * FROM pg_tviews_show_cascade_path('user');
SELECT * FROM pg_tviews_suggest_indexes('post');
SELECT length(pg_tviews_graph()) > 0 AS drawn;
RESET ROLE;

DROP TABLE tv_feed;
DROP TABLE tv_post;
DROP TABLE tv_user, tv_setting;
DROP SCHEMA tools_graph CASCADE;
DROP ROLE tools_graph_user;
