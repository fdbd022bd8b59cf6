#include "worker/core/repetition.h"

#include <gtest/gtest.h>

#include <vector>

namespace tviews::worker {
namespace {

constexpr Timestamp kNow = 1000000000;

// What passes, and says nothing about the data: everything but these two.
std::vector<Ending> PassingEndings() {
  return {Ending::kGaveWay,     Ending::kTimedOut, Ending::kCancelled,
          Ending::kLockTimeout, Ending::kShortage, Ending::kPassing};
}

TEST(Repetition, IsDueAtTheBeginningAndUntilABatchSucceeds) {
  Repetition repetition;
  EXPECT_TRUE(repetition.is_due());
  EXPECT_EQ(repetition.until(), 0);
  EXPECT_EQ(repetition.After(Ending::kCommitted, kNow).next, Next::kRest);
  EXPECT_FALSE(repetition.is_due());
  repetition.After(Ending::kPassing, kNow);
  EXPECT_TRUE(repetition.is_due());
  repetition.After(Ending::kCommitted, kNow);
  EXPECT_FALSE(repetition.is_due());
}

TEST(Repetition, RepeatsWhatPassesAtOnceAndThenAfterPausesThatDoubleUpToASecond) {
  for (const Ending ending : PassingEndings()) {
    Repetition repetition;
    Timestamp now = kNow;
    for (const Timestamp pause :
         {0, 20000, 40000, 80000, 160000, 320000, 640000, 1000000, 1000000}) {
      EXPECT_EQ(repetition.After(ending, now).next, Next::kBackOff);
      EXPECT_EQ(repetition.until() - now, pause);
      EXPECT_EQ(repetition.mode(), BatchMode::kTogether);
      now = repetition.until();
    }
  }
}

TEST(Repetition, TellsOnceAboutWhatShouldPassAndStays) {
  Repetition repetition;
  std::vector<int> told;
  for (int i = 0; i < 20; ++i) {
    if (repetition.After(Ending::kPassing, kNow).is_logged) told.push_back(i);
  }
  EXPECT_EQ(told, (std::vector<int>{5}));
  repetition.After(Ending::kCommitted, kNow);
  EXPECT_FALSE(repetition.After(Ending::kPassing, kNow).is_logged);
}

TEST(Repetition, FindsTheKeysThatFailWithoutAPause) {
  Repetition repetition;
  repetition.After(Ending::kPassing, kNow);
  repetition.After(Ending::kPassing, kNow);
  const Repetition::Step step = repetition.After(Ending::kData, kNow);
  EXPECT_EQ(step.next, Next::kApart);
  EXPECT_TRUE(step.is_logged);
  EXPECT_EQ(repetition.mode(), BatchMode::kApart);
  EXPECT_EQ(repetition.until(), 0);
}

TEST(Repetition, BacksOffWhereCareDoesNotHelpAndSaysSoEachTime) {
  Repetition repetition;
  repetition.After(Ending::kData, kNow);
  for (int i = 0; i < 10; ++i) {
    const Repetition::Step step = repetition.After(Ending::kData, kNow);
    EXPECT_EQ(step.next, Next::kBackOff);
    EXPECT_TRUE(step.is_logged);
    EXPECT_EQ(repetition.mode(), BatchMode::kApart);
  }
  EXPECT_EQ(repetition.until(), kNow + 1000000);
}

TEST(Repetition, GoesOnApartUntilABatchSucceeds) {
  Repetition repetition;
  repetition.After(Ending::kData, kNow);
  repetition.After(Ending::kPassing, kNow);
  EXPECT_EQ(repetition.mode(), BatchMode::kApart);
  repetition.After(Ending::kCommitted, kNow);
  EXPECT_EQ(repetition.mode(), BatchMode::kTogether);
}

TEST(Repetition, WaitsForALockThatIsInTheWayHoweverOften) {
  Repetition repetition;
  for (int i = 0; i < 10; ++i) {
    const Repetition::Step step = repetition.After(Ending::kLockInTheWay, kNow);
    EXPECT_EQ(step.next, Next::kAwaitLock);
    EXPECT_FALSE(step.is_logged);
  }
  // The wait was the pause.
  EXPECT_EQ(repetition.until(), 0);
}

TEST(Repetition, TakesCatalogsThatMoveOnceForOrdinary) {
  Repetition repetition;
  EXPECT_EQ(repetition.After(Ending::kOutdated, kNow).next, Next::kAtOnce);
  EXPECT_EQ(repetition.until(), kNow);
  EXPECT_EQ(repetition.After(Ending::kOutdated, kNow).next, Next::kBackOff);
  EXPECT_EQ(repetition.until(), kNow + 20000);
  repetition.After(Ending::kCommitted, kNow);
  EXPECT_EQ(repetition.After(Ending::kOutdated, kNow).next, Next::kAtOnce);
}

TEST(Ending, OfAnInterruptionIsNeverTheDatasFault) {
  for (const Ending ending : {Ending::kGaveWay, Ending::kTimedOut, Ending::kCancelled}) {
    EXPECT_FALSE(IsAgainstTheData(ending, Trust::kPatient));
    EXPECT_FALSE(IsAgainstTheData(ending, Trust::kExhausted));
  }
}

TEST(Ending, ThatMayPassIsTheDatasFaultOnceThePatienceIsExhausted) {
  for (const Ending ending : {Ending::kLockTimeout, Ending::kShortage, Ending::kPassing}) {
    EXPECT_FALSE(IsAgainstTheData(ending, Trust::kPatient));
    EXPECT_TRUE(IsAgainstTheData(ending, Trust::kExhausted));
  }
  EXPECT_TRUE(IsAgainstTheData(Ending::kData, Trust::kPatient));
  EXPECT_FALSE(IsAgainstTheData(Ending::kCommitted, Trust::kExhausted));
}

TEST(Repetition, ABatchWithoutTheTviewThatFailedIsAnotherOne) {
  Repetition repetition;
  for (int i = 0; i < 8; ++i) repetition.After(Ending::kPassing, kNow);
  EXPECT_GT(repetition.until(), kNow);
  const Repetition::Step step = repetition.After(Ending::kPassing, kNow, true);
  EXPECT_EQ(step.next, Next::kBackOff);
  EXPECT_FALSE(step.is_logged);
  EXPECT_TRUE(repetition.is_due());
  EXPECT_LE(repetition.until(), kNow);
}

}  // namespace
}  // namespace tviews::worker
