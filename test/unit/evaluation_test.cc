#include "shared/evaluation.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TEST(Evaluation, AStatementArrivesAsItWasSent) {
  const Evaluation sent = {
      .owner = 4294967295U,
      .settings = {{.name = "TimeZone", .value = "UTC"}, {.name = "DateStyle", .value = ""}},
      .sql = std::string("SELECT '\0'", 10),
      .parameters = {"a", std::nullopt, ""},
      .with_batch_costs = false,
      .with_key_planning = true,
      .with_states_of = 4711,
      .is_planned_only = true,
      .lane = "slow"};
  const std::optional<Evaluation> got = DecodeEvaluation(EncodeEvaluation(sent));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->owner, sent.owner);
  EXPECT_EQ(got->sql, sent.sql);
  ASSERT_EQ(got->settings.size(), 2U);
  EXPECT_EQ(got->settings[0].value, "UTC");
  EXPECT_EQ(got->settings[1].name, "DateStyle");
  EXPECT_EQ(got->parameters, sent.parameters);
  EXPECT_FALSE(got->with_batch_costs);
  EXPECT_TRUE(got->with_key_planning);
  EXPECT_EQ(got->with_states_of, 4711U);
  EXPECT_TRUE(got->is_planned_only);
  EXPECT_EQ(got->lane, "slow");
}

TEST(Evaluation, ARowKeepsNullApartFromEmptyText) {
  const EvaluatedRow row = {"", std::nullopt, std::string(100000, 'x')};
  const std::optional<EvaluationAnswer> answer = DecodeAnswer(EncodeRow(row));
  ASSERT_TRUE(answer.has_value() && answer->row.has_value());
  EXPECT_EQ(*answer->row, row);
  EXPECT_FALSE(answer->end.has_value());
  EXPECT_FALSE(answer->failure.has_value());
}

TEST(Evaluation, ARowWithoutColumnsIsARow) {
  const std::optional<EvaluationAnswer> answer = DecodeAnswer(EncodeRow({}));
  ASSERT_TRUE(answer.has_value() && answer->row.has_value());
  EXPECT_TRUE(answer->row->empty());
}

TEST(Evaluation, AnEndTellsHowManyRowsThereWere) {
  const std::optional<EvaluationAnswer> answer = DecodeAnswer(EncodeEnd({.processed = 1ULL << 40}));
  ASSERT_TRUE(answer.has_value() && answer->end.has_value());
  EXPECT_EQ(answer->end->processed, 1ULL << 40);
}

TEST(Evaluation, ACostArrivesToTheLastBit) {
  for (const double cost : {0.0, 1e-300, 1.0 / 3.0, 12345678.912345678}) {
    const std::optional<EvaluationAnswer> answer = DecodeAnswer(EncodeEnd({.cost = cost}));
    ASSERT_TRUE(answer.has_value() && answer->end.has_value());
    EXPECT_EQ(answer->end->cost, cost);
  }
}

TEST(Evaluation, AFailureKeepsItsFourTexts) {
  const std::optional<EvaluationAnswer> answer = DecodeAnswer(
      EncodeFailure({.sqlstate = "22012", .message = "division", .detail = "", .hint = "no"}));
  ASSERT_TRUE(answer.has_value() && answer->failure.has_value());
  EXPECT_EQ(answer->failure->sqlstate, "22012");
  EXPECT_EQ(answer->failure->message, "division");
  EXPECT_EQ(answer->failure->detail, "");
  EXPECT_EQ(answer->failure->hint, "no");
}

TEST(Evaluation, MalformedBytesAreNoMessage) {
  EXPECT_FALSE(DecodeEvaluation("").has_value());
  EXPECT_FALSE(DecodeEvaluation("E").has_value());
  EXPECT_FALSE(DecodeEvaluation(kEndSnapshot).has_value());
  EXPECT_FALSE(DecodeAnswer("").has_value());
  EXPECT_FALSE(DecodeAnswer("F").has_value());
  EXPECT_FALSE(DecodeAnswer("D").has_value());
  EXPECT_FALSE(DecodeAnswer("?").has_value());
}

}  // namespace
}  // namespace tviews
