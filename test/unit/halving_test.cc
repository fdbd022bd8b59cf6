#include "worker/core/halving.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "random_seed.h"

namespace tviews::worker {
namespace {

// A key with an error of its own fails; a set fails with the error of its first such key.
class Trial : public KeyTrial {
 public:
  absl::Status Try(absl::Span<const std::string> keys) override {
    ++attempts;
    for (const std::string& key : keys) {
      if (const auto found = errors.find(key); found != errors.end()) return found->second;
    }
    succeeded.insert(keys.begin(), keys.end());
    return absl::OkStatus();
  }
  bool EndsSearch(const absl::Status& error) const override { return absl::IsUnavailable(error); }
  absl::Status Condemn(const std::string& key, const absl::Status& error) override {
    condemned[key] = error;
    return condemn_status;
  }
  bool IsGivenUp() const override { return condemned.size() >= most; }

  std::map<std::string, absl::Status> errors;
  absl::Status condemn_status;
  std::size_t most = 1000000;
  int attempts = 0;
  std::set<std::string> succeeded;
  std::map<std::string, absl::Status> condemned;
};

std::vector<std::string> Keys(int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) keys.push_back(std::to_string(i));
  return keys;
}

const absl::Status kTogether = absl::InternalError("together");

TEST(Halving, CondemnsExactlyTheKeysThatFailEachWithItsOwnError) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 200; ++round) {
    Trial trial;
    const std::vector<std::string> keys = Keys(2 + static_cast<int>(random() % 40));
    for (const std::string& key : keys) {
      if (random() % 4 == 0) trial.errors[key] = absl::InternalError(key);
    }
    if (trial.errors.empty()) trial.errors[keys[0]] = absl::InternalError(keys[0]);
    ASSERT_TRUE(Halve(keys, kTogether, &trial).ok());
    EXPECT_EQ(trial.condemned, trial.errors);
    EXPECT_EQ(trial.succeeded.size(), keys.size() - trial.errors.size());
  }
}

TEST(Halving, TakesTwoAttemptsForEachHalvingOfOneFailingKey) {
  Trial trial;
  trial.errors["700"] = absl::InternalError("700");
  ASSERT_TRUE(Halve(Keys(1024), kTogether, &trial).ok());
  EXPECT_EQ(trial.attempts, 20);
}

TEST(Halving, CondemnsASingleKeyWithTheErrorThatIsKnown) {
  Trial trial;
  ASSERT_TRUE(Halve(Keys(1), kTogether, &trial).ok());
  EXPECT_EQ(trial.attempts, 0);
  EXPECT_EQ(trial.condemned.at("0"), kTogether);
}

TEST(Halving, FindsNoFaultInKeysThatFailTogetherOnly) {
  Trial trial;
  ASSERT_TRUE(Halve(Keys(10), kTogether, &trial).ok());
  EXPECT_TRUE(trial.condemned.empty());
  EXPECT_EQ(trial.succeeded.size(), 10u);
}

TEST(Halving, EndsAtAnErrorThatIsNotTheKeys) {
  Trial trial;
  trial.errors["0"] = absl::InternalError("0");
  trial.errors["5"] = absl::UnavailableError("gone");
  EXPECT_TRUE(absl::IsUnavailable(Halve(Keys(10), kTogether, &trial)));
  EXPECT_FALSE(trial.condemned.contains("5"));
}

TEST(Halving, EndsWhereAKeyCannotBeCondemned) {
  Trial trial;
  trial.errors["0"] = absl::InternalError("0");
  trial.condemn_status = absl::DataLossError("letter");
  EXPECT_TRUE(absl::IsDataLoss(Halve(Keys(10), kTogether, &trial)));
}

TEST(Halving, GivesUpOnceTooManyAreCondemned) {
  Trial trial;
  trial.most = 3;
  for (const std::string& key : Keys(64)) trial.errors[key] = absl::InternalError(key);
  ASSERT_TRUE(Halve(Keys(64), kTogether, &trial).ok());
  EXPECT_EQ(trial.condemned.size(), 3u);
}

}  // namespace
}  // namespace tviews::worker
