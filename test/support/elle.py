"""A checker of list-append histories, after Jepsen's Elle: which isolation level a history breaks, and how.

A history is a list of operations as Jepsen writes them (EDN or JSON lines):

    {:index 0, :time 12, :type :invoke, :process 3, :f :txn, :value [[:append 1 7] [:r 2 nil]]}
    {:index 1, :time 15, :type :ok,     :process 3, :f :txn, :value [[:append 1 7] [:r 2 [4 6]]]}

`ok` is known to have happened, `fail` not to have, `info` may have. Each value is appended to a key once, so a read tells
the versions that came before it. From the longest read of each key follows its order of versions, and from that who wrote
over whom (ww), who read from whom (wr), and who read what somebody wrote over (rw). A cycle of these is an anomaly:

    G0           of ww                         G-single      with one rw
    G1c          of ww and wr                  G2-item       with several

`-process` is added where the order of a session belongs to the cycle, `-realtime` where the order of time does. Found
without a graph are: internal, duplicate-append, incompatible-order, G1a (a read of what was aborted), G1b (of what was later
overwritten by the same transaction), phantom (of what nobody appended), lost-append (not in a final read),
non-monotone-read (a session reads less than before) and stale-read (without an append of its session).
`in_session` says which transactions the order of a session holds for.
"""
import collections
import json

MODELS = {
    "serializable": (),
    "monotone-serializable": ("process",),  # a session's reads of views only
    "strong-session-serializable": ("process",),
    "strict-serializable": ("process", "realtime"),
}


class Transaction:
    def __init__(self, invoked, completed):
        self.process = invoked["process"]
        self.invoked_at = invoked["index"]
        self.completed_at = None
        self.outcome = "info"
        self.operations = invoked["value"]
        self.reads_views = bool(invoked.get("views"))
        if completed is not None:
            self.outcome = completed["type"]
            if self.outcome != "info":
                self.completed_at = completed["index"]
            if self.outcome == "ok":
                self.operations = completed["value"]

    def appends(self):
        return [(key, value) for f, key, value in self.operations if f == "append"]

    def reads(self):
        """Of known results, before an append of its own to the same key: with that they say nothing about others."""
        return [(key, list(value)) for f, key, value in self.operations if f == "r" and value is not None]

    def __repr__(self):
        body = " ".join(f"{'append' if f == 'append' else 'r'} {key} {value}" for f, key, value in self.operations)
        return f"process {self.process}, {self.invoked_at}..{self.completed_at} {self.outcome}: {body}"


def pair(history):
    """The transactions of a history: each invocation with its completion."""
    open_by_process, transactions = {}, []
    for operation in history:
        if operation.get("f") != "txn":
            continue
        process = operation["process"]
        if operation["type"] == "invoke":
            if process in open_by_process:
                raise ValueError(f"process {process} invokes a second transaction before the first has ended")
            open_by_process[process] = operation
        else:
            transactions.append(Transaction(open_by_process.pop(process), operation))
    transactions += [Transaction(invoked, None) for invoked in open_by_process.values()]
    return sorted(transactions, key=lambda transaction: transaction.invoked_at)


class Checker:
    def __init__(self, history, model, final=None, in_session=lambda transaction: True):
        self.model = MODELS[model]
        self.is_monotone_only = model == "monotone-serializable"
        self.in_session = (lambda transaction: transaction.reads_views) if self.is_monotone_only else in_session
        self.final = final or {}  # key -> what a read at the very end has found
        self.transactions = pair(history)
        self.anomalies = collections.defaultdict(list)
        self.writer = {}  # (key, value) -> transaction
        self.edges = collections.defaultdict(dict)  # from -> to -> set of kinds

    def check(self):
        """{anomaly: what shows it}; nothing if the history keeps to the model."""
        self.index_appends()
        for transaction in self.transactions:
            if transaction.outcome == "ok":
                self.check_alone(transaction)
        self.orders = self.version_orders()
        self.check_lost()
        self.check_monotone()
        self.add_dependencies()
        if "process" in self.model:
            self.add_sessions()
        if "realtime" in self.model:
            self.add_realtime()
        self.find_cycles()
        return dict(self.anomalies)

    def report(self, anomaly, *shown):
        self.anomalies[anomaly].append(" | ".join(str(one) for one in shown))

    def index_appends(self):
        for transaction in self.transactions:
            for append in transaction.appends():
                if append in self.writer:
                    raise ValueError(f"value {append[1]} is appended twice to {append[0]}: such a history shows nothing")
                self.writer[append] = transaction

    def check_alone(self, transaction):
        known, appended = {}, collections.defaultdict(list)
        for f, key, value in transaction.operations:
            if f == "append":
                appended[key].append(value)
                if key in known:
                    known[key] = known[key] + [value]
                continue
            if value is None:
                continue
            if key in known and known[key] != value or value[len(value) - len(appended[key]):] != appended[key]:
                self.report("internal", transaction)
            known[key] = list(value)
            self.check_read(transaction, key, value)

    def check_read(self, transaction, key, value):
        if len(set(value)) != len(value):
            self.report("duplicate-append", key, value, transaction)
        for element in value:
            writer = self.writer.get((key, element))
            if writer is None:
                self.report("phantom", key, element, transaction)
            elif writer.outcome == "fail":
                self.report("G1a", transaction, writer)
        if not value:
            return
        writer = self.writer.get((key, value[-1]))
        if writer is not None and writer is not transaction:
            last = [appended for other, appended in writer.appends() if other == key][-1]
            if last != value[-1]:
                self.report("G1b", transaction, writer)

    def all_reads(self):
        for transaction in self.transactions:
            if transaction.outcome == "ok":
                for key, value in transaction.reads():
                    yield transaction, key, value

    def version_orders(self):
        longest = {key: list(value) for key, value in self.final.items()}
        for _, key, value in self.all_reads():
            if len(value) > len(longest.get(key, [])):
                longest[key] = value
        for transaction, key, value in self.all_reads():
            if longest.get(key, [])[:len(value)] != value:
                self.report("incompatible-order", key, value, longest.get(key, []), transaction)
        return longest

    def check_lost(self):
        for key, value in self.final.items():
            there = set(value)
            for (other, element), writer in self.writer.items():
                if other == key and writer.outcome == "ok" and element not in there:
                    self.report("lost-append", key, element, writer)

    def check_monotone(self):
        """Of one session, whatever the model says of sessions: a later read of a key is never shorter."""
        if not self.model:
            return
        seen = {}
        for transaction, key, value in self.all_reads():
            if not self.in_session(transaction):
                continue
            place = transaction.process, key
            if len(value) < len(seen.get(place, ([], None))[0]):
                self.report("non-monotone-read", transaction, seen[place][1])
            seen[place] = value, transaction
        if self.is_monotone_only:
            return
        own = collections.defaultdict(set)
        for transaction in self.transactions:
            if transaction.outcome != "ok" or not self.in_session(transaction):
                continue
            for key, value in transaction.reads():
                missing = own[transaction.process, key] - set(value)
                if missing:
                    self.report("stale-read", transaction, f"without its session's own {sorted(missing)}")
            for key, value in transaction.appends():
                own[transaction.process, key].add(value)

    # --- The graph

    def add(self, before, after, kind):
        if before is not after:
            self.edges[before].setdefault(after, set()).add(kind)

    def add_dependencies(self):
        for key, order in self.orders.items():
            writers = [self.writer.get((key, value)) for value in order]
            for before, after in zip(writers, writers[1:]):
                if before is not None and after is not None:
                    self.add(before, after, "ww")
        for transaction, key, value in self.all_reads():
            order = self.orders.get(key, [])
            if value and (key, value[-1]) in self.writer:
                self.add(self.writer[key, value[-1]], transaction, "wr")
            if order[:len(value)] == value and len(value) < len(order) and (key, order[len(value)]) in self.writer:
                self.add(transaction, self.writer[key, order[len(value)]], "rw")

    def add_sessions(self):
        last = {}
        for transaction in self.transactions:
            if transaction.outcome != "ok" or not self.in_session(transaction):
                continue
            if transaction.process in last:
                self.add(last[transaction.process], transaction, "process")
            last[transaction.process] = transaction

    def add_realtime(self):
        """Each transaction after those that had ended before it began; of these only who is not before another of them."""
        events = []
        for transaction in self.transactions:
            if transaction.outcome == "fail":
                continue
            events.append((transaction.invoked_at, 1, transaction))
            if transaction.completed_at is not None:
                events.append((transaction.completed_at, 0, transaction))
        recent, before = [], {}
        for _, is_begin, transaction in sorted(events, key=lambda event: event[:2]):
            if is_begin:
                before[transaction] = list(recent)
                for other in recent:
                    self.add(other, transaction, "realtime")
            else:
                recent = [other for other in recent if other not in before[transaction]] + [transaction]

    def find_cycles(self):
        """The first kind in this order for which there is a cycle in a strongly connected component."""
        orders = list(self.model)
        for component in components(self.edges, {"ww", "wr", "rw", *orders}):
            for name, kinds, antidependencies in (("G0", {"ww"}, 0), ("G1c", {"ww", "wr"}, 0), ("G-single", {"ww", "wr"}, 1),
                                                  ("G2-item", {"ww", "wr", "rw"}, 0)):
                found = None
                for count in range(len(orders) + 1):
                    found = self.cycle(component, kinds | set(orders[:count]), antidependencies)
                    if found:
                        break
                if found:
                    suffix = f"-{orders[count - 1]}" if count else ""
                    self.report(name + suffix, *(f"{kind}-> {one}" for kind, one in found))
                    break

    def cycle(self, component, kinds, antidependencies):
        """A shortest cycle within the component: over `kinds`, and exactly one rw if so many are asked for."""
        for start in component:
            if antidependencies:
                firsts = [(other, "rw") for other, found in self.edges[start].items() if other in component and "rw" in found]
            else:
                firsts = [(other, min(found & kinds)) for other, found in self.edges[start].items()
                          if other in component and found & kinds]
            for first, kind in firsts:
                path = self.path(component, first, start, kinds - {"rw"} if antidependencies else kinds)
                if path is not None:
                    return [(kind, first)] + path
        return None

    def path(self, component, begin, end, kinds):
        came, queue = {begin: None}, collections.deque([begin])
        while queue:
            one = queue.popleft()
            if one is end:
                steps = []
                while came[one] is not None:
                    before, kind = came[one]
                    steps.append((kind, one))
                    one = before
                return steps[::-1]
            for other, found in self.edges[one].items():
                if other in component and other not in came and found & kinds:
                    came[other] = one, min(found & kinds)
                    queue.append(other)
        return None


def components(edges, kinds):
    """Strongly connected components of more than one, by Tarjan's algorithm without recursion."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in list(edges):
        if root in index:
            continue
        work = [(root, iter(list(edges[root].items())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            one, others = work[-1]
            for other, other_kinds in others:
                if not other_kinds & kinds:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(list(edges[other].items()) if other in edges else [])))
                    break
                if other in on_stack:
                    low[one] = min(low[one], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[one])
                if low[one] == index[one]:
                    component = set()
                    while True:
                        top = stack.pop()
                        on_stack.discard(top)
                        component.add(top)
                        if top is one:
                            break
                    if len(component) > 1:
                        found.append(component)
    return found


def check(history, model, final=None, **options):
    return Checker(history, model, final, **options).check()


# --- The file format


def to_edn(value):
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return ":" + value
    if isinstance(value, dict):
        return "{" + ", ".join(f":{key} {to_edn(one)}" for key, one in value.items()) + "}"
    return "[" + " ".join(to_edn(one) for one in value) + "]"


def write(history, path):
    path.write_text("".join(to_edn(operation) + "\n" for operation in history))


def from_edn(text):
    """The value that the text stands for; keywords become strings."""
    tokens = text.replace(",", " ")
    for bracket in "[]{}()":
        tokens = tokens.replace(bracket, f" {bracket} ")
    return parse(collections.deque(tokens.split()))


def parse(tokens):
    token = tokens.popleft()
    if token in "[(":
        values = []
        while tokens[0] not in "])":
            values.append(parse(tokens))
        tokens.popleft()
        return values
    if token == "{":
        values = {}
        while tokens[0] != "}":
            key = parse(tokens)
            values[key] = parse(tokens)
        tokens.popleft()
        return values
    if token.startswith(":"):
        return token[1:]
    return {"nil": None, "true": True, "false": False}[token] if token in ("nil", "true", "false") else int(token)


def read(path):
    """One operation a line, EDN or JSON."""
    return [json.loads(line) if line.startswith('{"') else from_edn(line) for line in path.read_text().splitlines() if line.strip()]
