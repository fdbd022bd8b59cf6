"""The 22 queries of TPC-H as definitions of TVIEWs, with the specification's validation parameters.

Each has a key; ORDER BY and LIMIT of the whole are left to whoever reads the TVIEW. Where the key is several columns it is their
text. Shares that a small database leaves empty (Q18, Q20) have a parameter.
"""

YEAR = "extract(year FROM {})::int"
REVENUE = "sum(l_extendedprice * (1 - l_discount))"

QUERIES = {
    1: """SELECT l_returnflag || l_linestatus AS key, sum(l_quantity) AS qty, sum(l_extendedprice) AS base, sum(l_extendedprice * (1 - l_discount)) AS disc,
       sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge, avg(l_quantity) AS avg_qty, avg(l_discount) AS avg_disc, count(*) AS orders
       FROM lineitem WHERE l_shipdate <= date '1998-09-02' GROUP BY l_returnflag, l_linestatus""",
    2: """SELECT p_partkey || '-' || s_suppkey AS key, s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone
       FROM part, supplier, partsupp, nation, region WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 15 AND p_type LIKE '%BRASS'
       AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'EUROPE' AND ps_supplycost = (SELECT min(ps_supplycost)
       FROM partsupp, supplier, nation, region WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND s_nationkey = n_nationkey
       AND n_regionkey = r_regionkey AND r_name = 'EUROPE')""",
    3: f"""SELECT l_orderkey AS key, {REVENUE} AS revenue, o_orderdate, o_shippriority FROM customer, orders, lineitem
       WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate < date '1995-03-15'
       AND l_shipdate > date '1995-03-15' GROUP BY l_orderkey, o_orderdate, o_shippriority""",
    4: """SELECT o_orderpriority AS key, count(*) AS orders FROM orders WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-10-01'
       AND EXISTS (SELECT FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority""",
    5: f"""SELECT n_name AS key, {REVENUE} AS revenue FROM customer, orders, lineitem, supplier, nation, region
       WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey
       AND n_regionkey = r_regionkey AND r_name = 'ASIA' AND o_orderdate >= date '1994-01-01' AND o_orderdate < date '1995-01-01' GROUP BY n_name""",
    6: """SELECT 1 AS key, sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= date '1994-01-01'
       AND l_shipdate < date '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24""",
    7: f"""SELECT s_nation || '-' || c_nation || '-' || year AS key, sum(volume) AS revenue FROM (SELECT n1.n_name AS s_nation, n2.n_name AS c_nation,
       {YEAR.format('l_shipdate')} AS year, l_extendedprice * (1 - l_discount) AS volume FROM supplier, lineitem, orders, customer, nation n1, nation n2
       WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey
       AND (n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY' OR n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE')
       AND l_shipdate BETWEEN date '1995-01-01' AND date '1996-12-31') shipping GROUP BY s_nation, c_nation, year""",
    8: f"""SELECT year AS key, sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) AS share FROM (SELECT
       {YEAR.format('o_orderdate')} AS year, l_extendedprice * (1 - l_discount) AS volume, n2.n_name AS nation
       FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region WHERE p_partkey = l_partkey AND s_suppkey = l_suppkey
       AND l_orderkey = o_orderkey AND o_custkey = c_custkey AND c_nationkey = n1.n_nationkey AND n1.n_regionkey = r_regionkey AND r_name = 'AMERICA'
       AND s_nationkey = n2.n_nationkey AND o_orderdate BETWEEN date '1995-01-01' AND date '1996-12-31' AND p_type LIKE 'ECONOMY%') sales GROUP BY year""",
    9: f"""SELECT nation || '-' || year AS key, sum(amount) AS profit FROM (SELECT n_name AS nation, {YEAR.format('o_orderdate')} AS year,
       l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount FROM part, supplier, lineitem, partsupp, orders, nation
       WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey AND p_partkey = l_partkey AND o_orderkey = l_orderkey
       AND s_nationkey = n_nationkey AND p_name LIKE '%green%') profit GROUP BY nation, year""",
    10: f"""SELECT c_custkey AS key, c_name, {REVENUE} AS revenue, c_acctbal, n_name, c_address, c_phone, c_comment FROM customer, orders, lineitem, nation
       WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= date '1993-10-01' AND o_orderdate < date '1994-01-01'
       AND l_returnflag = 'R' AND c_nationkey = n_nationkey GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment""",
    11: """SELECT ps_partkey AS key, sum(ps_supplycost * ps_availqty) AS value FROM partsupp, supplier, nation WHERE ps_suppkey = s_suppkey
       AND s_nationkey = n_nationkey AND n_name = 'GERMANY' GROUP BY ps_partkey HAVING sum(ps_supplycost * ps_availqty) > (
       SELECT sum(ps_supplycost * ps_availqty) * 0.001 FROM partsupp, supplier, nation WHERE ps_suppkey = s_suppkey
       AND s_nationkey = n_nationkey AND n_name = 'GERMANY')""",
    12: """SELECT l_shipmode AS key, sum(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high,
       sum(CASE WHEN o_orderpriority NOT IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS low FROM orders, lineitem WHERE o_orderkey = l_orderkey
       AND l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate AND l_receiptdate >= date '1994-01-01'
       AND l_receiptdate < date '1995-01-01' GROUP BY l_shipmode""",
    13: """SELECT orders AS key, count(*) AS customers FROM (SELECT c_custkey, count(o_orderkey) AS orders FROM customer
       LEFT JOIN orders ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%' GROUP BY c_custkey) c GROUP BY orders""",
    14: f"""SELECT 1 AS key, 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) / {REVENUE} AS promo
       FROM lineitem, part WHERE l_partkey = p_partkey AND l_shipdate >= date '1995-09-01' AND l_shipdate < date '1995-10-01'""",
    15: f"""WITH revenue AS (SELECT l_suppkey AS supplier, {REVENUE} AS total FROM lineitem WHERE l_shipdate >= date '1996-01-01'
       AND l_shipdate < date '1996-04-01' GROUP BY l_suppkey) SELECT s_suppkey AS key, s_name, s_address, s_phone, total FROM supplier, revenue
       WHERE s_suppkey = supplier AND total = (SELECT max(total) FROM revenue)""",
    16: """SELECT p_brand || '-' || p_type || '-' || p_size AS key, count(DISTINCT ps_suppkey) AS suppliers FROM partsupp, part WHERE p_partkey = ps_partkey
       AND p_brand <> 'Brand#45' AND p_type NOT LIKE 'MEDIUM POLISHED%' AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9) AND ps_suppkey NOT IN (
       SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%Customer%Complaints%') GROUP BY p_brand, p_type, p_size""",
    17: """SELECT 1 AS key, sum(l_extendedprice) / 7.0 AS yearly FROM lineitem, part WHERE p_partkey = l_partkey AND p_brand = 'Brand#23'
       AND p_container LIKE 'MED%' AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)""",
    18: """SELECT o_orderkey AS key, c_name, c_custkey, o_orderdate, o_totalprice, sum(l_quantity) AS quantity FROM customer, orders, lineitem
       WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 200) AND c_custkey = o_custkey
       AND o_orderkey = l_orderkey GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice""",
    19: f"""SELECT 1 AS key, {REVENUE} AS revenue FROM lineitem, part WHERE p_partkey = l_partkey AND l_shipmode IN ('AIR', 'AIR REG')
       AND l_shipinstruct = 'DELIVER IN PERSON' AND (p_brand = 'Brand#12' AND p_container LIKE 'SM%' AND l_quantity BETWEEN 1 AND 11 AND p_size BETWEEN 1 AND 25
       OR p_brand = 'Brand#23' AND p_container LIKE 'MED%' AND l_quantity BETWEEN 10 AND 20 AND p_size BETWEEN 1 AND 30
       OR p_brand = 'Brand#34' AND p_container LIKE 'LG%' AND l_quantity BETWEEN 20 AND 30 AND p_size BETWEEN 1 AND 35)""",
    20: """SELECT s_suppkey AS key, s_name, s_address FROM supplier, nation WHERE s_suppkey IN (SELECT ps_suppkey FROM partsupp WHERE ps_partkey IN (
       SELECT p_partkey FROM part WHERE p_name LIKE 'forest%') AND ps_availqty > (SELECT 0.5 * sum(l_quantity) FROM lineitem
       WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey AND l_shipdate >= date '1994-01-01' AND l_shipdate < date '1996-01-01'))
       AND s_nationkey = n_nationkey AND n_name IN ('CANADA', 'BRAZIL', 'INDIA', 'KENYA', 'PERU')""",
    21: """SELECT s_suppkey AS key, s_name, count(*) AS waiting FROM supplier, lineitem l1, orders, nation WHERE s_suppkey = l1.l_suppkey
       AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F' AND l1.l_receiptdate > l1.l_commitdate AND EXISTS (SELECT FROM lineitem l2
       WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey) AND NOT EXISTS (SELECT FROM lineitem l3 WHERE l3.l_orderkey = l1.l_orderkey
       AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate) AND s_nationkey = n_nationkey
       AND n_name IN ('SAUDI ARABIA', 'EGYPT', 'CHINA') GROUP BY s_suppkey, s_name""",
    22: """SELECT code AS key, count(*) AS customers, sum(c_acctbal) AS balance FROM (SELECT substring(c_phone FROM 1 FOR 2) AS code, c_acctbal
       FROM customer WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17') AND c_acctbal > (SELECT avg(c_acctbal)
       FROM customer WHERE c_acctbal > 0.00 AND substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17'))
       AND NOT EXISTS (SELECT FROM orders WHERE o_custkey = c_custkey)) c GROUP BY code""",
}
