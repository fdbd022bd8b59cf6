#include "shared/version.h"

#include <gtest/gtest.h>

namespace tviews {
namespace {

TEST(Version, PartsAreNumbers) {
  EXPECT_LT(CompareVersions("0.9.1", "0.10.0"), 0);
  EXPECT_GT(CompareVersions("1.0.0", "0.99.99"), 0);
  EXPECT_EQ(CompareVersions("0.2.0", "0.2.0"), 0);
}

TEST(Version, MissingPartsCountAsZero) {
  EXPECT_EQ(CompareVersions("0.2", "0.2.0"), 0);
  EXPECT_LT(CompareVersions("0.2", "0.2.1"), 0);
  EXPECT_GT(CompareVersions("0.2.1", ""), 0);
  EXPECT_EQ(CompareVersions("unpackaged", "0"), 0);
}

}  // namespace
}  // namespace tviews
