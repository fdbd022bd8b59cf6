#include "worker/core/standings.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tviews::worker {
namespace {

constexpr Timestamp kMs = 1000;
constexpr Timestamp kSecond = 1000 * kMs;
constexpr Timestamp kNow = 100000 * kSecond;

TviewDefinition Tview(RelationId relation, const std::vector<RelationId>& sources) {
  TviewDefinition tview;
  tview.relation = relation;
  tview.qualified_name = "public.tv_" + std::to_string(relation);
  for (const RelationId source : sources) tview.sources.emplace_back().source = source;
  return tview;
}

// The TVIEWs 10 over table 1, 20 over 10, and 30 over table 2, and batches over them.
class StandingsTest : public testing::Test {
 protected:
  StandingsTest() { Load({}); }

  void Load(const std::vector<Standings::Behind>& behind, std::set<RelationId> dormant = {}) {
    std::vector<TviewDefinition> tviews = {Tview(10, {1}), Tview(20, {10}), Tview(30, {2})};
    for (TviewDefinition& tview : tviews) tview.is_quarantined = dormant.contains(tview.relation);
    graph_ = *DependencyGraph::Build(std::move(tviews));
    standings_.Load(graph_, behind, now_);
  }
  const TviewDefinition& Of(RelationId tview) const { return *graph_.Find(tview); }
  std::string ObstacleTo(RelationId tview) const {
    return standings_.ObstacleTo(Of(tview), graph_, now_);
  }

  // A batch that concerns `touched`: it leaves aside what has an obstacle, and commits.
  std::set<RelationId> Batch(const std::set<RelationId>& touched) {
    std::set<RelationId> refreshed;
    standings_.BeginBatch();
    for (const TviewDefinition& tview : graph_.order()) {
      const bool is_touched = touched.contains(tview.relation);
      if (!is_touched && !standings_.IsBehind(tview.relation)) continue;
      if (ObstacleTo(tview.relation).empty()) {
        standings_.CatchUp(tview.relation);
        refreshed.insert(tview.relation);
      } else {
        standings_.LeaveAside(tview, is_touched);
      }
    }
    standings_.Commit();
    return refreshed;
  }
  std::string Fail(RelationId tview, Ending ending, Timestamp spent = 0) {
    return standings_.Blame(tview, {.ending = ending, .error = "no room", .spent = spent}, now_);
  }

  Timestamp now_ = kNow;
  DependencyGraph graph_;
  Standings standings_;
};

TEST_F(StandingsTest, EverythingFollowsAtFirst) {
  EXPECT_EQ(Batch({10, 20, 30}), (std::set<RelationId>{10, 20, 30}));
  EXPECT_FALSE(standings_.AnyBehind());
  EXPECT_FALSE(standings_.AnyDormant());
  EXPECT_FALSE(standings_.MustBeApart());
  EXPECT_EQ(standings_.TryDueMs(now_), -1);
  EXPECT_EQ(standings_.TrustIn(10), Trust::kPatient);
}

TEST_F(StandingsTest, OneThatGaveWayIsLeftAsideWithThoseThatReadIt) {
  EXPECT_EQ(Fail(10, Ending::kGaveWay), "");
  EXPECT_EQ(Batch({10, 20, 30}), (std::set<RelationId>{30}));
  EXPECT_EQ(ObstacleTo(10), "its refresh gave way to a session that waited for a lock");
  EXPECT_EQ(ObstacleTo(20), "it reads public.tv_10, which is behind");
  EXPECT_EQ(standings_.WaitedFor(), (std::set<RelationId>{10, 20}));
  EXPECT_EQ(standings_.GivenUp(), 0u);
  EXPECT_EQ(standings_.TryDueMs(now_), 0);
  now_ += kSecond;
  EXPECT_EQ(Batch({}), (std::set<RelationId>{10, 20}));
  EXPECT_FALSE(standings_.AnyBehind());
}

TEST_F(StandingsTest, OneThatNothingConcernsIsNotLeftAside) {
  Fail(10, Ending::kGaveWay);
  Batch({30});
  EXPECT_FALSE(standings_.AnyBehind());
  // And what held it back is forgotten.
  EXPECT_EQ(ObstacleTo(10), "");
}

TEST_F(StandingsTest, OneThatLacksALockIsHeldBackForPausesThatGrowToHalfAMinute) {
  for (const Timestamp pause : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_EQ(Fail(10, Ending::kLockTimeout), "");
    Batch({10});
    now_ += pause * kSecond - 1;
    EXPECT_EQ(ObstacleTo(10), "a lock that its refresh needs is held by another session");
    now_ += 1;
    EXPECT_EQ(ObstacleTo(10), "");
  }
}

TEST_F(StandingsTest, NobodyWaitsForOneThatHasLackedALockForHalfAMinute) {
  for (const Timestamp pause : {1, 2, 4, 8, 16}) {
    Fail(10, Ending::kLockTimeout);
    Batch({10, 20});
    EXPECT_EQ(standings_.WaitedFor(), (std::set<RelationId>{10, 20}));
    now_ += pause * kSecond;
  }
  Fail(10, Ending::kLockTimeout);
  Batch({10, 20});
  EXPECT_EQ(standings_.WaitedFor(), std::set<RelationId>());
  EXPECT_EQ(standings_.GivenUp(), 2u);
  // It is still tried, and catches up with the lock.
  now_ += 30 * kSecond;
  EXPECT_EQ(ObstacleTo(10), "");
}

TEST_F(StandingsTest, OneThatHasGivenWayFiveTimesGoesThrough) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(standings_.GivesWay(10));
    Fail(10, Ending::kGaveWay);
    Batch({10});
    now_ += 30 * kSecond;
  }
  EXPECT_FALSE(standings_.GivesWay(10));
  Batch({10});
  EXPECT_TRUE(standings_.GivesWay(10));
}

TEST_F(StandingsTest, OneThatTakesTooLongIsLeftBehindForTenTimesAsLong) {
  EXPECT_EQ(Fail(10, Ending::kTimedOut, 7 * kSecond),
            "its refresh took longer than pg_tviews.refresh_timeout allows (7000 ms)");
  EXPECT_EQ(Batch({10, 20, 30}), (std::set<RelationId>{30}));
  // Nobody waits for it, nor for the one that reads it.
  EXPECT_EQ(standings_.WaitedFor(), std::set<RelationId>());
  EXPECT_EQ(standings_.GivenUp(), 2u);
  EXPECT_EQ(standings_.TryDueMs(now_), 70000);
  now_ += 70 * kSecond;
  EXPECT_EQ(standings_.TryDueMs(now_), 0);
  EXPECT_EQ(Batch({}), (std::set<RelationId>{10, 20}));
  EXPECT_EQ(standings_.GivenUp(), 0u);
}

TEST_F(StandingsTest, OneThatIsCancelledIsLeftBehind) {
  EXPECT_EQ(Fail(10, Ending::kCancelled, kMs), "its refresh was cancelled");
  Batch({10});
  EXPECT_EQ(standings_.GivenUp(), 1u);
  EXPECT_EQ(standings_.TryDueMs(now_), 1000);
}

TEST_F(StandingsTest, OneThatIsAskedForIsTriedBeforeItsTime) {
  Fail(10, Ending::kTimedOut, 60 * kSecond);
  Batch({10});
  standings_.Ask(10);
  EXPECT_EQ(Batch({}), (std::set<RelationId>{10}));
}

TEST_F(StandingsTest, ThePauseOfALockSaysNothingAboutAFault) {
  for (int i = 0; i < 6; ++i) Fail(10, Ending::kGaveWay);
  Fail(10, Ending::kTimedOut, 0);
  Batch({10});
  EXPECT_EQ(standings_.TryDueMs(now_), 1000);
}

TEST_F(StandingsTest, AShortageIsRepeatedFourTimesAndThenLeavesItBehindButWaitedFor) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Fail(10, Ending::kShortage), "");
  EXPECT_EQ(ObstacleTo(10), "");
  EXPECT_EQ(Fail(10, Ending::kShortage), "its refresh fails: no room");
  Batch({10});
  EXPECT_EQ(standings_.WaitedFor(), (std::set<RelationId>{10}));
  // From then on each failure counts, until it is none of a resource any more.
  for (int i = 1; i < 6; ++i) {
    EXPECT_EQ(standings_.TrustIn(10), Trust::kPatient);
    now_ += 60 * kSecond;
    EXPECT_EQ(Fail(10, Ending::kShortage), "its refresh fails: no room");
    Batch({10});
  }
  EXPECT_EQ(standings_.TrustIn(10), Trust::kExhausted);
  EXPECT_EQ(standings_.TrustIn(30), Trust::kPatient);
}

TEST_F(StandingsTest, ASuccessBetweenShortagesForgetsThem) {
  for (int i = 0; i < 4; ++i) Fail(10, Ending::kShortage);
  Batch({10});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Fail(10, Ending::kShortage), "");
}

TEST_F(StandingsTest, ErrorsThatPassAreRepeatedFourTimesThenOnTheirOwnAndThenCallForCare) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Fail(10, Ending::kPassing), "");
  EXPECT_EQ(ObstacleTo(10), "");
  for (const Timestamp pause : {250, 500, 1000, 2000}) {
    EXPECT_EQ(standings_.TrustIn(10), Trust::kPatient);
    EXPECT_FALSE(standings_.MustBeApart());
    EXPECT_EQ(Fail(10, Ending::kPassing), "its refresh fails: no room");
    // The others go on, and sessions wait for it.
    EXPECT_EQ(Batch({10, 30}), (std::set<RelationId>{30}));
    EXPECT_EQ(standings_.WaitedFor(), (std::set<RelationId>{10}));
    now_ += pause * kMs - 1;
    EXPECT_NE(ObstacleTo(10), "");
    now_ += 1;
    EXPECT_EQ(ObstacleTo(10), "");
  }
  EXPECT_EQ(standings_.TrustIn(10), Trust::kExhausted);
  EXPECT_EQ(standings_.TrustIn(30), Trust::kPatient);
  EXPECT_TRUE(standings_.MustBeApart());
}

TEST_F(StandingsTest, ErrorsThatPassAreRepeatedOnceWhereThatTakesLong) {
  EXPECT_EQ(Fail(10, Ending::kPassing, 10 * kSecond), "");
  EXPECT_EQ(Fail(10, Ending::kPassing, 10 * kSecond), "its refresh fails: no room");
  Batch({10});
  now_ += 10 * kSecond - 1;
  EXPECT_NE(ObstacleTo(10), "");
}

TEST_F(StandingsTest, ErrorsOfTheDataDoNotExhaustThePatience) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Fail(10, Ending::kData), "");
  EXPECT_EQ(standings_.TrustIn(10), Trust::kPatient);
}

TEST_F(StandingsTest, OneThatIsDistrustedExhaustsThePatienceSoonerUntilNothingIsInQuarantine) {
  const auto exhaust = [this] {
    int failures = 0;
    for (; standings_.TrustIn(10) == Trust::kPatient; now_ += 60 * kSecond) {
      if (!Fail(10, Ending::kPassing).empty()) ++failures;
      if (failures > 0) Batch({10});
    }
    return failures;
  };
  EXPECT_EQ(exhaust(), 4);
  standings_.NoteQuarantine(true);
  Batch({10});
  EXPECT_EQ(standings_.TrustIn(10), Trust::kPatient);
  EXPECT_EQ(exhaust(), 1);
  standings_.NoteQuarantine(false);
  Batch({10});
  EXPECT_EQ(exhaust(), 4);
}

TEST_F(StandingsTest, AnythingInQuarantineCallsForCare) {
  standings_.NoteQuarantine(true);
  EXPECT_TRUE(standings_.MustBeApart());
}

TEST_F(StandingsTest, OneInQuarantineIsTriedAgainAfterPausesThatDoubleUpToAMinute) {
  Load({}, {30});
  for (const Timestamp pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_TRUE(standings_.AnyDormant());
    now_ += pause * kSecond - 1;
    EXPECT_FALSE(standings_.AnyToRetry(now_));
    // A graph that is read again changes nothing.
    Load({}, {30});
    now_ += 1;
    EXPECT_TRUE(standings_.IsToRetry(30, now_));
    EXPECT_FALSE(standings_.IsToRetry(10, now_));
    standings_.Retry(30, now_);
  }
  Load({});
  EXPECT_FALSE(standings_.AnyDormant());
}

TEST_F(StandingsTest, OneThatABatchPutsIntoQuarantineIsTriedAgainWithoutAnotherGraph) {
  standings_.Quarantine(10, now_);
  standings_.Commit();
  EXPECT_TRUE(standings_.IsToRetry(10, now_ + kSecond));
}

TEST_F(StandingsTest, ABatchThatFailedIsForgotten) {
  standings_.Quarantine(10, now_);
  standings_.BeginBatch();
  Fail(30, Ending::kGaveWay);
  standings_.LeaveAside(Of(30), true);
  Load({});
  EXPECT_FALSE(standings_.AnyDormant());
  EXPECT_FALSE(standings_.AnyBehind());
}

TEST_F(StandingsTest, AnApplierGoesOnWithTheRestThatTheOneBeforeItHasGiven) {
  Load({{.tview = 10, .reason = "its refresh was cancelled", .retry_at = now_ + 90 * kSecond},
        {.tview = 20, .reason = "it reads public.tv_10", .retry_at = now_ + 90 * kSecond},
        {.tview = 30, .reason = "relation t is locked"}});
  EXPECT_EQ(ObstacleTo(10), "its refresh was cancelled");
  EXPECT_EQ(ObstacleTo(20), "");  // but for 10, in a batch
  EXPECT_EQ(ObstacleTo(30), "");
  EXPECT_EQ(Batch({}), (std::set<RelationId>{30}));
  EXPECT_EQ(standings_.GivenUp(), 2u);
  EXPECT_EQ(standings_.TryDueMs(now_), 90000);
  now_ += 90 * kSecond;
  Fail(10, Ending::kCancelled);
  Batch({});
  EXPECT_EQ(standings_.TryDueMs(now_), 180000);
}

TEST_F(StandingsTest, TheTablesAreToldOnceForEachReason) {
  Fail(10, Ending::kGaveWay);
  standings_.BeginBatch();
  const std::optional<Standings::Leaving> first = standings_.LeaveAside(Of(10), true);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->is_first);
  EXPECT_EQ(first->retry_at, 0);
  standings_.Commit();
  standings_.BeginBatch();
  EXPECT_FALSE(standings_.LeaveAside(Of(10), false).has_value());
  standings_.Commit();
  Fail(10, Ending::kTimedOut, kSecond);
  standings_.BeginBatch();
  const std::optional<Standings::Leaving> again = standings_.LeaveAside(Of(10), false);
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->is_first);
  EXPECT_EQ(again->retry_at, now_ + 10 * kSecond);
}

TEST_F(StandingsTest, SessionsWaitForThoseThatWaitToBeAdopted) {
  standings_.AwaitAdoption({40});
  EXPECT_TRUE(standings_.AnyBehind());
  EXPECT_EQ(standings_.WaitedFor(), (std::set<RelationId>{40}));
  EXPECT_EQ(standings_.LookDueMs(now_), 0);
  EXPECT_EQ(standings_.TryDueMs(now_), -1);
  standings_.AwaitAdoption({});
  EXPECT_FALSE(standings_.AnyBehind());
}

TEST_F(StandingsTest, OneThatEndsAppliersIsAccusedUntilABatchTellsSo) {
  standings_.Accuse(10, "it ends the applier", 6 * kSecond, now_);
  EXPECT_TRUE(standings_.AnyAccused());
  EXPECT_EQ(ObstacleTo(10), "it ends the applier");
  EXPECT_EQ(Batch({10, 20, 30}), (std::set<RelationId>{30}));
  EXPECT_FALSE(standings_.IsAccused(10));
  EXPECT_TRUE(standings_.IsBehind(10));
  EXPECT_EQ(standings_.GivenUp(), 2U);  // with the one that reads it
  now_ += 61 * kSecond;
  EXPECT_EQ(Batch({}), (std::set<RelationId>{10, 20}));
  EXPECT_FALSE(standings_.AnyAccused());
}

}  // namespace
}  // namespace tviews::worker
