"""Makes a failing case small: what is set up, one definition, and the changes after which it is not its query."""
import copy
import time

import psycopg2
from pglast import ast, parse_sql, split
from pglast.stream import RawStream

from tviews_server import run, use_settings, value


class Case:
    def __init__(self, setup, query, changes, key="key"):
        self.setup = [one for text in setup for one in split(text)]
        self.query, self.changes, self.key = query, list(changes), key

    def script(self):
        lines = [one.rstrip(";") + ";" for one in self.setup]
        lines.append(f"CREATE TABLE tv_x WITH (pg_tviews.key = '{self.key}') AS {self.query};")
        lines += [one.rstrip(";") + "; SELECT pg_tviews_wait();" for one in self.changes]
        lines.append("SELECT ROW(t.*)::text FROM tv_x t EXCEPT ALL SELECT ROW(v.*)::text FROM v_x v;")
        return "\n".join(lines)


def differs(connection, tview, view):
    """The rows that only one of both has, as text: values that are equal need not be the same."""
    stored, expected = f"ROW(t.*)::text FROM {tview} t", f"ROW(v.*)::text FROM {view} v"
    return run(connection, f"(SELECT 'extra', {stored} EXCEPT ALL SELECT 'extra', {expected})"
                           f" UNION ALL (SELECT 'missing', {expected} EXCEPT ALL SELECT 'missing', {stored})")


class Shrinker:
    """Each try has a schema of its own, in the database of `connection`."""

    def __init__(self, connection, seconds=60):
        self.connection, self.end = connection, time.monotonic() + seconds
        self.tries = 0
        self.open = None  # what creation said of the case at first that leaves its rows open

    def fails(self, case):
        """How many changes it takes until the TVIEW is not its query; None if it always is, or cannot be made."""
        self.tries += 1
        c = self.connection
        try:
            run(c, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS shrink CASCADE; CREATE SCHEMA shrink")
            run(c, "SET search_path = shrink, public; SET pg_tviews.read_consistency = session")
            run(c, ";".join(case.setup) or "SELECT")
            run(c, "SET client_min_messages = notice")
            del c.notices[:]
            run(c, f"CREATE TABLE tv_x WITH (pg_tviews.key = '{case.key}') AS {case.query}")
            said = {notice.split(": ")[-1] for notice in c.notices if "are not determined" in notice or "depends on" in notice}
            if self.open is None:
                self.open = said
            if said - self.open:
                return None  # smaller, but wrong for another reason
            use_settings(c, "tv_x")
            for i, change in enumerate(case.changes, 1):
                run(c, change)
                run(c, "SELECT pg_tviews_wait()")
                if value(c, "SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_x'::regclass"):
                    return None
                if differs(c, "tv_x", "v_x"):
                    return i
        except psycopg2.Error:
            if c.closed:
                raise
        finally:
            if not c.closed:
                run(c, "RESET ALL")
        return None

    def still(self, case):
        return time.monotonic() < self.end and self.fails(case) is not None

    def shrink(self, case):
        """The smallest case found, or None if this one does not fail by itself."""
        upto = self.fails(case)
        if upto is None:
            return None
        case.changes = case.changes[:upto]
        size = None
        while size != len(case.script()) and time.monotonic() < self.end:
            size = len(case.script())
            self.shrink_list(case, "changes")
            self.shrink_query(case)
            self.shrink_list(case, "setup")
        return case

    def shrink_list(self, case, name):
        """Takes away halves, then quarters, down to single elements."""
        items = getattr(case, name)
        step = max(1, len(items) // 2)
        while step:
            at = 0
            while at < len(items):
                fewer = items[:at] + items[at + step:]
                candidate = copy.copy(case)
                setattr(candidate, name, fewer)
                if self.still(candidate):
                    items = fewer
                else:
                    at += step
            step //= 2
        setattr(case, name, items)

    def shrink_query(self, case):
        """What was tried in vain is not tried again after each success, but once more when all has been tried."""
        at = 0
        candidates = smaller(case.query)
        while at < len(candidates) and time.monotonic() < self.end:
            candidate = copy.copy(case)
            candidate.query = candidates[at]
            if self.still(candidate):
                case.query = candidate.query
                candidates = smaller(case.query)
            else:
                at += 1


def smaller(query):
    """Queries with one thing less, large ones first."""
    try:
        root = parse_sql(query)[0].stmt
    except Exception:  # syntax that the parser at hand does not know: the text stays
        return []
    size = len(RawStream()(root))
    found = set()
    for change in changes(root):
        undo = change()
        try:
            text = RawStream()(root)
        except Exception:  # a tree that means nothing has no text
            text = None
        undo()
        if text and len(text) < size and text not in found and is_text(text):
            found.add(text)
    return sorted(found, key=len)


def is_text(text):
    """Whether it can be read again: a tree with a part missing need not."""
    try:
        parse_sql(text)
        return True
    except Exception:
        return False


def nodes(node):
    """Every (parent, attribute, index or None) below, the outermost first."""
    level = [node]
    while level:
        below = []
        for parent in level:
            for attribute in parent:
                child = getattr(parent, attribute, None)
                if isinstance(child, ast.Node):
                    yield parent, attribute, None
                    below.append(child)
                elif isinstance(child, tuple):
                    for i, element in enumerate(child):
                        if isinstance(element, ast.Node):
                            yield parent, attribute, i
                            below.append(element)
        level = below


def put(parent, attribute, new):
    """Sets an attribute; returns what sets it back."""
    old = getattr(parent, attribute)
    setattr(parent, attribute, new)
    return lambda: setattr(parent, attribute, old)


def changes(root):
    """Functions that each make the tree smaller and return the function that undoes it."""
    for parent, attribute, index in list(nodes(root)):
        whole = getattr(parent, attribute)
        if index is None:
            yield lambda p=parent, a=attribute: put(p, a, None)
        else:
            yield lambda p=parent, a=attribute, w=whole, i=index: put(p, a, w[:i] + w[i + 1:] or None)
        node = whole if index is None else whole[index]
        for child in replacements(node):
            new = child if index is None else whole[:index] + (child,) + whole[index + 1:]
            yield lambda p=parent, a=attribute, n=new: put(p, a, n)


def replacements(node):
    """What may stand in the place of `node`: one of its parts."""
    if isinstance(node, ast.SelectStmt):
        return [one for one in (node.larg, node.rarg) if one is not None]
    if isinstance(node, ast.JoinExpr):
        return [node.larg, node.rarg]
    if isinstance(node, ast.RangeSubselect):
        inner = node.subquery
        if isinstance(inner, ast.SelectStmt) and inner.fromClause and len(inner.fromClause) == 1 \
                and isinstance(inner.fromClause[0], ast.RangeVar):
            renamed = copy.copy(inner.fromClause[0])
            renamed.alias = node.alias
            return [renamed]
        return []
    parts = []
    for attribute in ("arg", "args", "lexpr", "rexpr", "testexpr", "defresult", "xpr", "expr", "elements"):
        child = getattr(node, attribute, None)
        if isinstance(child, ast.Node):
            parts.append(child)
        elif isinstance(child, tuple):
            parts += [one for one in child if isinstance(one, ast.Node) and not isinstance(one, ast.CaseWhen)]
    return parts
