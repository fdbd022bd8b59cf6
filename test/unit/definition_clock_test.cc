#include "shared/definition_clock.h"

#include <gtest/gtest.h>

namespace tviews {
namespace {

constexpr Timestamp kMinute = 60 * Timestamp{1000000};

TEST(DefinitionClock, HasAPeriodOnlyWhereTheDefinitionUsesIt) {
  EXPECT_FALSE(ClockPeriodOf({}).has_value());
  EXPECT_FALSE(ClockPeriodOf({{.name = "TimeZone", .value = "UTC"}}).has_value());
  EXPECT_EQ(ClockPeriodOf({{.name = kClockSetting, .value = "60000"}}), kMinute);
}

TEST(DefinitionClock, APeriodThatNobodyCanHaveSetIsNone) {
  for (const char* value : {"", "x", "0", "-5", "99999999999999999999"}) {
    EXPECT_FALSE(ClockPeriodOf({{.name = kClockSetting, .value = value}}).has_value()) << value;
  }
}

TEST(DefinitionClock, StandsStillWithinAPeriodAlsoBefore2000) {
  for (const Timestamp begin : {Timestamp{0}, 7 * kMinute, -3 * kMinute}) {
    EXPECT_EQ(ClockAt(begin, kMinute), begin);
    EXPECT_EQ(ClockAt(begin + kMinute - 1, kMinute), begin);
    EXPECT_EQ(NextTick(begin, kMinute), begin + kMinute);
    EXPECT_EQ(NextTick(begin + kMinute - 1, kMinute), begin + kMinute);
  }
}

}  // namespace
}  // namespace tviews
