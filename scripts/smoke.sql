-- What an installation has to be able to do, for psql with ON_ERROR_STOP: a TVIEW that follows its source,
-- and the removal of the extension. Fails with an error where it does not.
CREATE EXTENSION pg_tviews;
CREATE TABLE tb_smoke (pk_smoke bigint PRIMARY KEY, title text);
CREATE TABLE tv_smoke AS
SELECT tb_smoke.pk_smoke, jsonb_build_object('title', tb_smoke.title) AS data FROM tb_smoke;
INSERT INTO tb_smoke VALUES (1, 'hello');
SELECT pg_tviews_wait();
DO $$
BEGIN
    ASSERT (SELECT tv_smoke.data->>'title' FROM tv_smoke) = 'hello', 'the TVIEW has not followed its source';
    ASSERT (SELECT count(*) FROM pg_tviews_verify('smoke')) = 0, 'the TVIEW is not its query';
    ASSERT (SELECT pg_tviews_version()) = (SELECT pg_extension.extversion FROM pg_extension
                                           WHERE pg_extension.extname = 'pg_tviews'), 'library and objects differ';
END $$;
DROP EXTENSION pg_tviews CASCADE;
DROP TABLE tv_smoke, tb_smoke CASCADE;
