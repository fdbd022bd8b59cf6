"""The checker of test/support/elle.py finds each planted anomaly, under the models that exclude it and under no other, and
nothing in histories that a serial execution has made. Needs no server."""
import pathlib
import random
import sys

import elle

SERIAL, MONOTONE, SESSION, STRICT = "serializable", "monotone-serializable", "strong-session-serializable", "strict-serializable"
ALL = (SERIAL, MONOTONE, SESSION, STRICT)


def history(*transactions):
    """One after the other: (process, outcome, operations) or, with a third number, views. A begin and end may be given."""
    events = []
    for place, (process, outcome, operations, *more) in enumerate(transactions):
        begin, end = more[0] if more else (2 * place, 2 * place + 1)
        views = len(more) > 1
        unknown = [[f, key, None if f == "r" else value] for f, key, value in operations]
        events.append((begin, {"type": "invoke", "process": process, "f": "txn", "value": unknown, "views": views}))
        events.append((end, {"type": outcome, "process": process, "f": "txn", "value": operations if outcome == "ok" else unknown}))
    events.sort(key=lambda event: event[0])
    return [{"index": index, "time": index, **event} for index, (_, event) in enumerate(events)]


def a(key, value):
    return ["append", key, value]


def r(key, *values):
    return ["r", key, list(values)]


BESIDE = (0, 100)  # begins before and ends after the others

PLANTED = [
    ("G0", ALL, history((1, "ok", [a(1, 1), a(2, 1)], BESIDE), (2, "ok", [a(1, 2), a(2, 2)], BESIDE),
                        (3, "ok", [r(1, 1, 2)], BESIDE), (4, "ok", [r(2, 2, 1)], BESIDE)), None),
    ("G1a", ALL, history((1, "fail", [a(1, 1)], BESIDE), (2, "ok", [r(1, 1)], BESIDE)), None),
    ("G1b", ALL, history((1, "ok", [a(1, 1), a(1, 2)], BESIDE), (2, "ok", [r(1, 1)], BESIDE), (3, "ok", [r(1, 1, 2)], BESIDE)), None),
    ("G1c", ALL, history((1, "ok", [a(1, 1), r(2, 1)], BESIDE), (2, "ok", [a(2, 1), r(1, 1)], BESIDE)), None),
    ("G-single", ALL, history((1, "ok", [a(1, 1), a(2, 1)], BESIDE), (2, "ok", [r(1, 1), r(2)], BESIDE),
                              (3, "ok", [r(2, 1)], BESIDE)), None),
    ("G2-item", ALL, history((1, "ok", [r(1), a(2, 1)], BESIDE), (2, "ok", [r(2), a(1, 1)], BESIDE),
                             (3, "ok", [r(1, 1), r(2, 1)], BESIDE)), None),
    ("internal", ALL, history((1, "ok", [a(1, 1), r(1)], BESIDE)), None),
    ("internal", ALL, history((1, "ok", [a(1, 1)], BESIDE), (2, "ok", [r(1), r(1, 1)], BESIDE)), None),
    ("phantom", ALL, history((1, "ok", [r(1, 7)], BESIDE)), None),
    ("duplicate-append", ALL, history((1, "ok", [a(1, 1)], BESIDE), (2, "ok", [r(1, 1, 1)], BESIDE)), None),
    ("incompatible-order", ALL, history((1, "ok", [a(1, 1)], BESIDE), (2, "ok", [a(1, 2)], BESIDE), (3, "ok", [r(1, 1)], BESIDE),
                                        (4, "ok", [r(1, 2, 1)], BESIDE)), None),
    ("lost-append", ALL, history((1, "ok", [a(1, 1)]), (2, "ok", [a(1, 2)])), {1: [2]}),
    ("non-monotone-read", (MONOTONE, SESSION, STRICT),
     history((1, "ok", [a(1, 1)], BESIDE), (2, "ok", [r(1, 1)], (1, 2), 1), (2, "ok", [r(1)], (3, 4), 1)), None),
    ("G-single-process", (MONOTONE, SESSION, STRICT),  # of different keys
     history((1, "ok", [a(1, 1), a(2, 1)], BESIDE), (2, "ok", [r(1, 1)], (1, 2), 1), (2, "ok", [r(2)], (3, 4), 1),
             (3, "ok", [r(2, 1)], BESIDE)), None),
    ("stale-read", (SESSION, STRICT), history((1, "ok", [a(1, 1)]), (1, "ok", [r(1)]), (2, "ok", [r(1, 1)])), None),
    ("G-single-realtime", (STRICT,), history((1, "ok", [a(1, 1)]), (2, "ok", [r(1)]), (3, "ok", [r(1, 1)])), None),
    ("G2-item", ALL,  # a long fork
     history((1, "ok", [a(1, 1)], BESIDE), (2, "ok", [a(2, 1)], BESIDE), (3, "ok", [r(1, 1), r(2)], BESIDE, 1),
             (4, "ok", [r(1), r(2, 1)], BESIDE, 1)), None),
]


def serial(seed):
    """What a serial execution shows, the clients' view of it overlapping in time; the outcome of some is not known."""
    generator = random.Random(seed)
    state, events, clock, free = {}, [], 0, {}
    for number in range(300):
        process = generator.randrange(5)
        operations = []
        for _ in range(generator.randint(1, 4)):
            key = generator.randrange(4)
            if generator.random() < 0.5:
                operations.append(a(key, 10 * number + len(operations)))
            else:
                operations.append(["r", key, None])
        outcome = generator.choices(["ok", "fail", "info"], [18, 1, 1])[0]
        happens = outcome == "ok" or outcome == "info" and generator.random() < 0.5
        done, before = [], {key: list(value) for key, value in state.items()}
        for f, key, value in operations:
            if f == "append":
                before.setdefault(key, []).append(value)
                done.append([f, key, value])
            else:
                done.append([f, key, list(before.get(key, []))])
        if happens:
            state = before
        clock += 2  # it takes effect now
        begin = max(free.get(process, 0), clock - generator.randint(1, 9)) + generator.random() * 0.01
        end = clock + 1 + generator.random() * 8
        if begin > clock:
            begin = clock
        free[process] = end + 0.1
        if free[process] > clock + 2:
            clock = max(clock, int(end))
        events.append((begin, {"type": "invoke", "process": process, "f": "txn", "value": operations, "views": number % 2 == 0}))
        events.append((end, {"type": outcome, "process": process, "f": "txn", "value": done if outcome == "ok" else operations}))
    events.sort(key=lambda event: event[0])
    return [{"index": index, "time": index, **event} for index, (_, event) in enumerate(events)], state


for anomaly, excluded_by, planted, final in PLANTED:
    for model in ALL:
        found = elle.check(planted, model, final)
        assert (anomaly in found) == (model in excluded_by), (anomaly, model, found)
        assert model in excluded_by or not found, (anomaly, model, found)
for seed in range(60):
    made, final = serial(seed)
    for model in ALL:
        found = elle.check(made, model, final)
        assert not found, (seed, model, found)
# What is written can be read, by Elle too.
made, final = serial(1)
path = pathlib.Path(sys.argv[1]).resolve() / "elle_checker.edn"
elle.write(made, path)
assert elle.read(path) == made
assert elle.from_edn('{:type :ok, :value [[:append 5 1] [:r 6 nil] [:r 6 [1 2]]], :f :txn}') == {
    "type": "ok", "value": [["append", 5, 1], ["r", 6, None], ["r", 6, [1, 2]]], "f": "txn"}
path.unlink()
