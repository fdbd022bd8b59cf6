#include "shared/lru_map.h"

#include <string>

#include "gtest/gtest.h"

namespace tviews {
namespace {

TEST(LruMap, ForgetsWhatWasUsedLongestAgo) {
  LruMap<int, std::string> map;
  for (int i = 0; i < 4; ++i) map.Insert(i, std::to_string(i));
  ASSERT_NE(map.Find(0), nullptr);
  EXPECT_EQ(map.EvictBeyond(3), "1");
  EXPECT_EQ(map.EvictBeyond(3), std::nullopt);
  EXPECT_EQ(map.EvictBeyond(1), "2");
  EXPECT_EQ(map.EvictBeyond(1), "3");
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(*map.Find(0), "0");
  EXPECT_EQ(map.Find(1), nullptr);
}

TEST(LruMap, KeepsValuesWhereTheyAreWhileOthersCome) {
  LruMap<int, int> map;
  int* const first = map.Insert(1, 10);
  for (int i = 2; i < 1000; ++i) map.Insert(i, i);
  EXPECT_EQ(map.Find(1), first);
  map.Clear();
  EXPECT_EQ(map.size(), 0u);
  EXPECT_EQ(map.Find(1), nullptr);
}

}  // namespace
}  // namespace tviews
