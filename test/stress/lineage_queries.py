"""Random TVIEW definitions over five small tables, and random changes of their rows."""

import re

from lineage_kinds import INT

TABLES = ["ta", "tb", "tc", "td", "te"]
INTS = ["pk", "f1", "f2", "f3", "m"]


class Generator:
    """Composes queries. Every choice comes from one random.Random, so a seed repeats a run."""

    def __init__(self, rng, percent_joins=35, kind=INT, parts=()):
        self.rng = rng
        self.percent_joins = percent_joins
        self.kind = kind
        self.parts = list(parts)  # partitions and children: read and written by themselves as well
        self.tviews = []          # relation, columns
        self.names = 0
        self.shapes = set()
        self.has_functions = False  # queries call functions, which have to be created before
        self.functions = []         # statements
        self.epoch = None           # a timestamptz: queries compare the clock with moments counted in 3 seconds from it

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def column(self, columns):
        return self.rng.choice(columns)

    def literal(self, number):
        return self.kind.literal(self.rng, number)

    def relation(self):
        """A table or a TVIEW with an alias: text, columns."""
        alias = self.name("x")
        if self.tviews and self.chance(35):
            self.shapes.add("TVIEW")
            tview, columns = self.rng.choice(self.tviews)
        else:
            tview, columns = self.rng.choice(TABLES + self.parts), INTS
        return f"{tview} {alias}", [f"{alias}.{c}" for c in columns]

    def condition(self, left, right):
        """A condition that links a column of `left` with one of `right`."""
        a, b = self.column(left), self.kind.other(self.rng, self.column(right))
        kind = self.rng.randrange(100)
        if kind < 54:
            return f"{a} = {b}"
        if kind < 72:
            return f"{a} = {b} AND {self.column(left)} = {self.column(right)}"
        if kind < 77:
            return f"{a} IS NOT DISTINCT FROM {b}"
        if kind < 81:
            return f"{a} < {b}"
        if kind < 85:
            return f"({a} = {b} OR {self.column(left)} = {self.column(right)})"
        if kind < 89:
            return f"coalesce({a}, {self.literal(1)}) = {b}"
        if kind < 92:
            return f"coalesce({a}, {self.column(left)}) = {b}"
        if kind < 94:
            return f"coalesce({a}, {self.column(right)}) = {b}"
        if kind < 96:
            return f"{self.kind.after(a)} = {b}"
        if kind < 98:
            return f"NOT ({a} <> {b})"
        return f"CASE WHEN {a} = {b} THEN true ELSE {self.column(left)} IS NULL END"

    def moment(self, column):
        return f"(timestamptz '{self.epoch}' + {column} * interval '3 s')"

    def deadline(self, columns, extreme="{}"):
        """A comparison with the clock that changes when the moments of a row, or of a group's extreme one, have come."""
        self.shapes.add("deadline")
        a = self.column(columns)
        b = self.rng.choice([c for c in columns if c.split(".")[0] == a.split(".")[0]])
        at = extreme.format(self.moment(a))
        kind = self.rng.randrange(10)
        if kind < 3:
            return f"{at} {self.rng.choice(['<', '<=', '=', '<>', '>=', '>'])} now()"
        if kind == 3:
            return f"now() - interval '2 s' {self.rng.choice(['<', '>='])} {at}"
        if kind == 4:
            return f"now() - {at} {self.rng.choice(['<', '<=', '>=', '>'])} interval '{self.rng.choice(['5 s', '0', '-1 day 23:59:50'])}'"
        if kind == 5:
            return f"interval '{self.rng.choice(['1 day -23:59:57', '4 s'])}' {self.rng.choice(['<', '<=', '>=', '>'])} {at} - now()"
        if kind == 6:
            return f"now() BETWEEN {at} AND {at} + interval '7 s'"
        if kind == 7:
            return f"CASE WHEN {at} <= now() THEN {a} IS NULL ELSE true END" if extreme == "{}" else f"NOT {at} <= now()"
        if extreme != "{}":
            return f"{at}::timestamp < LOCALTIMESTAMP"
        bounds = f"least({self.moment(a)}, {self.moment(b)}), greatest({self.moment(a)}, {self.moment(b)})"
        return f"tstzrange({bounds}, '{self.rng.choice(['[)', '[]', '()', '(]'])}') @> now()"

    def filter(self, columns):
        if self.epoch is not None and self.chance(35):
            return self.deadline(columns)
        a = self.column(columns)
        return self.rng.choice([
            f"{a} > {self.literal(self.rng.randrange(3))}", f"{a} IS NOT NULL", f"{a} IS NULL",
            f"{a} <> {self.column(columns)}", f"coalesce({a}, {self.literal(2)}) < {self.literal(3)}",
            f"{a} = {self.literal(self.rng.randrange(4))}"])

    def sublink_condition(self, columns, depth):
        """A condition with a subquery, correlated with `columns` or not."""
        test = self.column(columns)
        kind = self.rng.randrange(6)
        inner = self.select(depth - 1, columns, single=True, correlate=kind < 2 or self.chance(60))
        if kind == 0:
            return f"EXISTS ({inner})"
        if kind == 1:
            return f"NOT EXISTS ({inner})"
        if kind in (2, 3):
            return f"{test} IN ({inner})"
        if kind == 4:
            return f"{test} NOT IN ({inner})"
        aggregate = self.select(depth - 1, columns, single=True, correlate=self.chance(85), aggregate=True)
        return f"{test} {self.rng.choice(['=', '<'])} ({aggregate})"

    def function(self, columns, body, result, rows=False):
        """A call of a new STABLE function in SQL whose $1 and $2 are two of `columns`."""
        name, type_ = self.name("f"), self.kind.type
        self.shapes.add("function of rows" if rows else "scalar function")
        head = f"CREATE FUNCTION {name}(a {type_}, b {type_}) RETURNS {result} LANGUAGE sql STABLE"
        if not rows and self.chance(50):
            text = f"{head} BEGIN ATOMIC {body.replace('$1', name + '.a').replace('$2', name + '.b')}; END"
        else:
            strict = " STRICT" if self.chance(25) else ""
            text = f"{head}{strict} SET search_path FROM CURRENT AS $body$ {body} $body$"
        self.functions.append(text)
        return f"{name}({self.column(columns)}, {self.column(columns)})"

    def sublink_value(self, columns, depth):
        if self.has_functions and self.chance(30):
            inner = self.select(depth - 1, ["$1", "$2"], single=True, correlate=True, aggregate=True)
            return self.function(columns, inner, self.kind.type)
        if self.chance(15):
            text, name = self.recursive(columns)
            return f"({text} SELECT count(*)::int FROM {name})"
        kind = self.rng.randrange(5)
        if kind == 0:
            return f"ARRAY({self.select(depth - 1, columns, single=True, correlate=True)} ORDER BY 1)"
        if kind == 1:
            return f"{self.column(columns)} IN ({self.select(depth - 1, columns, single=True, correlate=self.chance(50))})"
        if kind == 2:
            return f"EXISTS ({self.select(depth - 1, columns, single=True, correlate=True)})"
        return f"({self.select(depth - 1, columns, single=True, correlate=True, aggregate=True)})"

    def derived(self, depth, outer):
        """A subquery for FROM: text and number of columns."""
        self.shapes.add("derived")
        count = self.rng.randrange(2, 4)
        return self.select(depth - 1, outer, width=count), count

    def recursive(self, outer):
        """A recursive query with two columns, started by `outer` if given."""
        self.shapes.add("recursive")
        name, a, b = self.name("t"), self.name("x"), self.name("x")
        first = [f"{a}.{c}" for c in INTS]
        more = [f"{b}.{c}" for c in INTS]
        table = self.rng.choice(TABLES)
        start = self.condition(first, outer) if outer else self.filter(first)
        link = self.rng.choice(["f1", "f1", "m"])
        columns = [[f"{x}.pk", f"{x}.{link}"] for x in (a, b)]
        if self.chance(25):
            columns = [pair[::-1] for pair in columns]
        if self.chance(20):
            columns[1][1] = f"{name}.c1"
        step = f"{b}.{link} = {name}.c0" if self.chance(60) else f"{b}.pk = {name}.c1"
        extra = ""
        if self.chance(25):
            other = self.name("x")
            extra = f" {self.rng.choice(['JOIN', 'LEFT JOIN'])} {self.rng.choice(TABLES)} {other} ON " + \
                self.condition(more, [f"{other}.{c}" for c in INTS])
        second = table if self.chance(80) else self.rng.choice(TABLES)
        body = (f"SELECT {', '.join(columns[0])} FROM {table} {a} WHERE {start} UNION "
                f"SELECT {', '.join(columns[1])} FROM {name} JOIN {second} {b} ON {step}{extra}")
        return f"WITH RECURSIVE {name}(c0, c1) AS ({body})", name

    def item(self, depth, before, ctes):
        """One item of FROM: text, columns."""
        alias = self.name("x")
        kind = self.rng.randrange(100)
        if ctes and kind < 30:
            cte, count = self.rng.choice(ctes)
            return f"{cte} {alias}", [f"{alias}.c{i}" for i in range(count)]
        if depth > 0 and kind < 45:
            text, count = self.derived(depth, None)
            names = ", ".join(f"c{i}" for i in range(count))
            return f"({text}) {alias}({names})", [f"{alias}.c{i}" for i in range(count)]
        if depth > 0 and before and kind < 52:
            self.shapes.add("lateral")
            text, count = self.derived(depth, before)
            names = ", ".join(f"c{i}" for i in range(count))
            return f"LATERAL ({text}) {alias}({names})", [f"{alias}.c{i}" for i in range(count)]
        if kind >= 97:
            lateral = bool(before) and self.chance(50)
            text, name = self.recursive(before if lateral else None)
            return (f"{'LATERAL ' if lateral else ''}({text} SELECT c0, c1 FROM {name}) {alias}",
                    [f"{alias}.c0", f"{alias}.c1"])
        if self.has_functions and depth > 0 and 66 <= kind < 72:
            outer = before or [self.literal(1), self.literal(2)]
            body = self.select(depth - 1, ["$1", "$2"], width=2, correlate=True)
            call = self.function(outer, body, f"TABLE (c0 {self.kind.type}, c1 {self.kind.type})", rows=True)
            return f"{'LATERAL ' if before else ''}{call} {alias}", [f"{alias}.c0", f"{alias}.c1"]
        if before and kind < 54 and self.kind.name != "array":
            self.shapes.add("function")
            return (f"LATERAL unnest(ARRAY[{self.column(before)}, {self.column(before)}]) {alias}(c0)",
                    [f"{alias}.c0"])
        if kind < 57:
            rows = ", ".join(f"({self.literal(a)}, {self.literal(b)})" for a, b in ((0, 1), (1, 2), (2, 2)))
            return f"(VALUES {rows}) {alias}(c0, c1)", [f"{alias}.c0", f"{alias}.c1"]
        if kind < 62:
            self.shapes.add("view")
            return f"v_{self.rng.choice(TABLES)} {alias}", [f"{alias}.c{i}" for i in range(3)]
        if kind < 66:
            text, columns = self.using(f"{alias}_")
            listed = ", ".join(columns[:3])
            return f"(SELECT {listed} FROM {text}) {alias}(c0, c1, c2)", [f"{alias}.c{i}" for i in range(3)]
        return self.relation()

    def using(self, prefix):
        """Tables joined by USING or NATURAL: text, columns, of which the first is the merged one."""
        merged, columns = self.rng.choice(["pk", "pk", "f1", "m"]), []
        sides = [f"{prefix}{i}" for i in range(self.rng.choice([2, 2, 3]))]
        text = f"{self.rng.choice(TABLES)} {sides[0]}"
        for side in sides[1:]:
            kind = self.rng.choice(["FULL JOIN", "FULL JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN"])
            self.shapes.add(f"{kind.lower()} using")
            text += f" {kind} {self.rng.choice(TABLES)} {side} USING ({merged})"
        columns += [f"{self.rng.choice(sides)}.{c}" for c in INTS if c != merged]
        self.rng.shuffle(columns)
        if len(sides) == 2 and self.chance(15):
            self.shapes.add("natural join")
            text = f"{self.rng.choice(TABLES)} {sides[0]} NATURAL {self.rng.choice(['FULL', 'LEFT', 'INNER'])} JOIN " \
                f"(SELECT {merged}, f2 AS g FROM {self.rng.choice(TABLES)}) {sides[1]}"
            columns = ["g"] + [f"{sides[0]}.{c}" for c in INTS if c != merged]
        return text, [merged] + columns

    def from_clause(self, depth, outer, ctes):
        text, columns = self.item(depth, [], ctes)
        where = []
        for _ in range(self.rng.choice([0, 0, 1, 1, 1, 2, 2, 3])):
            bracket = depth > 0 and self.chance(15)
            if bracket:
                right, more = self.from_join(depth)
            else:
                right, more = self.item(depth, columns, ctes)
            kind = self.rng.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "LEFT JOIN",
                                    "RIGHT JOIN", "FULL JOIN", ",", ","])
            if right.startswith("LATERAL") and kind in ("RIGHT JOIN", "FULL JOIN"):
                kind = "LEFT JOIN"
            if kind == ",":
                text = f"{text} CROSS JOIN {right}"
                if self.chance(60):
                    where.append(self.condition(columns, more))
            else:
                self.shapes.add(kind.lower())
                on = self.condition(columns, more)
                if kind != "FULL JOIN":
                    if self.chance(15):
                        on += " AND " + self.filter(columns + more)
                    if depth > 0 and self.chance(6):
                        self.shapes.add("sublink in ON")
                        on += " AND " + self.sublink_condition(columns + more, depth)
                    if outer and self.chance(10):
                        on += " AND " + self.condition(more, outer)
                else:
                    on = f"{self.column(columns)} = {self.column(more)}"
                text = f"{text} {kind} {right} ON {on}"
            columns = columns + more
        return text, columns, where

    def from_join(self, depth):
        left, a = self.item(depth - 1, [], [])
        right, b = self.item(depth - 1, [], [])
        kind = self.rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
        return f"({left} {kind} {right} ON {self.condition(a, b)})", a + b

    def select(self, depth, outer=None, width=2, single=False, correlate=None, aggregate=False):
        """A subquery with `width` int columns (one if `single`), possibly correlated with `outer`."""
        if single:
            width = 1
        if correlate is None:
            correlate = outer is not None
        if depth > 0 and not aggregate and self.chance(12):
            self.shapes.add("set operation")
            op = self.rng.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "UNION ALL"])
            args = dict(width=width, single=single, correlate=correlate, aggregate=False)
            left = self.select(depth - 1, outer, **args)
            right = self.select(depth - 1, outer, **args)
            return f"SELECT * FROM (({left}) {op} ({right})) {self.name('s')}"
        text, columns, where = self.from_clause(max(depth - 1, 0), outer if correlate else None, [])
        if correlate and outer:
            for _ in range(self.rng.choice([1, 1, 1, 2])):
                where.append(self.condition(columns, outer))
        if self.chance(35):
            where.append(self.filter(columns))
        if depth > 0 and self.chance(12):
            self.shapes.add("nested sublink")
            where.append(self.sublink_condition(columns, depth))
        clause = f" WHERE {' AND '.join(where)}" if where else ""
        if aggregate:
            function = self.rng.choice([self.kind.number("count(*)::int"), self.kind.most, self.kind.least,
                                        self.kind.number("sum(length({}::text))::int")])
            return f"SELECT {function.format(self.column(columns))} FROM {text}{clause}"
        chosen = [self.column(columns) for _ in range(width)]
        if outer and self.chance(8):
            chosen[-1] = self.column(outer)
        kind = self.rng.randrange(100)
        if kind < 8 or kind < 20 and not single:
            self.shapes.add("grouped")
            keys = chosen[:self.rng.randrange(1, width)] if width > 1 else chosen
            rest = [self.rng.choice([self.kind.number("count(*)::int"), self.kind.most.format(self.column(columns)),
                                     self.kind.number(f"sum(length({self.column(columns)}::text))::int")])
                    for _ in range(width - len(keys))]
            having = " HAVING count(*) > 1" if self.chance(20) else ""
            if self.epoch is not None and self.chance(25):
                having = f" HAVING {self.deadline(columns, self.rng.choice(['min({})', 'max({})']))}"
            return f"SELECT {', '.join(keys + rest)} FROM {text}{clause} GROUP BY {', '.join(keys)}{having}"
        listed = ", ".join(chosen)
        order = ", ".join(str(i + 1) for i in range(width))
        if kind < 28:
            self.shapes.add("distinct")
            return f"SELECT DISTINCT {listed} FROM {text}{clause}"
        if kind < 34 and not single:
            self.shapes.add("distinct on")
            return f"SELECT * FROM (SELECT DISTINCT ON ({chosen[0]}) {listed} FROM {text}{clause} ORDER BY {listed}) {self.name('d')}"
        if kind < 42 and not single:
            self.shapes.add("window")
            chosen[-1] = self.kind.number(
                f"({self.rng.choice(['count(*)', f'count({self.column(columns)})', 'rank()'])} "
                f"OVER (PARTITION BY {self.column(columns)}"
                f"{', ' + self.column(columns) if self.chance(20) else ''} ORDER BY {self.column(columns)}))::int")
            return f"SELECT {', '.join(chosen)} FROM {text}{clause}"
        if kind < 48:
            self.shapes.add("limit")
            return f"SELECT * FROM (SELECT {listed} FROM {text}{clause} ORDER BY {order} LIMIT 2) {self.name('l')}"
        if kind < 51 and not single:
            chosen[-1] = f"coalesce({chosen[-1]}, {self.literal(1)})"
        return f"SELECT {', '.join(chosen)} FROM {text}{clause}"

    def with_clause(self, depth):
        ctes, texts = [], []
        for _ in range(self.rng.choice([0, 0, 0, 1, 2])):
            self.shapes.add("cte")
            name, count = self.name("w"), self.rng.randrange(2, 4)
            columns = ", ".join(f"c{i}" for i in range(count))
            hint = self.rng.choice(["", "MATERIALIZED ", "NOT MATERIALIZED "])
            texts.append(f"{name}({columns}) AS {hint}({self.select(depth, width=count)})")
            ctes.append((name, count))
        return (f"WITH {', '.join(texts)} " if texts else ""), ctes

    def link(self, new, earlier):
        """Conditions between the columns of one table and those of some tables before it."""
        some = self.rng.sample(earlier, min(len(earlier), self.rng.choice([1, 1, 2])))
        return " AND ".join(self.condition(*((new, columns) if self.chance(50) else (columns, new)))
                            for columns in some)

    def joins(self):
        """Tables only, joined in every way, by conditions that link more than neighbours."""
        self.shapes.add("tables only")
        tables, text, where = [], "", []
        for _ in range(self.rng.choice([2, 3, 3, 3, 4])):
            item, columns = self.relation()
            kind = self.rng.choice(["JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "CROSS JOIN",
                                    "FULL JOIN"])
            if not tables:
                text = item
            elif kind == "CROSS JOIN":
                text += f" CROSS JOIN {item}"
            elif kind == "FULL JOIN":
                text = f"({text} FULL JOIN {item} ON {self.column(columns)} = {self.column(tables[-1])})"
            else:
                text = f"({text} {kind} {item} ON {self.link(columns, tables)})"
            tables.append(columns)
        if self.chance(40):
            where.append(self.condition(*self.rng.sample(tables, 2)))
        if self.chance(20):
            where.append(self.filter(self.rng.choice(tables)))
        clause = f" WHERE {' AND '.join(where)}" if where else ""
        shown = ", ".join(self.column(columns) for columns in tables)
        key = self.column(self.rng.choice(tables))
        if self.chance(10):
            key = f"coalesce({key}, {self.column(self.rng.choice(tables))})"
        elif self.chance(10):
            key = f"coalesce({key}, {self.literal(self.rng.randrange(4))})"
        else:
            key = self.key_expression(key)
        if self.chance(25):
            item, columns = self.relation()
            shown += f", (SELECT count(*) FROM {item} WHERE {self.condition(columns, self.rng.choice(tables))})"
        elif self.chance(25):
            return f"SELECT {key} AS key, array_agg(({shown})::text ORDER BY ({shown})::text) FROM {text}{clause} GROUP BY {key}"
        return f"SELECT {key} AS key, {shown} FROM {text}{clause}"

    def query(self):
        """A whole definition: text, shapes."""
        self.shapes = set()
        if self.chance(self.percent_joins):
            return self.joins(), self.shapes
        kind = self.rng.randrange(100)
        if kind < 14:
            self.shapes.add("top set operation")
            text = self.top(self.rng.choice([1, 2]))
            for _ in range(self.rng.choice([1, 1, 2])):
                op = self.rng.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
                text = f"{text} {op} {self.top(self.rng.choice([1, 2]))}"
            return text, self.shapes
        if kind < 24:
            return self.top_using(), self.shapes
        if kind < 32:
            return self.top_recursive(), self.shapes
        return self.top(self.rng.choice([1, 2, 2])), self.shapes

    def key_expression(self, key):
        """Mostly `key`; or something computed of it."""
        if self.chance(85) or "top set operation" in self.shapes:
            return key
        self.shapes.add("expression key")
        return self.rng.choice([f"{key}::text", f"'k' || {key}", f"ARRAY[{key}]", f"({key}, 1)::text",
                                f"md5({key}::text)::uuid", self.kind.after(key)])

    def top_using(self):
        text, columns = self.using("x")
        clause = f" WHERE {self.filter(columns)}" if self.chance(30) else ""
        key, listed = self.key_expression(columns[0]), ", ".join(columns[1:4])
        if self.chance(25):
            return f"SELECT {key} AS key, count(*), array_agg(({listed})::text ORDER BY ({listed})::text) FROM {text}{clause} GROUP BY {key}"
        return f"SELECT {key} AS key, {listed} FROM {text}{clause}"

    def top_recursive(self):
        """A tree: each node with its neighbours, or with what a table says of it."""
        prefix, name = self.recursive(None)
        columns = [f"{name}.c0", f"{name}.c1"]
        text = name
        if self.chance(50):
            item, more = self.relation()
            text += f" {self.rng.choice(['JOIN', 'LEFT JOIN'])} {item} ON {self.condition(more, columns)}"
            columns += more
        key, value = self.key_expression(f"{name}.c{self.rng.choice('001')}"), self.column(columns)
        if self.chance(30):
            return f"{prefix} SELECT DISTINCT {key} AS key FROM {text}"
        return f"{prefix} SELECT {key} AS key, count(*), array_agg({value} ORDER BY {value}) FROM {text} GROUP BY {key}"

    def top(self, depth):
        prefix, ctes = self.with_clause(depth - 1)
        if prefix and "top set operation" in self.shapes:
            prefix, ctes = "", []
        text, columns, where = self.from_clause(depth, None, ctes)
        if self.chance(35):
            where.append(self.filter(columns))
        if self.chance(35):
            self.shapes.add("sublink in WHERE")
            where.append(self.sublink_condition(columns, depth))
        clause = f" WHERE {' AND '.join(where)}" if where else ""
        key = self.column(columns)
        if self.chance(6):
            key = f"coalesce({key}, {self.column(columns)})"
        else:
            key = self.key_expression(key)
        set_operation = "top set operation" in self.shapes
        kind = self.rng.randrange(100)
        if kind < 22:
            self.shapes.add("top group by")
            values = [f"array_agg({self.column(columns)} ORDER BY {self.column(columns)}, {self.column(columns)})"
                      .replace("ORDER BY", "ORDER BY 1,", 0) for _ in range(1)]
            value = self.column(columns)
            values = [f"array_agg({value} ORDER BY {value})", "count(*)"]
            if self.epoch is not None and self.chance(50):
                values[1] = f"count(*) FILTER (WHERE {self.deadline(columns)})"
            return f"{prefix}SELECT {key} AS key, {', '.join(values)} FROM {text}{clause} GROUP BY {key}"
        values = [self.column(columns), f"({', '.join(self.column(columns) for _ in range(3))}, 0)::text"]
        if self.chance(45) and not set_operation:
            self.shapes.add("sublink value")
            values[1] = self.sublink_value(columns, depth)
        listed = ", ".join([f"{key} AS key"] + values)
        if kind < 30:
            self.shapes.add("top distinct")
            return f"{prefix}SELECT DISTINCT {listed} FROM {text}{clause}"
        if kind < 36 and not set_operation:
            self.shapes.add("top distinct on")
            order = ", ".join(str(i + 1) for i in range(1, 3))
            return (f"{prefix}SELECT DISTINCT ON ({values[0]}) {listed} FROM {text}{clause} "
                    f"ORDER BY {values[0]}, {key}, 3")
        if kind < 48:
            self.shapes.add("top window")
            values[0] = (f"({self.rng.choice(['count(*)', f'count({self.column(columns)})', 'rank()'])} OVER (PARTITION BY "
                         f"{self.column(columns)} ORDER BY {self.column(columns)}))::int")
            listed = ", ".join([f"{key} AS key"] + values)
        return f"{prefix}SELECT {listed} FROM {text}{clause}"

    def value(self):
        number = self.rng.choice([None, 1, 1, 2, 2, 3])
        return "NULL" if number is None else self.literal(number)

    def change(self, tables):
        table = self.rng.choice(tables)
        column = self.rng.choice(INTS)
        kind = self.rng.randrange(100)
        pk = self.literal(self.rng.randrange(8))
        if kind < 25:
            return (f"INSERT INTO {table} VALUES ({pk}, {self.value()}, {self.value()}, "
                    f"{self.value()}, {self.literal(self.rng.randrange(5))})")
        if kind < 45:
            return f"DELETE FROM {table} WHERE {column} = {self.literal(self.rng.randrange(4))}"
        if kind < 52:
            return f"UPDATE {table} SET pk = {self.kind.move(self.rng)} WHERE pk = {pk}"
        if kind < 57:
            other = self.literal(self.rng.randrange(6))
            return (f"UPDATE {table} SET f1 = CASE pk WHEN {pk} THEN {self.value()} ELSE f1 END "
                    f"WHERE pk IN ({pk}, {other})")
        if kind < 62:
            return f"UPDATE {table} SET f1 = f2, f2 = f1 WHERE pk = {pk}"
        value = self.value() if column not in ("pk", "m") else self.literal(self.rng.randrange(6))
        return f"UPDATE {table} SET {column} = {value} WHERE {self.rng.choice(INTS)} = {pk}"

    def batch(self, query):
        """Changes, mostly of tables that `query` reads."""
        read = [t for t in TABLES if re.search(rf"\b(v_)?{t}\b", query)] or TABLES
        read = read + [part for part in self.parts if re.search(rf"\b{part}\b", query) or part[:2] in read]
        changes = [self.change(read) for _ in range(self.rng.choice([1, 2, 2, 3, 4, 6]))]
        if self.chance(20):
            value = self.literal(self.rng.randrange(5))
            for table in self.rng.sample(TABLES, 3):
                changes.append(f"DELETE FROM {table} WHERE {self.rng.choice(INTS)} = {value}")
        return changes

    def refill(self):
        lines = []
        for table in TABLES:
            lines.append(f"DELETE FROM {table};")
            for pk in range(self.rng.randrange(4, 10)):
                lines.append(self.row(table, pk))
        for part in self.parts:
            if part.startswith(TABLES[-1]):
                lines += [self.row(part, pk) for pk in range(20, 20 + self.rng.randrange(4))]
        return "\n".join(lines)

    def row(self, table, pk):
        return (f"INSERT INTO {table} VALUES ({self.literal(pk)}, {self.value()}, {self.value()}, "
                f"{self.value()}, {self.literal(self.rng.randrange(4))});")
