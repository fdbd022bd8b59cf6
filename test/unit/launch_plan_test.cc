#include "worker/core/launch_plan.h"

#include <gtest/gtest.h>

#include <optional>

namespace tviews::worker {
namespace {

constexpr Timestamp kSecond = 1000000;
constexpr Timestamp kNow = 1000 * kSecond;

// Starts whoever is next, which must be `database`, and lets it end `life` later without work.
Timestamp StartAndEnd(LaunchPlan* plan, DatabaseId database, Timestamp now, Timestamp life) {
  EXPECT_EQ(plan->Next(now), database);
  plan->NoteStarted(database, now);
  plan->NoteEnded(database, 0, now + life);
  return now + life;
}

TEST(LaunchPlan, StartsNobodyWhomNobodyWants) { EXPECT_EQ(LaunchPlan().Next(kNow), std::nullopt); }

TEST(LaunchPlan, WantingTwiceIsWantingOnce) {
  LaunchPlan plan;
  plan.Want(5);
  plan.Want(5);
  plan.NoteStarted(5, kNow);
  EXPECT_EQ(plan.Next(kNow), std::nullopt);
  EXPECT_EQ(plan.running(), 1);
}

TEST(LaunchPlan, DatabasesComeInTurn) {
  LaunchPlan plan;
  for (const DatabaseId database : {5, 6, 7}) plan.Want(database);
  Timestamp now = kNow;
  for (const DatabaseId database : {5, 6, 7, 5, 6, 7}) {
    now = StartAndEnd(&plan, database, now, 2 * kSecond);
    plan.Want(database);
  }
}

TEST(LaunchPlan, OneThatIsWantedAgainWhileItRunsIsStartedAfterItsEnd) {
  LaunchPlan plan;
  plan.Want(5);
  plan.NoteStarted(5, kNow);
  plan.Want(5);
  EXPECT_EQ(plan.Next(kNow), std::nullopt);
  plan.NoteEnded(5, 0, kNow + 10 * kSecond);
  EXPECT_EQ(plan.Next(kNow + 10 * kSecond), 5);
}

TEST(LaunchPlan, OneThatEndsWithoutHavingDoneAnythingWaitsLongerEachTime) {
  LaunchPlan plan;
  plan.Want(5);
  Timestamp now = kNow;
  for (const Timestamp pause : {Timestamp{0}, kSecond / 10, kSecond / 5}) {
    now = StartAndEnd(&plan, 5, now, 1000);
    plan.Want(5);
    if (pause > 0) {
      EXPECT_EQ(plan.Next(now + pause - 1), std::nullopt);
    }
    EXPECT_EQ(plan.Next(now + pause), 5);
    now += pause;
  }
}

TEST(LaunchPlan, OneThatHasWorkedIsStartedAgainAtOnce) {
  LaunchPlan plan;
  plan.Want(5);
  Timestamp now = kNow;
  for (int i = 0; i < 3; ++i) {
    plan.NoteStarted(5, now);
    plan.NoteEnded(5, now + 500, now + 1000);
    plan.Want(5);
    now += 1000;
    EXPECT_EQ(plan.Next(now), 5);
  }
}

TEST(LaunchPlan, WithoutAFreeWorkerOthersComeFirstAndItIsTriedAgainAfterASecond) {
  LaunchPlan plan;
  plan.Want(5);
  plan.Want(6);
  plan.NoteNoWorker(5, kNow);
  EXPECT_EQ(plan.Next(kNow), 6);
  plan.NoteStarted(6, kNow);
  EXPECT_EQ(plan.Next(kNow + kSecond - 1), std::nullopt);
  EXPECT_EQ(plan.Next(kNow + kSecond), 5);
}

TEST(LaunchPlan, AFreedPlaceEndsAllWaits) {
  LaunchPlan plan;
  plan.Want(5);
  plan.NoteNoWorker(5, kNow);
  plan.EndWaits();
  EXPECT_EQ(plan.Next(kNow), 5);
}

TEST(LaunchPlan, IsVisitingUntilTheNewcomerHasSettledOrTimeIsUp) {
  LaunchPlan plan;
  plan.Want(5);
  plan.NoteStarted(5, kNow);
  const auto never = [](DatabaseId) { return false; };
  EXPECT_TRUE(plan.IsVisiting(kNow + LaunchPlan::kVisitTime, never));
  EXPECT_FALSE(plan.IsVisiting(kNow + LaunchPlan::kVisitTime + 1, never));
  EXPECT_FALSE(plan.IsVisiting(kNow, [](DatabaseId database) { return database == 5; }));
}

TEST(LaunchPlan, NapsUntilABackOffEndsButNeverForNothing) {
  LaunchPlan plan;
  EXPECT_EQ(plan.NextAt(kNow, 5 * kSecond), kNow + 5 * kSecond);
  plan.Want(5);
  EXPECT_EQ(plan.NextAt(kNow, 5 * kSecond), kNow + kSecond / 10);
  plan.NoteNoWorker(5, kNow);
  EXPECT_EQ(plan.NextAt(kNow, 5 * kSecond), kNow + kSecond);
}

TEST(LaunchPlan, ForgetsABackOffOnlySomeTimeAfterItsEnd) {
  LaunchPlan plan;
  plan.Want(5);
  Timestamp now = StartAndEnd(&plan, 5, kNow, 1000);
  plan.Want(5);
  now = StartAndEnd(&plan, 5, now, 1000);
  plan.Forget(now + 5 * kSecond);
  plan.Want(5);
  now = StartAndEnd(&plan, 5, now + kSecond, 1000);
  plan.Want(5);
  EXPECT_EQ(plan.Next(now + kSecond / 5 - 1), std::nullopt) << "the doubled pause was forgotten";
  now = StartAndEnd(&plan, 5, now + kSecond, 1000);
  plan.Forget(now + 10 * kSecond);
  plan.Want(5);
  now = StartAndEnd(&plan, 5, now + 10 * kSecond, 1000);
  plan.Want(5);
  EXPECT_EQ(plan.Next(now), 5) << "the pauses should have begun anew";
}

}  // namespace
}  // namespace tviews::worker
