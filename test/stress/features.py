"""What definitions are made of: axes, the values of each, and how a definition with one value of each is written.

A row of the covering array (`covering.py`) is one definition. Every choice that the row leaves open comes from a
random.Random of its own, so the same row with the same seed is the same text, and a variant (`VARIANTS`) differs from
it in nothing else.
"""
import random

from feature_parts import AGGREGATES, BELOW, COLUMNS, FILTERS, FUNCTIONS, JOINS, LATERALS, LINKS, NAMES, NESTINGS, RELATIONS, SETTINGS, \
    SUBLINK_VALUES, SUBLINKS, THIRD, WHOLE_ROWS, WINDOWS, nested
from lineage_kinds import INT, KINDS

AXES = {
    "join": JOINS,
    "link": list(LINKS),
    "key": ["own", "expression", "other", "the third's", "both", "constant", "merged"],
    "aggregate": list(AGGREGATES),
    "filter": list(FILTERS),
    "distinct": ["none", "all", "on the key", "on another", "in a subquery", "on, in a subquery"],
    "window": list(WINDOWS),
    "set operation": ["none", "union all", "union", "intersect", "except", "union all below", "a constant branch"],
    "lateral": list(LATERALS),
    "sublink": list(SUBLINKS) + list(SUBLINK_VALUES),
    "nesting": NESTINGS,
    "relation": list(RELATIONS),
    "type": [kind.name for kind in [INT] + KINDS],
    "whole row": list(WHOLE_ROWS),
    "function": list(FUNCTIONS),
    "settings": list(SETTINGS),
    "names": list(NAMES),
}
MANY = [link for link, (_, is_many) in LINKS.items() if is_many]
SAME_KEYS = ["conditions twice", "conditions turned round"]
VARIANTS = SAME_KEYS + ["a CTE for a table", "a view for a table"]

NO_TYPE = "the rows of a subquery have no type that a table's column could have"
NO_JOIN = "one relation has no other one that it could be joined with or keyed by"
NO_THIRD = "there is no third relation"
IMPOSSIBLE = {
    **{("key", "the third's", "join", join): NO_THIRD for join in JOINS if join not in THIRD},
    **{("join", "none", "link", link): NO_JOIN for link in AXES["link"] if link != "foreign key"},
    **{("join", join, "link", link): "this join says itself what it compares"
       for join in ("cross", "cross, left", "using", "natural", "full using") for link in AXES["link"] if link != "foreign key"},
    **{("join", "none", "key", key): NO_JOIN for key in ("other", "both", "merged")},
    **{("join", "none", "whole row", row): NO_JOIN for row in ("of the other", "of the other, is NULL")},
    **{("whole row", "a column", "nesting", nesting): NO_TYPE
       for nesting in ("derived", "CTE", "materialized CTE", "recursive CTE")},
    ("whole row", "a column", "set operation", "union all below"): NO_TYPE,
    ("type", "array", "lateral", "unnest"): "unnest of an array of arrays has other elements",
}


# What leads to a TVIEW that is compared as a whole, whatever else is in it: pairs without these come first, by themselves,
# lest they hide what lineage does.
WHOLE = {"window": ["a rank of all", "rows of a frame", "two"], "key": ["both", "merged", "constant"], "nesting": ["recursive CTE"]}
BY_KEY = {axis: [value for value in values if value not in WHOLE.get(axis, [])] for axis, values in AXES.items()}


def is_grouped(row):
    return bool(AGGREGATES[row["aggregate"]])


def is_valid(row):
    """Of a row that may lack values yet: false if its key could be there twice, whatever is added."""
    if any(axis not in row for axis in ("join", "link", "key", "aggregate", "distinct")):
        return True
    if is_grouped(row) or row["distinct"] == "on the key" or row["key"] in ("both", "constant") or row["join"] == "none":
        return True
    if row["key"] == "merged":
        return row["join"] in ("using", "full using")
    if row["join"] in ("full", "full using", "cross, left") or row["key"] == "the third's":
        return False
    if row["join"] in ("anti", "cross"):
        return True
    return row["link"] not in MANY


def is_open(row):
    """Whether rows can differ that are both right: values that are equal and not the same, of which one is chosen. All else
    that definitions here choose from is sorted by everything that is shown."""
    return row["type"] in ("numeric", "folded") and (
        is_grouped(row) or row["distinct"] != "none" or row["window"] != "none" or row["set operation"] != "none"
        or row["aggregate"] != "none" or row["nesting"] == "recursive CTE" or row["lateral"] in ("a union", "the first row"))


class Definition:
    """The text of a row. `setup` has the statements that it needs, beyond the tables."""

    def __init__(self, row, seed, kind, variant=None):
        self.row, self.rng, self.kind, self.variant = row, random.Random(f"{seed}"), kind, variant
        self.setup, self.ctes = [], []
        self.where = []
        self.query = self.compose()

    def literal(self, number):
        return self.kind.literals[0].replace("%02d", f"{number:02d}")

    def relation(self, name, nesting):
        """The text of `name` in FROM, without an alias."""
        if nesting == "table" and self.variant == "a CTE for a table":
            cte = f"plain_{name} AS (SELECT * FROM {name})"
            self.ctes += [cte] if cte not in self.ctes else []
            return f"plain_{name}"
        if nesting == "table" and self.variant == "a view for a table":
            nesting = "view"
        text, setup, cte = nested(name, nesting, self.kind)
        self.setup += [one for one in setup if one not in self.setup]
        if cte and cte not in self.ctes:
            self.ctes.append(cte)
        return text

    def from_clause(self):
        """Also fills `self.where`. Columns of r are there in every row but for FULL JOIN."""
        row = self.row
        root = RELATIONS[row["relation"]]
        other = root if row["join"] == "self" else self.rng.choice(["ta", "tb", "tc", "td", "te"])
        nests = row["nesting"], "table"
        if row["join"] != "none" and self.rng.random() < 0.4:
            nests = self.rng.choice([nests[::-1], (row["nesting"], row["nesting"])])
        if row["set operation"] == "union all below":
            least = self.literal(2)
            r = (f"(SELECT * FROM {self.relation(root, nests[0])} a WHERE a.m < {least} UNION ALL "
                 f"SELECT * FROM {self.relation(root, nests[0])} b WHERE NOT b.m < {least})")
        else:
            r = self.relation(root, nests[0])
        r += " r"
        if row["join"] == "none":
            return r
        s = self.relation(other, nests[1]) + " s"
        on = LINKS[row["link"]][0].format(one=self.literal(1), after=self.kind.after("r.f1"))
        if row["key"] == "other" and row["join"] != "full":
            # The other side is the one with many rows: it has the key.
            on = on.replace("r.", "%.").replace("s.", "r.").replace("%.", "s.")
        if row["sublink"] == "in ON":
            on += f" AND EXISTS (SELECT FROM tc q WHERE q.f1 = {'s' if row['key'] == 'other' else 'r'}.pk)"
        preserved, extra = ("s", "r") if row["key"] == "other" else ("r", "s")
        third = self.rng.choice(["ta", "tb", "tc", "td", "te"])
        sides = {"r": r, "s": s}
        p, e = sides[preserved], sides[extra]
        join = row["join"]
        if join in ("inner", "self"):
            return f"{p} JOIN {e} ON {on}"
        if join == "left":
            return f"{p} LEFT JOIN {e} ON {on}"
        if join == "right":
            return f"{e} RIGHT JOIN {p} ON {on}"
        if join == "full":
            return f"{r} FULL JOIN {s} ON {self.full_condition()}"
        if join == "cross":
            self.where.append(f"{extra}.pk = {self.literal(1)}")
            return f"{p} CROSS JOIN {e}"
        if join == "comma":
            self.where.append(on)
            return f"{e}, {p}"  # what is joined next sees the last only
        if join == "using":
            return f"{p} JOIN {e} USING (pk)"
        if join == "full using":
            return f"{p} FULL JOIN {e} USING (pk)"
        if join == "natural":
            others = ", ".join(name if name in ("pk", "f2") else f"other_{name}" for name in COLUMNS)
            return f"{p} NATURAL LEFT JOIN {e}({others})"
        if join == "anti":
            self.where.append(f"{extra}.pk IS NULL")
            return f"{p} LEFT JOIN {e} ON {on}"
        if join in THIRD:
            if row["key"] == "the third's" and join in ("left, left", "cross, left"):
                self.where.append("b.pk IS NOT NULL")
            text = f"{p} CROSS JOIN {e}" if join == "cross, left" else f"{p} LEFT JOIN {e} ON {on}"
            return f"{text} {THIRD[join][0].format(b=third, x=preserved, y=extra, one=self.literal(1))}"
        assert join == "in brackets", join
        return f"{p} LEFT JOIN ({e} JOIN tb b ON b.pk = {extra}.m) ON {on}"

    def full_condition(self):
        """What FULL JOIN can do: compare by operators that can be merged or hashed."""
        return {"not null": "r.m = s.pk", "two columns": "r.f1 = s.pk AND r.m = s.m", "both nullable": "r.f1 = s.f2",
                "by a default": f"coalesce(r.f1, {self.literal(1)}) = s.pk",
                "of an expression": f"{self.kind.after('r.f1')} = s.pk"}.get(self.row["link"], "r.pk = s.pk")

    def key_of(self):
        """The key's plain expression, and the key."""
        row = self.row
        has = self.sides()[0]
        plain = f"{has}.pk"
        if row["key"] == "merged":
            plain = "pk" if row["join"] in ("using", "full using") else "coalesce(r.pk, s.pk)"
        elif row["key"] in ("own", "expression", "other") and row["join"] in ("full", "full using"):
            plain = "coalesce(r.pk, s.pk)"
        if row["key"] == "expression":
            return plain, self.rng.choice([f"({plain})::text", f"'k' || ({plain})::text", f"md5(({plain})::text)::uuid",
                                           f"ARRAY[({plain})::text]", f"lpad(({plain})::text, 44, '-')"])
        if row["key"] == "both":
            return plain, "coalesce(r.pk::text, '-') || '/' || coalesce(s.pk::text, '-')"
        return plain, plain

    def sides(self):
        """The aliases of what has the key, and of another."""
        return {"other": ("s", "r"), "the third's": ("b", "r")}.get(self.row["key"], ("r", "s"))

    def written(self, text):
        """A part with its numbers and sides."""
        has, other = self.sides()
        return text.format(one=self.literal(1), two=self.literal(2), three=self.literal(3), x=has, y=other)

    def compose(self):
        row = self.row
        text = self.from_clause()
        plain, key = self.key_of()
        function, in_condition = FUNCTIONS[row["function"]]
        for condition in (FILTERS[row["filter"]], SUBLINKS.get(row["sublink"]),
                          in_condition if self.rng.random() < 0.5 else ""):
            if condition:
                self.where.append(self.written(condition))
        values = ["{x}.f1", "{x}.note"] + (["{y}.f2"] if row["join"] != "none" else [])
        values += ["b.note"] if row["join"] in THIRD else []
        values += [one for one in (WHOLE_ROWS[row["whole row"]], SUBLINK_VALUES.get(row["sublink"]), SETTINGS[row["settings"]],
                                   "l.v" if row["lateral"] != "none" else "", "" if function == "set" else function) if one]
        for axis in ("aggregate", "distinct", "window"):
            joined, shown = BELOW.get((axis, row[axis]), ("", ""))
            text += self.written(joined)
            values += [shown] if shown else []
        text += self.written(LATERALS[row["lateral"]])
        if is_grouped(row):
            # The first belongs to the key's row, and so may stand beside it in GROUP BY.
            values = values[:self.has_grouped_value()] + [
                f'min(({value})::text COLLATE "C")' for value in values[self.has_grouped_value():]] + AGGREGATES[row["aggregate"]]
        values = [self.written(value) for value in values]
        if function == "set":
            values.append(f"unnest(ARRAY[{values[1]}])")
        one = values[1] if row["key"] == "constant" else key
        # No two rows are equal to a window that sorts them.
        order = one if is_grouped(row) else "r.pk" if row["join"] == "none" else "r.pk, s.pk" + (", b.pk" if row["join"] in THIRD else "")
        if WINDOWS[row["window"]]:
            values.append(WINDOWS[row["window"]].format(part=values[0], order=order, key=one))
        query = self.branches(text, plain, key, values)
        return f"WITH {', '.join(self.ctes)} {query}" if self.ctes else query

    def has_grouped_value(self):
        return self.row["key"] in ("own", "expression", "other", "the third's") and self.row["join"] not in ("full", "full using")

    def branches(self, text, plain, key, values):
        """The query, or several of which no two have the same key, or the same rows for it."""
        half = f"({plain}) < {self.literal(3)}"
        word, conditions = {"union all": ("UNION ALL", [half, f"({half}) IS NOT TRUE"]),
                            "union": ("UNION", [half, f"({half}) IS NOT TRUE"]), "intersect": ("INTERSECT", [half, None]),
                            "except": ("EXCEPT", [None, half])}.get(self.row["set operation"], ("", [None]))
        numbers = (1, 1) if word in ("INTERSECT", "EXCEPT") else (1, 2)
        selects = [self.select(text, key, values, condition, number) for condition, number in zip(conditions, numbers)]
        if self.row["set operation"] == "a constant branch":
            word = "UNION ALL"
            constant = "'constant'"
            if self.row["key"] == "constant":
                constant = "2"
            elif key == plain:
                constant = self.literal(38)
            elif key[0] in "mA":
                constant = {"m": "md5('constant')::uuid", "A": "ARRAY['constant']"}[key[0]]
            selects.append(f"SELECT {constant}, {', '.join(['NULL'] * len(values))}")
        return selects[0] if len(selects) == 1 else f" {word} ".join(f"({select})" for select in selects)

    def select(self, text, key, values, condition, number):
        row = self.row
        where = list(self.where)
        if self.variant == "conditions twice":
            where = where + where
        if self.variant == "conditions turned round":
            where.reverse()
        if condition:
            where.append(condition)
        tail = f" WHERE {' AND '.join(f'({one})' for one in where)}" if where else ""
        if is_grouped(row) and row["key"] != "constant":
            tail += f" GROUP BY {key}" + (f", {values[0]}" if self.has_grouped_value() else "")
        if row["aggregate"] == "having":
            tail += " HAVING count(*) > 1"
        shown, by = (str(number), values[0]) if row["key"] == "constant" else (key, key)
        places = ", ".join(str(i + 2) for i in range(len(values)))
        distinct, order = {"all": ("DISTINCT ", ""), "on the key": (f"DISTINCT ON ({by}) ", f" ORDER BY {by}, {places}"),
                           "on another": (f"DISTINCT ON ({values[0]}) ", f" ORDER BY {values[0]}, {by}, {places}")}.get(row["distinct"], ("", ""))
        if row["key"] == "constant" and not is_grouped(row):
            order = (order or f" ORDER BY {places}") + " LIMIT 1"
        names = NAMES[row["names"]] + [f"c{i}" for i in range(len(values))]
        listed = ", ".join([f"{shown} AS key"] + [f"{value} AS {name}" for value, name in zip(values, names)])
        return f"SELECT {distinct}{listed} FROM {text}{tail}{order}"
