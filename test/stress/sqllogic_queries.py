"""Queries in the shape of the SQL logic tests that SQLite publishes: expressions over few integer columns, subqueries in
WHERE and in the list, joins of many tables, groups, and compound SELECTs."""

TABLES = {f"t{i}": ["pk", "a", "b", "c", "d", "x"] for i in range(1, 6)}
NUMBERS = ["a", "b", "c", "d"]


class Queries:
    """Every choice comes from one random.Random, so a seed repeats a run."""

    def __init__(self, rng):
        self.rng = rng

    def pick(self, *some):
        return self.rng.choice(some)

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def column(self, aliases):
        return f"{self.rng.choice(aliases)}.{self.rng.choice(NUMBERS)}"

    def number(self, aliases, depth=2):
        """An integer expression."""
        kind = self.rng.randrange(12) if depth else self.rng.randrange(4)
        one = lambda: self.number(aliases, depth - 1)  # noqa: E731
        if kind < 3:
            return self.column(aliases)
        if kind == 3:
            return str(self.rng.randrange(-3, 30))
        if kind < 6:
            return f"({one()} {self.pick('+', '-', '*')} {one()})"
        if kind == 6:
            return f"abs({one()})"
        if kind == 7:
            return f"coalesce({one()}, {one()})"
        if kind == 8:
            return f"CASE WHEN {self.condition(aliases, depth - 1)} THEN {one()} ELSE {one()} END"
        if kind == 9:
            return f"CASE {self.column(aliases)} + 1 WHEN {one()} THEN {self.rng.randrange(100, 900)} WHEN {one()} THEN 222 END"
        if kind == 10:
            return f"nullif({one()}, {one()})"
        return f"({one()} / nullif({one()}, 0))"

    def condition(self, aliases, depth=2):
        kind = self.rng.randrange(13) if depth else self.rng.randrange(5)
        a, b = self.number(aliases, 0), self.number(aliases, 0)
        if kind < 2:
            return f"{a} {self.pick('<', '>', '=', '<>', '<=', '>=')} {b}"
        if kind == 2:
            return f"{a} IS {self.pick('', 'NOT ')}NULL"
        if kind == 3:
            return f"{self.column(aliases)} {self.pick('', 'NOT ')}BETWEEN {a} AND {b}"
        if kind == 4:
            listed = ", ".join(str(self.rng.randrange(12)) for _ in range(self.rng.randrange(1, 5)))
            return f"{self.column(aliases)} {self.pick('', 'NOT ')}IN ({listed})"
        if kind < 7:
            return f"({self.condition(aliases, depth - 1)} {self.pick('AND', 'OR')} {self.condition(aliases, depth - 1)})"
        if kind == 7:
            return f"NOT ({self.condition(aliases, depth - 1)})"
        inner, table = self.pick("i", "j"), self.rng.choice(list(TABLES))
        correlation = f"{inner}.{self.rng.choice(NUMBERS)} {self.pick('=', '=', '<')} {self.column(aliases)}"
        where = f" WHERE {correlation}" if self.chance(75) else f" WHERE {self.condition([inner], 0)}"
        if kind == 8:
            return f"{self.pick('', 'NOT ')}EXISTS (SELECT 1 FROM {table} AS {inner}{where})"
        if kind == 9:
            return f"{self.column(aliases)} {self.pick('', '', 'NOT ')}IN (SELECT {inner}.{self.rng.choice(NUMBERS)} FROM {table} AS {inner}{where})"
        if kind == 10:
            return f"{a} > (SELECT {self.pick('avg', 'max', 'min', 'count')}({inner}.{self.rng.choice(NUMBERS)}) FROM {table} AS {inner}{where})"
        if kind == 11:
            return f"{self.column(aliases)} {self.pick('=', '>', '<=')} {self.pick('ANY', 'ALL')} (SELECT {inner}.b FROM {table} AS {inner}{where})"
        return f"({a}, {self.column(aliases)}) {self.pick('=', '<', 'IS DISTINCT FROM')} ({b}, {self.column(aliases)})"

    def value(self, aliases):
        """What stands in the list: an expression, or a subquery that returns one value."""
        if not self.chance(20):
            return self.number(aliases)
        table = self.rng.choice(list(TABLES))
        return (f"(SELECT {self.pick('count(*)', 'max(i.x)', 'min(i.a)', 'sum(i.b)', 'avg(i.c)::float8')} FROM {table} AS i"
                f" WHERE i.{self.rng.choice(NUMBERS)} {self.pick('=', '=', '=', '<')} {self.column(aliases)})")

    def tables(self):
        """FROM and the conditions that belong to it."""
        count = self.rng.choice([1, 1, 1, 2, 2, 3, 4, 5])
        chosen = self.rng.sample(list(TABLES), count)
        aliases = [f"q{i}" for i in range(count)]
        text, where = f"{chosen[0]} AS q0", []
        for i in range(1, count):
            link = f"{aliases[i]}.{self.rng.choice(['pk', 'pk', 'a'])} = {aliases[self.rng.randrange(i)]}.{self.rng.choice(NUMBERS)}"
            kind = self.rng.randrange(6)
            if kind < 2:
                text = f"{text}, {chosen[i]} AS {aliases[i]}"
                where.append(link)
            else:
                # JOIN binds more than a comma: its condition would not see what stands before that.
                text = text.replace(", ", " CROSS JOIN ")
                text += f" {self.pick('JOIN', 'LEFT JOIN', 'LEFT JOIN', 'FULL JOIN')} {chosen[i]} AS {aliases[i]} ON {link}"
        return text, aliases, where

    def select(self, width=None, key=None):
        """(text, the key's column is the first)."""
        text, aliases, where = self.tables()
        if self.chance(75):
            where.append(self.condition(aliases))
        clause = f" WHERE {' AND '.join(where)}" if where else ""
        count = width or self.rng.randrange(1, 5)
        has_key = self.chance(60) if key is None else key
        if self.chance(25):
            group = f"{self.rng.choice(aliases)}.pk" if has_key else self.column(aliases)
            parts = [self.pick("count(*)", "count(DISTINCT {})", "sum({})", "min({})", "max({})", "avg({})::float8").format(self.number(aliases, 1))
                     for _ in range(count - 1)]
            having = f" HAVING {self.pick('count(*)', 'count(q0.a)')} > 1" if self.chance(25) else ""
            return f"SELECT {', '.join(f'{one} AS c{i}' for i, one in enumerate([group] + parts))} FROM {text}{clause} GROUP BY {group}{having}", has_key
        values = [self.value(aliases) for _ in range(count)]
        if has_key:
            values[0] = f"{self.rng.choice(aliases)}.pk"
        distinct = "DISTINCT " if self.chance(12) else ""
        return f"SELECT {distinct}{', '.join(f'{one} AS c{i}' for i, one in enumerate(values))} FROM {text}{clause}", has_key

    def query(self):
        """(text, whether its column c0 is a table's key)."""
        if self.chance(20):
            width = self.rng.randrange(1, 4)
            text, _ = self.select(width, False)
            for _ in range(self.rng.choice([1, 1, 2, 3])):
                text = f"{text} {self.pick('UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT')} {self.select(width, False)[0]}"
            return text, False
        width = self.rng.randrange(1, 5)
        text, has_key = self.select(width)
        if self.chance(10):
            order = ", ".join(str(i + 1) for i in range(width))  # all: what is beyond the LIMIT must be determined
            return f"SELECT * FROM ({text} ORDER BY {order} LIMIT {self.rng.randrange(1, 6)}) l", has_key
        return text, has_key

    def row(self, pk):
        numbers = [self.rng.randrange(12) if self.chance(85) else "NULL" for _ in NUMBERS]
        return f"({pk}, {', '.join(map(str, numbers))}, 'x{self.rng.randrange(4)}')"

    def setup(self):
        lines = []
        for table in TABLES:
            lines.append(f"CREATE TABLE {table} (pk int PRIMARY KEY, a int, b int, c int, d int, x text)")
            lines += [f"INSERT INTO {table} VALUES {self.row(pk)}" for pk in range(self.rng.randrange(4, 12))]
        return lines

    def change(self):
        table = self.rng.choice(list(TABLES))
        pk, column = self.rng.randrange(14), self.rng.choice(NUMBERS)
        return self.pick(
            f"INSERT INTO {table} VALUES {self.row(pk)} ON CONFLICT (pk) DO UPDATE SET a = excluded.a, x = excluded.x",
            f"INSERT INTO {table} VALUES {self.row(pk)} ON CONFLICT (pk) DO NOTHING",
            f"DELETE FROM {table} WHERE pk = {pk}", f"DELETE FROM {table} WHERE {column} > 8",
            f"UPDATE {table} SET {column} = {self.rng.randrange(12)} WHERE pk = {pk}",
            f"UPDATE {table} SET {column} = NULL WHERE {self.rng.choice(NUMBERS)} = {self.rng.randrange(12)}",
            f"UPDATE {table} SET {column} = coalesce({column}, 0) + 1 WHERE pk % 2 = {self.rng.randrange(2)}",
            f"UPDATE {table} SET x = x || '.' WHERE pk < {pk}",
            f"UPDATE {table} SET pk = {pk + 20} WHERE pk = {pk}")
