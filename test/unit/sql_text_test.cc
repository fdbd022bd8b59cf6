#include "shared/sql_text.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TEST(QuoteIdentifier, AlwaysQuotes) {
  EXPECT_EQ(QuoteIdentifier("tv_post"), R"("tv_post")");
  EXPECT_EQ(QuoteIdentifier("select"), R"("select")");
  EXPECT_EQ(QuoteIdentifier(""), R"("")");
}

TEST(QuoteIdentifier, DoublesQuotesAndNothingElse) {
  EXPECT_EQ(QuoteIdentifier(R"(a"b"")"), R"("a""b""""")");
  EXPECT_EQ(QuoteIdentifier(R"(it's\n)"), R"("it's\n")");
}

TEST(QuoteQualified, QuotesBothParts) {
  EXPECT_EQ(QuoteQualified("My.Schema", "t\"v"), R"("My.Schema"."t""v")");
}

TEST(QuoteLiteral, DoublesSingleQuotes) {
  EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
  EXPECT_EQ(QuoteLiteral(""), "''");
}

TEST(QuoteLiteral, UsesTheEscapeSyntaxForBackslashes) {
  EXPECT_EQ(QuoteLiteral(R"(a\b)"), R"(E'a\\b')");
  EXPECT_EQ(QuoteLiteral(R"(\'; DROP)"), R"(E'\\''; DROP')");
}

}  // namespace
}  // namespace tviews
