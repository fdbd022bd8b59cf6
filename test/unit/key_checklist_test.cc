#include "worker/core/key_checklist.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tviews::worker {
namespace {

using Keys = std::vector<std::string>;

TEST(KeyChecklist, LeavesNothingWhenEveryKeyComesInOrder) {
  const Keys keys = {"a", "b", "c"};
  KeyChecklist list(keys);
  for (const std::string& key : keys) EXPECT_EQ(list.CrossOff(key), KeyNote::kNew);
  EXPECT_TRUE(list.Remaining().empty());
}

TEST(KeyChecklist, KeysMayComeInAnyOrder) {
  const Keys keys = {"a", "b", "c", "d"};
  KeyChecklist list(keys);
  for (const char* key : {"c", "a", "b", "d"}) EXPECT_EQ(list.CrossOff(key), KeyNote::kNew);
  EXPECT_TRUE(list.Remaining().empty());
}

TEST(KeyChecklist, KeepsWhatDoesNotCome) {
  const Keys keys = {"a", "b", "c", "d", "e"};
  KeyChecklist list(keys);
  for (const char* key : {"b", "c", "e"}) EXPECT_EQ(list.CrossOff(key), KeyNote::kNew);
  EXPECT_EQ(list.Remaining(), (Keys{"a", "d"}));
}

TEST(KeyChecklist, NoticesAKeyThatComesTwice) {
  const Keys keys = {"a", "b"};
  KeyChecklist list(keys);
  EXPECT_EQ(list.CrossOff("a"), KeyNote::kNew);
  EXPECT_EQ(list.CrossOff("a"), KeyNote::kAgain);
  EXPECT_EQ(list.CrossOff("b"), KeyNote::kNew);
  EXPECT_EQ(list.CrossOff("b"), KeyNote::kAgain);
  EXPECT_EQ(list.CrossOff("a"), KeyNote::kAgain);
}

TEST(KeyChecklist, NoticesAKeyThatIsNotOnIt) {
  const Keys keys = {"a"};
  KeyChecklist list(keys);
  EXPECT_EQ(list.CrossOff("b"), KeyNote::kNotListed);
  EXPECT_EQ(list.Remaining(), keys);
  const Keys none;
  EXPECT_EQ(KeyChecklist(none).CrossOff("a"), KeyNote::kNotListed);
}

}  // namespace
}  // namespace tviews::worker
