// The rule for changes of joins, over all small tables: rows are a key and a value, and a table is
// how often each row is in it.
#include "worker/core/join_rule.h"

#include <array>
#include <cstddef>
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
  bool has_changed() const { return before != after; }
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
  std::vector<bool> changed;
  for (const Versions& table : tables) {
    before.push_back(table.before);
    after.push_back(table.after);
    changed.push_back(table.has_changed());
  }
  Joined state = Join(before);
  for (const JoinStep& step : JoinSteps(changed)) {
    std::vector<Table> read;
    int changes = 0;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      read.push_back(tables[i].As(step[i]));
      changes += step[i] == JoinedAs::kChange ? 1 : 0;
      EXPECT_TRUE(changed[i] || step[i] == JoinedAs::kAfter);
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
  EXPECT_EQ(JoinSteps({true}), std::vector<JoinStep>{{JoinedAs::kChange}});
  EXPECT_TRUE(JoinSteps({false}).empty());
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

}  // namespace
}  // namespace tviews::worker
