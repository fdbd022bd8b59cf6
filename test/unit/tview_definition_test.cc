#include "shared/tview_definition.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TEST(Fill, CoversWhatItsSnapshotSaw) {
  const Fill fill{.snapshot = {.xmin = 10, .xmax = 20, .in_progress = {15}}, .creator = 18};
  EXPECT_TRUE(fill.Covers(9));
  EXPECT_TRUE(fill.Covers(14));
  EXPECT_FALSE(fill.Covers(15));
  EXPECT_FALSE(fill.Covers(20));
}

TEST(Fill, NeverCoversItsCreatorsOwnWrites) {
  const Fill fill{.snapshot = {.xmin = 10, .xmax = 20, .in_progress = {}}, .creator = 18};
  EXPECT_FALSE(fill.Covers(18));
}

}  // namespace
}  // namespace tviews
