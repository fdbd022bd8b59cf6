"""Types that the columns of random definitions can have: how to write the number n in each."""

# Immutable where the server's own functions are only stable, so that definitions may use them. Parsed at once: no
# search path finds their types later.
FUNCTION = "CREATE FUNCTION {name} RETURNS {type} LANGUAGE sql IMMUTABLE STRICT RETURN {body};"


class Kind:
    """Columns of one type. `%02d` of literals stands for the number."""

    def __init__(self, name, type_, literals, body, after, least="min({})", most="max({})", setup="", collation=""):
        self.name, self.type, self.literals = name, type_, literals
        self.least, self.most, self.collation = least, most, collation
        self.columns = [f"{type_} {collation}"] * 5
        self.setup = setup + FUNCTION.format(name="num(int)", type=type_, body=body) \
            + FUNCTION.format(name=f"after({type_})", type=type_, body=after)

    def literal(self, rng, number):
        return rng.choice(self.literals).replace("%02d", f"{number:02d}")

    def number(self, text):
        """`text`, an int, as a value of the type."""
        return f"num({text})"

    def after(self, text):
        return f"after({text})"

    def other(self, rng, text):
        """`text` as it may stand on the right of a comparison."""
        return text

    def move(self, rng):
        """Of a primary key, the expression that it is set to."""
        return self.literal(rng, rng.randrange(20))


class Integers(Kind):
    """Integers, and with `mixed` numbers of several types that are equal to each other."""

    def __init__(self, mixed=False):
        self.name = "mixed" if mixed else "int"
        self.type, self.least, self.most = "int", "min({})", "max({})"
        self.literals = ["%02d"]
        self.columns = ["int", "bigint", "smallint", "numeric(6,0)", "bigint"] if mixed else ["int"] * 5
        self.setup = ""

    def literal(self, rng, number):
        return str(number)

    def number(self, text):
        return text

    def after(self, text):
        return f"{text} + 1"

    def move(self, rng):
        return f"pk + {rng.choice([1, 10, -10])}"


class Collated(Kind):
    """Text of which some comparisons name a collation."""

    def other(self, rng, text):
        return f'{text} COLLATE "{rng.choice(["C", "folded", "POSIX"])}"' if rng.randrange(100) < 15 else text


FOLDED = "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
FIRST = "(array_agg({0} ORDER BY {0}))[1]"
LAST = "(array_agg({0} ORDER BY {0} DESC))[1]"

INT = Integers()
KINDS = [
    Integers(mixed=True),
    Kind("uuid", "uuid", ["'000000000000000000000000000000%02d'::uuid"], "lpad($1::text, 32, '0')::uuid",
         "lpad((right($1::text, 4)::int + 1)::text, 32, '0')::uuid", FIRST, LAST),
    Kind("numeric", "numeric", ["%02d::numeric", "%02d.0", "%02d.00"], "$1::numeric", "$1 + 1"),
    Kind("timestamptz", "timestamptz", ["to_timestamp(%02d * 86400)"] * 3 + ["'epoch'::timestamptz + '%02d days'::interval"],
         "to_timestamp($1 * 86400)", "$1 + '1 day'::interval"),
    Kind("text", "text", ["'a%02d'"], "'a' || lpad($1::text, 2, '0')", "$1 || '+'", collation='COLLATE "C"'),
    Collated("folded", "text", ["'a%02d'", "'A%02d'"], "'a' || lpad($1::text, 2, '0')", "upper($1)",
             setup=FOLDED, collation="COLLATE folded"),
    Kind("composite", "pair", ["'(%02d,x)'::pair"], "ROW($1, 'x')::pair", "ROW($1.a + 1, $1.b)::pair", FIRST, LAST,
         setup="CREATE TYPE pair AS (a int, b text);"),
    Kind("array", "int[]", ["'{%02d,NULL}'::int[]", "'{%02d,NULL}'::int[]", "ARRAY[%02d, NULL]"], "ARRAY[$1, NULL]", "ARRAY[$1[1] + 1, NULL]"),
    Kind("enum", "step", ["'s%02d'::step"], "('s' || lpad($1::text, 2, '0'))::step", "$1",
         setup="CREATE TYPE step AS ENUM (%s);" % ", ".join(f"'s{i:02d}'" for i in range(40))),
]


def tables(kind, names, more=()):
    """The statements that make the tables `names`, each with a view. The last but one has partitions, one of them
    with its columns in another order; the last a child. Also the bounds of the second partition. `more`: columns
    beyond those of the type."""
    columns = ", ".join(f"{name} {type_}{more}" for name, type_, more in
                        zip(("pk", "f1", "f2", "f3", "m"), kind.columns, (" NOT NULL", "", "", "", " NOT NULL"))) + "".join(f", {one}" for one in more)
    lines = [kind.setup]
    for name in names:
        lines.append(f"CREATE TABLE {name} ({columns}, PRIMARY KEY (pk)){' PARTITION BY RANGE (pk)' if name == names[-2] else ''};")
        lines.append(f"CREATE VIEW v_{name}(c0, c1, c2) AS SELECT v.* FROM (SELECT pk, f1, m FROM {name}) v;")
    parent = names[-2]
    low, high = (kind.literals[0].replace("%02d", number) for number in ("03", "06"))
    lines.append(f"CREATE TABLE {parent}_1 PARTITION OF {parent} FOR VALUES FROM (MINVALUE) TO ({low});")
    lines.append(f"CREATE TABLE {parent}_2 PARTITION OF {parent} FOR VALUES FROM ({low}) TO ({high});")
    reordered = ", ".join(reversed(columns.split(", ")))
    lines.append(f"CREATE TABLE {parent}_3 (gone int, {reordered}); ALTER TABLE {parent}_3 DROP COLUMN gone;"
                 f"ALTER TABLE {parent} ATTACH PARTITION {parent}_3 FOR VALUES FROM ({high}) TO (MAXVALUE);")
    lines.append(f"CREATE TABLE {names[-1]}_1 (PRIMARY KEY (pk)) INHERITS ({names[-1]});")
    return "".join(lines), (low, high)
