#include "worker/core/back_off.h"

#include <gtest/gtest.h>

#include <vector>

namespace tviews::worker {
namespace {

// The pauses that a number of failures in a row lead to.
std::vector<Timestamp> PausesOf(BackOff back_off, int failures) {
  std::vector<Timestamp> pauses;
  Timestamp now = 1000000;
  for (int i = 0; i < failures; ++i) {
    back_off.NoteFailure(now);
    pauses.push_back(back_off.until() - now);
    now = back_off.until();
  }
  return pauses;
}

TEST(BackOff, IsOverBeforeAnythingFailed) {
  EXPECT_TRUE(BackOff({.first = 10, .longest = 100}).IsOver(0));
}

TEST(BackOff, DoublesUpToTheLongestPause) {
  EXPECT_EQ(PausesOf(BackOff({.first = 10, .longest = 70}), 5),
            (std::vector<Timestamp>{10, 20, 40, 70, 70}));
}

TEST(BackOff, AnswersTheFirstFailuresWithoutAPause) {
  EXPECT_EQ(PausesOf(BackOff({.first = 10, .longest = 70, .free = 2}), 4),
            (std::vector<Timestamp>{0, 0, 10, 20}));
}

TEST(BackOff, LastsUntilItsEndAndNoLonger) {
  BackOff back_off({.first = 10, .longest = 100});
  back_off.NoteFailure(50);
  EXPECT_FALSE(back_off.IsOver(59));
  EXPECT_TRUE(back_off.IsOver(60));
}

TEST(BackOff, WaitsForOtherReasonsWithoutCountingThem) {
  BackOff back_off({.first = 10, .longest = 100});
  back_off.WaitUntil(70);
  EXPECT_FALSE(back_off.IsOver(69));
  EXPECT_EQ(PausesOf(back_off, 1), (std::vector<Timestamp>{10}));
}

TEST(BackOff, BeginsAgainAfterASuccess) {
  BackOff back_off({.first = 10, .longest = 100, .free = 1});
  back_off.NoteFailure(0);
  back_off.NoteFailure(0);
  back_off.Reset();
  EXPECT_TRUE(back_off.IsOver(0));
  EXPECT_EQ(back_off.failures(), 0);
  EXPECT_EQ(PausesOf(back_off, 2), (std::vector<Timestamp>{0, 10}));
}

}  // namespace
}  // namespace tviews::worker
