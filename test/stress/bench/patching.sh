#!/bin/bash
# Usage: test/stress/bench/patching.sh BUILD_DIR [ROUNDS]
# What would be gained by patching a document instead of recomputing it? For arrays of 10 to 10000
# elements in a document: the time of an UPDATE that writes the document recomputed from its source
# rows, and of one that replaces a single element of the stored document with jsonb_set(). The least
# of ROUNDS (41) statements, in turns: what else the machine does only adds. Plain SQL on a private server, without TVIEWs: the ideal
# patch, which knows the place of the element. What it would cost to find the place is not counted.
set -euo pipefail
. "$(dirname "$0")/../../server.sh"
rounds=${2:-41}
start_test_server "$1" patching /dev/null
server_psql "$SERVER" -q <<SQL
SET client_min_messages = warning;
CREATE TABLE tb_item (fk_list int, pk_item int, title text, amount int, PRIMARY KEY (fk_list, pk_item));
CREATE TABLE tv_list (pk_list int PRIMARY KEY, data jsonb COMPRESSION lz4) WITH (fillfactor = 50);
CREATE TABLE timing (elements int, method text, ms double precision);
CREATE PROCEDURE measure(elements int, rounds int) LANGUAGE plpgsql AS \$\$
DECLARE
    began timestamptz;
BEGIN
    INSERT INTO tb_item SELECT elements, i, 'title of item ' || i, i FROM generate_series(1, elements) AS i;
    INSERT INTO tv_list VALUES (elements, NULL);
    FOR round IN 0 .. rounds LOOP  -- round 0 fills and warms up
        UPDATE tb_item SET amount = amount + 1 WHERE fk_list = elements AND pk_item = elements / 2;
        began := clock_timestamp();
        UPDATE tv_list SET data = (
            SELECT jsonb_build_object('id', elements, 'items', jsonb_agg(jsonb_build_object(
                       'id', i.pk_item, 'title', i.title, 'amount', i.amount) ORDER BY i.pk_item))
            FROM tb_item i WHERE i.fk_list = elements) WHERE pk_list = elements;
        IF round > 0 THEN
            INSERT INTO timing VALUES (elements, 'recompute', extract(epoch FROM clock_timestamp() - began) * 1000);
        END IF;
        COMMIT;
        began := clock_timestamp();
        UPDATE tv_list SET data = jsonb_set(data, ARRAY['items', (elements / 2 - 1)::text], (
            SELECT jsonb_build_object('id', i.pk_item, 'title', i.title, 'amount', i.amount)
            FROM tb_item i WHERE i.fk_list = elements AND i.pk_item = elements / 2)) WHERE pk_list = elements;
        IF round > 0 THEN
            INSERT INTO timing VALUES (elements, 'patch', extract(epoch FROM clock_timestamp() - began) * 1000);
        END IF;
        COMMIT;
    END LOOP;
END \$\$;
SQL
for elements in 10 30 100 300 1000 3000 10000; do
  server_psql "$SERVER" -q -c 'ANALYZE tb_item' -c "CALL measure($elements, $rounds)"
done
server_psql "$SERVER" -P border=1 -c "
WITH least AS (
    SELECT timing.elements, timing.method, min(timing.ms) AS ms
    FROM timing GROUP BY timing.elements, timing.method)
SELECT r.elements, pg_size_pretty(length(tv_list.data::text)::bigint) AS document,
       round(r.ms::numeric, 3) AS recompute_ms, round(p.ms::numeric, 3) AS patch_ms,
       round((r.ms / p.ms)::numeric, 1) AS ratio
FROM least r JOIN least p USING (elements) JOIN tv_list ON tv_list.pk_list = r.elements
WHERE r.method = 'recompute' AND p.method = 'patch' ORDER BY r.elements"
