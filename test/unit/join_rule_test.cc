// The rule for changes of joins, over all small tables: rows are a key and a value, and a table is
// how often each row is in it.
#include "worker/core/join_rule.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tviews::worker {
namespace {

constexpr int kKeys = 2;
constexpr int kMost = 2;  // of a row

using Table = std::array<int, kKeys>;  // how many rows have each key
using Joined = std::array<int, kKeys>;

std::vector<Table> AllTables() {
  std::vector<Table> tables;
  for (int a = 0; a <= kMost; ++a) {
    for (int b = 0; b + a <= 3 && b <= kMost; ++b) tables.push_back({a, b});
  }
  return tables;
}

struct Versions {
  Table before;
  Table after;

  Table As(JoinedAs as) const {
    if (as == JoinedAs::kBefore) return before;
    if (as == JoinedAs::kAfter) return after;
    return {after[0] - before[0], after[1] - before[1]};
  }
  TableChange change() const {
    TableChange change;
    for (int key = 0; key < kKeys; ++key) {
      change.has_added = change.has_added || after[key] > before[key];
      change.has_removed = change.has_removed || after[key] < before[key];
    }
    return change;
  }
};

Joined Join(const std::vector<Table>& tables) {
  Joined joined{1, 1};
  for (const Table& table : tables) {
    for (int key = 0; key < kKeys; ++key) joined[key] *= table[key];
  }
  return joined;
}

void Check(const std::vector<Versions>& tables) {
  std::vector<Table> before;
  std::vector<Table> after;
  std::vector<TableChange> changed;
  for (const Versions& table : tables) {
    before.push_back(table.before);
    after.push_back(table.after);
    changed.push_back(table.change());
  }
  Joined state = Join(before);
  for (const JoinStep& step : JoinSteps(changed)) {
    std::vector<Table> read;
    int changes = 0;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      read.push_back(tables[i].As(step[i]));
      changes += step[i] == JoinedAs::kChange ? 1 : 0;
      EXPECT_TRUE(tables[i].before != tables[i].after || step[i] == JoinedAs::kAfter);
    }
    EXPECT_EQ(changes, 1);
    const Joined added = Join(read);
    for (int key = 0; key < kKeys; ++key) {
      state[key] += added[key];
      EXPECT_GE(state[key], 0);
    }
  }
  EXPECT_EQ(state, Join(after));
}

TEST(JoinRule, OneTableIsItsChange) {
  EXPECT_EQ(JoinSteps({{.has_added = true}}), std::vector<JoinStep>{{JoinedAs::kChange}});
  EXPECT_TRUE(JoinSteps({{}}).empty());
}

TEST(JoinRule, EveryChangeOfTwoSmallTables) {
  const std::vector<Table> all = AllTables();
  for (const Table& a : all) {
    for (const Table& b : all) {
      for (const Table& c : all) {
        for (const Table& d : all) Check({{a, b}, {c, d}});
      }
    }
  }
}

TEST(JoinRule, EveryChangeOfThreeTablesOfOneKey) {
  for (int n = 0; n < 3 * 3 * 3 * 3 * 3 * 3; ++n) {
    std::array<int, 6> counts{};
    int rest = n;
    for (int& count : counts) {
      count = rest % 3;
      rest /= 3;
    }
    Check({{{counts[0], 1}, {counts[1], 1}},
           {{counts[2], 1}, {counts[3], 1}},
           {{counts[4], 1}, {counts[5], 1}}});
  }
}

// One table twice in a query changes in both places.
TEST(JoinRule, EveryChangeOfATableThatIsJoinedWithItself) {
  for (const Table& a : AllTables()) {
    for (const Table& b : AllTables()) Check({{a, b}, {a, b}});
  }
}

// --- Extremes of joins: what is read of each step, row by row, and the rule by which a state
// follows (shared/pg/planner/group_aggregates.h). A table is a set of two rows, as bits.

struct Sets {
  int before;
  int after;

  // Each row with its weight, as a statement reads them: what was is what is, less the change.
  std::vector<std::pair<int, int>> As(JoinedAs as) const {
    std::vector<std::pair<int, int>> rows;
    for (int row = 0; row < 2; ++row) {
      const int is_after = (after >> row) & 1;
      const int change = is_after - ((before >> row) & 1);
      if (as != JoinedAs::kChange && is_after == 1) rows.emplace_back(row, 1);
      if (as == JoinedAs::kBefore && change != 0) rows.emplace_back(row, -change);
      if (as == JoinedAs::kChange && change != 0) rows.emplace_back(row, change);
    }
    return rows;
  }
  TableChange change() const {
    return {.has_added = (after & ~before) != 0, .has_removed = (before & ~after) != 0};
  }
};

using Weighted = std::vector<std::pair<int, int>>;

// The value of a joined row is a number that `order` gives its rows.
Weighted JoinRows(const std::vector<Weighted>& tables, const std::vector<int>& order) {
  Weighted joined{{0, 1}};
  for (const Weighted& table : tables) {
    Weighted next;
    for (const auto& [number, weight] : joined) {
      for (const auto& [row, times] : table) next.emplace_back(2 * number + row, weight * times);
    }
    joined = std::move(next);
  }
  for (auto& [number, weight] : joined) number = order[static_cast<std::size_t>(number)];
  return joined;
}

constexpr int kNone = -1;

int Largest(const Weighted& rows, int sign) {
  int largest = kNone;
  for (const auto& [value, weight] : rows) {
    if (weight * sign > 0) largest = std::max(largest, value);
  }
  return largest;
}

int Largest(const std::vector<Sets>& tables, bool after, const std::vector<int>& order) {
  std::vector<Weighted> rows;
  for (const Sets& table : tables) {
    rows.push_back(Sets{0, after ? table.after : table.before}.As(JoinedAs::kAfter));
  }
  return Largest(JoinRows(rows, order), 1);
}

// True if the kept extreme is not believed; otherwise it must be right.
bool Follow(const std::vector<Sets>& tables, const std::vector<int>& order) {
  std::vector<TableChange> changes;
  for (const Sets& table : tables) changes.push_back(table.change());
  int kept = Largest(tables, false, order);
  bool is_doubtful = false;
  for (const JoinStep& step : JoinSteps(changes)) {
    std::vector<Weighted> read;
    for (std::size_t i = 0; i < tables.size(); ++i) read.push_back(tables[i].As(step[i]));
    const Weighted rows = JoinRows(read, order);
    if (rows.empty()) continue;
    const StepExtremes extremes = ExtremesOf(step, changes);
    const int comes = Largest(rows, 1);
    const int goes = extremes == StepExtremes::kComing ? kNone : Largest(rows, -1);
    const bool is_sure = extremes != StepExtremes::kDoubtful &&
                         (goes == kNone || (kept != kNone && (goes < kept || comes >= kept)));
    is_doubtful = is_doubtful || !is_sure;
    kept = std::max(kept, comes);
  }
  EXPECT_TRUE(is_doubtful || kept == Largest(tables, true, order));
  return is_doubtful;
}

TEST(JoinRule, ExtremesOfTwoTables) {
  std::vector<int> order{0, 1, 2, 3};
  int doubtful = 0;
  do {
    for (int n = 0; n < 4 * 4 * 4 * 4; ++n) {
      doubtful += Follow({{n % 4, n / 4 % 4}, {n / 16 % 4, n / 64}}, order) ? 1 : 0;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_GT(doubtful, 0);
}

TEST(JoinRule, ExtremesOfThreeTables) {
  std::vector<int> order{0, 1, 2, 3, 4, 5, 6, 7};
  for (int turn = 0; turn < 8; ++turn) {
    for (int n = 0; n < 4 * 4 * 4 * 4 * 4 * 4; ++n) {
      Follow({{n % 4, n / 4 % 4}, {n / 16 % 4, n / 64 % 4}, {n / 256 % 4, n / 1024}}, order);
    }
    std::rotate(order.begin(), order.begin() + 3, order.end());
    std::swap(order[0], order[static_cast<std::size_t>(turn)]);
  }
}

// What is only added is no reason to doubt.
TEST(JoinRule, AdditionsAreNotDoubted) {
  EXPECT_FALSE(Follow({{1, 3}, {0, 3}}, {0, 1, 2, 3}));
  EXPECT_FALSE(Follow({{0, 3}, {0, 3}}, {3, 1, 2, 0}));
}

}  // namespace
}  // namespace tviews::worker
