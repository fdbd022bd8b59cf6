"""Pairwise covering arrays: few rows, so that every two values of different axes meet in one of them."""
import itertools


def pair(a, b):
    """An unordered pair of (axis, value)."""
    return (a, b) if a <= b else (b, a)


class Covering:
    """Rows are dictionaries of axis to value. A pair counts when a row that has it is reported as done."""

    def __init__(self, rng, axes, impossible, is_valid):
        """`impossible`: {(axis, value, axis, value): reason}. `is_valid` refuses rows, also of some axes only, for what more
        than two values say together."""
        self.rng, self.axes, self.is_valid = rng, axes, is_valid
        self.impossible = {pair((a, x), (b, y)): reason for (a, x, b, y), reason in impossible.items()}
        for (a, x), (b, y) in self.impossible:
            assert a != b and x in axes[a] and y in axes[b], f"no such pair: {a} {x}, {b} {y}"
        self.wanted = {pair((a, x), (b, y)) for a, b in itertools.combinations(axes, 2)
                       for x in axes[a] for y in axes[b]} - set(self.impossible)
        self.missing = set(self.wanted)
        self.tries = {}

    @staticmethod
    def pairs(row):
        return {pair(a, b) for a, b in itertools.combinations(row.items(), 2)}

    def done(self, row):
        self.missing -= self.pairs(row)

    def refused(self, row):
        """So that what cannot be done for another reason than the wanted pair is tried in another company."""
        for one in self.pairs(row) & self.missing:
            self.tries[one] = self.tries.get(one, 0) + 1

    def grown(self, seed, fixed, axes):
        """A row with the pair `seed` and values from `axes`, which covers much besides."""
        row = dict(fixed)
        row.update(seed)
        others = [axis for axis in self.axes if axis not in row]
        self.rng.shuffle(others)
        for axis in others:
            best, gain = None, -1
            for candidate in self.rng.sample(axes[axis], len(axes[axis])):
                pairs = [pair((axis, candidate), item) for item in row.items()]
                if any(one in self.impossible for one in pairs) or not self.is_valid({**row, axis: candidate}):
                    continue
                new = sum(one in self.missing for one in pairs)
                if new > gain:
                    best, gain = candidate, new
            if best is None:
                return None
            row[axis] = best
        return None if self.pairs(row) & set(self.impossible) else row

    def rows(self, wanted, fixed, axes):
        """Up to `wanted` rows of values from `axes` that have the values `fixed` and pairs that are missing yet. What is
        promised to one of them is not asked of the next."""
        promised, found = set(), []
        fixed_items = set(fixed.items())
        for _ in range(wanted * 20):
            if len(found) == wanted:
                break
            open_ = [one for one in self.missing if one not in promised
                     and all(value in axes[axis] and (axis not in fixed or (axis, value) in fixed_items) for axis, value in one)]
            if not open_:
                break
            before = self.missing
            self.missing = before - promised
            seed = min(self.rng.sample(sorted(open_), min(len(open_), 5)), key=lambda one: self.tries.get(one, 0))
            row = self.grown(seed, fixed, axes)
            self.missing = before
            if row is not None:
                found.append(row)
                promised |= self.pairs(row)
        return found

    def describe_missing(self):
        return [f"{a} {x} with {b} {y}" for (a, x), (b, y) in sorted(self.missing)]
