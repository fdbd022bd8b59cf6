-- The eight tables of TPC-H, with rows of our own that have the specification's sizes and distributions (4.2.3) as far
-- as the queries look at them. :scale is the scale factor; draw(seed, key, n) is a number from 0 to n - 1.
CREATE FUNCTION draw(seed int, key bigint, n int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (hashint8extended(key, seed) & 9223372036854775807) % n;
CREATE FUNCTION pick(seed int, key bigint, VARIADIC words text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN words[1 + draw(seed, key, cardinality(words))];
CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name text NOT NULL, r_comment text NOT NULL);
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name text NOT NULL, n_regionkey int NOT NULL REFERENCES region, n_comment text NOT NULL);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name text NOT NULL, s_address text NOT NULL, s_nationkey int NOT NULL REFERENCES nation,
  s_phone text NOT NULL, s_acctbal numeric(12, 2) NOT NULL, s_comment text NOT NULL);
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name text NOT NULL, p_mfgr text NOT NULL, p_brand text NOT NULL, p_type text NOT NULL,
  p_size int NOT NULL, p_container text NOT NULL, p_retailprice numeric(12, 2) NOT NULL);
CREATE TABLE partsupp (ps_partkey int NOT NULL REFERENCES part, ps_suppkey int NOT NULL REFERENCES supplier, ps_availqty int NOT NULL,
  ps_supplycost numeric(12, 2) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name text NOT NULL, c_address text NOT NULL, c_nationkey int NOT NULL REFERENCES nation,
  c_phone text NOT NULL, c_acctbal numeric(12, 2) NOT NULL, c_mktsegment text NOT NULL, c_comment text NOT NULL);
CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int NOT NULL REFERENCES customer, o_orderstatus text NOT NULL,
  o_totalprice numeric(12, 2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority text NOT NULL, o_shippriority int NOT NULL, o_comment text NOT NULL);
CREATE TABLE lineitem (l_orderkey int NOT NULL REFERENCES orders ON DELETE CASCADE, l_linenumber int NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL,
  l_quantity numeric(12, 2) NOT NULL, l_extendedprice numeric(12, 2) NOT NULL, l_discount numeric(12, 2) NOT NULL, l_tax numeric(12, 2) NOT NULL,
  l_returnflag text NOT NULL, l_linestatus text NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
  l_shipinstruct text NOT NULL, l_shipmode text NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber),
  FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp);

INSERT INTO region SELECT i, ('{AFRICA,AMERICA,ASIA,EUROPE,MIDDLE EAST}'::text[])[i + 1], 'region ' || i FROM generate_series(0, 4) i;
INSERT INTO nation SELECT i, ('{ALGERIA,ARGENTINA,BRAZIL,CANADA,EGYPT,ETHIOPIA,FRANCE,GERMANY,INDIA,INDONESIA,IRAN,IRAQ,JAPAN,JORDAN,KENYA,MOROCCO,'
  'MOZAMBIQUE,PERU,CHINA,ROMANIA,SAUDI ARABIA,VIETNAM,RUSSIA,UNITED KINGDOM,UNITED STATES}'::text[])[i + 1],
  ('{0,1,1,1,4,0,3,3,2,2,4,4,2,4,0,0,0,1,2,3,4,2,3,3,1}'::int[])[i + 1], 'nation ' || i FROM generate_series(0, 24) i;
INSERT INTO supplier SELECT i, 'Supplier#' || i, 'address ' || i, n, 10 + n || '-' || 100 + draw(2, i, 900) || '-' || draw(3, i, 9000), draw(4, i, 1099999) / 100.0 - 999.99,
  CASE draw(5, i, 20) WHEN 0 THEN 'Customer some Complaints' ELSE 'fine' END
  FROM generate_series(1, greatest(10, (10000 * :scale)::int)) i, LATERAL (SELECT draw(1, i, 25)) AS d (n);
INSERT INTO part SELECT i, pick(10, i, 'almond', 'forest', 'green', 'ivory', 'navy') || ' ' || pick(11, i, 'azure', 'blush', 'green', 'lime', 'salmon'),
  'Manufacturer#' || m, 'Brand#' || m || 1 + draw(13, i, 5),
  pick(14, i, 'STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO') || ' ' || pick(15, i, 'ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED')
  || ' ' || pick(16, i, 'TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'), 1 + draw(17, i, 50),
  pick(18, i, 'SM', 'LG', 'MED', 'JUMBO', 'WRAP') || ' ' || pick(19, i, 'CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'), 900 + (i / 10 % 200) + i % 1000 / 10.0
  FROM generate_series(1, greatest(40, (200000 * :scale)::int)) i, LATERAL (SELECT 1 + draw(12, i, 5)) AS d (m);
INSERT INTO partsupp SELECT p_partkey, 1 + (p_partkey + k * (s / 4 + (p_partkey - 1) / s)) % s, 1 + draw(20, p_partkey * 4 + k, 9999), 1 + draw(21, p_partkey * 4 + k, 99900) / 100.0
  FROM part, generate_series(0, 3) k, LATERAL (SELECT count(*)::int FROM supplier) AS c (s) ON CONFLICT DO NOTHING;
INSERT INTO customer SELECT i, 'Customer#' || i, 'address ' || i, n, 10 + n || '-' || 100 + draw(31, i, 900) || '-' || draw(32, i, 9000), draw(33, i, 1099999) / 100.0 - 999.99,
  pick(34, i, 'AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'), 'comment'
  FROM generate_series(1, greatest(150, (150000 * :scale)::int)) i, LATERAL (SELECT draw(30, i, 25)) AS d (n);

-- Orders and their lines; also for new ones (RF1). A third of the customers has none.
CREATE FUNCTION add_orders(first int, last int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  customers int := (SELECT count(*) FROM customer);
  pairs int[][];
BEGIN
  INSERT INTO orders SELECT i, 1 + draw(40, i, customers / 3) * 3, pick(41, i, 'O', 'F', 'F', 'O', 'P'), 1000 + draw(42, i, 40000000) / 100.0, date '1992-01-01' + draw(43, i, 2406),
    pick(44, i, '1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'), 0, CASE draw(45, i, 50) WHEN 0 THEN 'special packages requests' ELSE 'fine' END
    FROM generate_series(first, last) i;
  INSERT INTO lineitem SELECT o_orderkey, n, s.ps_partkey, s.ps_suppkey, q, q * p_retailprice, draw(52, k, 11) / 100.0, draw(53, k, 9) / 100.0,
    CASE WHEN received > date '1995-06-17' THEN 'N' ELSE pick(54, k, 'R', 'A') END, CASE WHEN shipped > date '1995-06-17' THEN 'O' ELSE 'F' END, shipped, o_orderdate + 30 + draw(56, k, 61), received,
    pick(58, k, 'DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'), pick(59, k, 'REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB', 'AIR REG')
    FROM orders CROSS JOIN LATERAL generate_series(1, 1 + draw(49, o_orderkey, 7)) n, LATERAL (SELECT o_orderkey * 8 + n) AS a (k),
    LATERAL (SELECT 1 + draw(50, k, 50), o_orderdate + 1 + draw(55, k, 121)) AS b (q, shipped), LATERAL (SELECT shipped + 1 + draw(57, k, 30)) AS c (received)
    JOIN LATERAL (SELECT * FROM partsupp JOIN part ON p_partkey = ps_partkey
      WHERE ps_partkey = 1 + draw(51, k, (SELECT count(*)::int FROM part)) ORDER BY ps_suppkey OFFSET draw(60, k, 2) LIMIT 1) AS s ON true
    WHERE o_orderkey BETWEEN first AND last;
END $$;
SELECT add_orders(1, greatest(1500, (1500000 * :scale)::int));
CREATE INDEX ON supplier (s_nationkey);
CREATE INDEX ON customer (c_nationkey);
CREATE INDEX ON partsupp (ps_suppkey);
CREATE INDEX ON orders (o_custkey);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
CREATE INDEX ON lineitem (l_suppkey);
ANALYZE;
