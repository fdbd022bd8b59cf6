#include "shared/row_estimate.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace tviews {
namespace {

TEST(RowEstimate, IsTheNumberOfRowsAsFarAsAnIntegerHoldsIt) {
  EXPECT_EQ(RowEstimate(0), 0U);
  EXPECT_EQ(RowEstimate(12.7), 12U);
  EXPECT_EQ(RowEstimate(1e100), 1000000000000000U);
  EXPECT_EQ(RowEstimate(std::numeric_limits<double>::infinity()), 1000000000000000U);
}

TEST(RowEstimate, IsNothingWhereThePlannerSaysNothing) {
  EXPECT_EQ(RowEstimate(-1), 0U);
  EXPECT_EQ(RowEstimate(std::nan("")), 0U);
}

}  // namespace
}  // namespace tviews
