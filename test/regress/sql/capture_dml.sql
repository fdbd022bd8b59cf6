-- Every kind of statement that changes a source reaches the TVIEWs that read it.
SET client_min_messages = warning;
CREATE SCHEMA capture_dml;
SET search_path = capture_dml, public;
CREATE TABLE tb_author (
    pk_author int PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE tb_book (
    pk_book int PRIMARY KEY,
    fk_author int REFERENCES tb_author ON UPDATE CASCADE ON DELETE CASCADE,
    title text NOT NULL
);
CREATE TABLE tb_review (
    pk_review int PRIMARY KEY,
    fk_book int REFERENCES tb_book ON UPDATE CASCADE ON DELETE SET NULL,
    stars int NOT NULL
);
CREATE TABLE tv_author AS
SELECT tb_author.pk_author,
       jsonb_build_object(
           'name', tb_author.name,
           'books', (SELECT coalesce(jsonb_agg(tb_book.title ORDER BY tb_book.pk_book), '[]')
                     FROM tb_book WHERE tb_book.fk_author = tb_author.pk_author)) AS data
FROM tb_author;
CREATE TABLE tv_review AS
SELECT tb_review.pk_review,
       jsonb_build_object('stars', tb_review.stars, 'book', tb_book.title,
                          'author', tb_author.name) AS data
FROM tb_review
LEFT JOIN tb_book ON tb_book.pk_book = tb_review.fk_book
LEFT JOIN tb_author ON tb_author.pk_author = tb_book.fk_author;

-- All documents, and how many rows differ from the defining queries.
CREATE VIEW shown AS
SELECT 'author' AS of, pk_author AS pk, data FROM tv_author
UNION ALL
SELECT 'review', pk_review, data FROM tv_review
ORDER BY 1, 2;
CREATE VIEW differences AS
SELECT (SELECT count(*) FROM pg_tviews_verify('author'))
     + (SELECT count(*) FROM pg_tviews_verify('review')) AS differences;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'

-- INSERT
INSERT INTO tb_author VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_book VALUES (10, 1, 'Apples'), (11, 1, 'Bees'), (20, 2, 'Cats');
INSERT INTO tb_review VALUES (100, 10, 5), (101, 10, 4), (102, 20, 3);
:wait
TABLE shown;

-- COPY
COPY tb_book FROM stdin;
21	2	Dogs
22	\N	Eels
\.
:wait
TABLE shown;

-- UPDATE of a parent, of a child, of a foreign key
UPDATE tb_author SET name = 'Anna' WHERE pk_author = 1;
:wait
TABLE shown;
UPDATE tb_book SET title = 'Cows' WHERE pk_book = 20;
:wait
TABLE shown;
UPDATE tb_book SET fk_author = 2 WHERE pk_book = 10;
:wait
TABLE shown;
UPDATE tb_book SET fk_author = tb_author.pk_author
FROM tb_author
WHERE tb_author.name = 'Anna' AND tb_book.fk_author IS NULL;
:wait
TABLE shown;

-- upserts
INSERT INTO tb_author VALUES (1, 'ANNA'), (3, 'CORA')
ON CONFLICT (pk_author) DO UPDATE SET name = excluded.name;
:wait
TABLE shown;
INSERT INTO tb_author VALUES (1, 'nobody'), (4, 'Dave')
ON CONFLICT DO NOTHING;
:wait
TABLE shown;

-- MERGE that inserts, updates and deletes
MERGE INTO tb_book
USING (VALUES (10, 'Apricots'), (11, NULL), (40, 'Foxes')) AS given (pk_book, title)
ON given.pk_book = tb_book.pk_book
WHEN MATCHED AND given.title IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET title = given.title
WHEN NOT MATCHED THEN INSERT VALUES (given.pk_book, 4, given.title);
:wait
TABLE shown;

-- several tables in one statement
WITH moved AS (
    UPDATE tb_book SET fk_author = 3 WHERE pk_book = 40 RETURNING pk_book
), renamed AS (
    UPDATE tb_author SET name = 'Cora' WHERE pk_author = 3
)
INSERT INTO tb_review SELECT 103, pk_book, 1 FROM moved;
:wait
TABLE shown;

-- key changes: of a TVIEW's own key, and through foreign keys
UPDATE tb_review SET pk_review = 203 WHERE pk_review = 103;
:wait
TABLE shown;
UPDATE tb_author SET pk_author = pk_author + 10 WHERE pk_author <= 2;
:wait
TABLE shown;
UPDATE tb_book SET pk_book = pk_book + 1000;
:wait
TABLE shown;

-- foreign-key actions: books go with their author, reviews lose their book
DELETE FROM tb_author WHERE pk_author = 12;
:wait
TABLE shown;
TABLE differences;

-- DELETE
DELETE FROM tb_review USING tb_book
WHERE tb_book.pk_book = tb_review.fk_book AND tb_book.title = 'Foxes';
:wait
TABLE shown;

-- TRUNCATE
TRUNCATE tb_review;
:wait
TABLE shown;
TRUNCATE tb_author CASCADE;
:wait
TABLE shown;

-- rows that triggers of the user change, before and after
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := upper(NEW.name);
    RETURN NEW;
END $$;
CREATE FUNCTION first_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tb_book VALUES (NEW.pk_author * 10, NEW.pk_author, 'First of ' || NEW.name);
    RETURN NULL;
END $$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON tb_author
FOR EACH ROW EXECUTE FUNCTION shout();
CREATE CONSTRAINT TRIGGER first_book AFTER INSERT ON tb_author
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION first_book();
INSERT INTO tb_author VALUES (7, 'Gus'), (8, 'Hal');
:wait
TABLE shown;
UPDATE tb_author SET pk_author = 9 WHERE pk_author = 8;
:wait
TABLE shown;

-- triggers are turned off for replication, capture is not
SET session_replication_role = replica;
UPDATE tb_author SET name = 'Gustav' WHERE pk_author = 7;
RESET session_replication_role;
:wait
TABLE shown;
TABLE differences;

-- the capture function is for triggers
SELECT pg_tviews_capture();
CREATE TABLE other (a int);
CREATE TRIGGER before_row BEFORE INSERT ON other
FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture();
INSERT INTO other VALUES (1);
DROP TRIGGER before_row ON other;
CREATE TRIGGER after_statement AFTER INSERT ON other
FOR EACH STATEMENT EXECUTE FUNCTION pg_tviews_capture();
INSERT INTO other VALUES (1);

DROP TABLE tv_author, tv_review CASCADE;
DROP SCHEMA capture_dml CASCADE;
