#include "shared/refresh_plan.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TviewDefinition Post() {
  TviewDefinition tview;
  tview.qualified_view = R"("my schema".v_post)";
  tview.key = {KeyColumn{.name = "Pk \"post\"", .equality = "OPERATOR(ext.=)"}};
  return tview;
}

TEST(RefreshPlan, NamesItsShapes) {
  EXPECT_STREQ(RefreshShapeName(RefreshShape::kWhole), "whole");
  EXPECT_STREQ(RefreshShapeName(RefreshShape::kSingle), "single");
  EXPECT_STREQ(RefreshShapeName(RefreshShape::kArray), "array");
  EXPECT_STREQ(RefreshShapeName(RefreshShape::kRange), "range");
  EXPECT_STREQ(RefreshShapeName(RefreshShape::kLateral), "lateral");
  EXPECT_STREQ(RefreshShapeName(RefreshShape::kJoin), "join");
}

TEST(RefreshPlan, ReadsTheWholeView) {
  EXPECT_EQ(RefreshStatement(Post(), RefreshShape::kWhole), R"(SELECT * FROM "my schema".v_post)");
}

TEST(RefreshPlan, ReadsOneKey) {
  EXPECT_EQ(RefreshStatement(Post(), RefreshShape::kSingle),
            R"(SELECT * FROM "my schema".v_post WHERE "Pk ""post""" OPERATOR(ext.=) $1)");
}

TEST(RefreshPlan, ReadsAnArrayOfKeys) {
  EXPECT_EQ(RefreshStatement(Post(), RefreshShape::kArray),
            R"(SELECT * FROM "my schema".v_post WHERE "Pk ""post""" OPERATOR(ext.=) ANY ($1))");
}

TEST(RefreshPlan, ReadsARangeOfKeys) {
  EXPECT_EQ(
      RefreshStatement(Post(), RefreshShape::kRange),
      R"(SELECT * FROM "my schema".v_post WHERE "Pk ""post""" OPERATOR(pg_catalog.>=) ($1)[1])"
      R"( AND "Pk ""post""" OPERATOR(pg_catalog.<=) ($1)[2])");
}

TEST(RefreshPlan, EvaluatesTheViewOncePerKey) {
  EXPECT_EQ(
      RefreshStatement(Post(), RefreshShape::kLateral),
      R"(SELECT v.* FROM pg_tviews_keys AS k, LATERAL (SELECT * FROM "my schema".v_post AS d )"
      R"(WHERE d."Pk ""post""" OPERATOR(ext.=) k.key OFFSET 0) AS v)");
}

TEST(RefreshPlan, JoinsTheViewWithTheKeys) {
  EXPECT_EQ(RefreshStatement(Post(), RefreshShape::kJoin),
            R"(SELECT v.* FROM "my schema".v_post AS v JOIN pg_tviews_keys AS k )"
            R"(ON v."Pk ""post""" OPERATOR(ext.=) k.key)");
}

TEST(RefreshPlan, ListsStoredKeysAndThoseToBeStored) {
  TviewDefinition tview = Post();
  tview.qualified_name = "public.tv_post";
  EXPECT_EQ(AllKeysStatement(tview, 11),
            R"(SELECT "Pk ""post""" FROM ONLY public.tv_post UNION SELECT "Pk ""post""" FROM )"
            R"("my schema".v_post WHERE "Pk ""post""" IS NOT NULL LIMIT 11)");
}

// A key of two columns, whose types have operators of different schemas.
TviewDefinition Member() {
  TviewDefinition tview;
  tview.qualified_name = "tv_member";
  tview.qualified_view = "v_member";
  tview.key = {KeyColumn{.name = "tenant"},
               KeyColumn{.name = "a, \"b\"", .equality = "OPERATOR(ext.=)"}};
  return tview;
}

TEST(RefreshPlan, ComparesEachColumnOfTheKeyByItsOwnEquality) {
  EXPECT_EQ(RefreshStatement(Member(), RefreshShape::kSingle),
            R"(SELECT * FROM v_member WHERE "tenant" OPERATOR(pg_catalog.=) $1 AND )"
            R"("a, ""b""" OPERATOR(ext.=) $2)");
  EXPECT_EQ(RefreshStatement(Member(), RefreshShape::kArray),
            R"(SELECT * FROM v_member WHERE "tenant" OPERATOR(pg_catalog.=) ANY ($1) AND )"
            R"("a, ""b""" OPERATOR(ext.=) ANY ($2))");
  EXPECT_EQ(RefreshStatement(Member(), RefreshShape::kRange),
            R"(SELECT * FROM v_member WHERE "tenant" OPERATOR(pg_catalog.=) ANY ($1) AND )"
            R"("a, ""b""" OPERATOR(pg_catalog.>=) ($2)[1] AND )"
            R"("a, ""b""" OPERATOR(pg_catalog.<=) ($2)[2])");
  EXPECT_EQ(RefreshStatement(Member(), RefreshShape::kJoin),
            R"(SELECT v.* FROM v_member AS v JOIN pg_tviews_keys AS k ON v."tenant" )"
            R"(OPERATOR(pg_catalog.=) k.key1 AND v."a, ""b""" OPERATOR(ext.=) k.key2)");
  EXPECT_EQ(NullKeyStatement(Member()),
            R"(SELECT 1 FROM v_member WHERE "tenant" IS NULL OR "a, ""b""" IS NULL LIMIT 1)");
}

TEST(RefreshPlan, FindsTheKeysOfWhichAPartIsKnown) {
  EXPECT_EQ(PartKeysStatement(Member(), {1}, PartShape::kJoin),
            R"(SELECT t."tenant", t."a, ""b""" FROM ONLY tv_member AS t JOIN pg_tviews_part AS p )"
            R"(ON t."a, ""b""" OPERATOR(ext.=) p.key2 UNION SELECT v."tenant", v."a, ""b""" )"
            R"(FROM v_member AS v JOIN pg_tviews_part AS p ON v."a, ""b""" OPERATOR(ext.=) p.key2 )"
            R"(WHERE v."tenant" IS NOT NULL AND v."a, ""b""" IS NOT NULL)");
}

TEST(RefreshPlan, TriesTheDefinitionAndTheEqualityOfItsKeyWithoutRows) {
  EXPECT_EQ(ProbeStatement(Post()),
            R"(SELECT * FROM "my schema".v_post AS d WHERE d."Pk ""post""" OPERATOR(ext.=) )"
            R"(d."Pk ""post""" LIMIT 0)");
}

}  // namespace
}  // namespace tviews
