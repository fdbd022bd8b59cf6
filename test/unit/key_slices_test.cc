#include "shared/key_slices.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TviewDefinition Tview() {
  TviewDefinition tview;
  tview.qualified_name = "public.tv_post";
  tview.qualified_view = "public.v_post";
  tview.key = {KeyColumn{.name = "a b"}};
  return tview;
}

TEST(KeySlices, BeginsWithTheFirstKeyOfTviewAndQuery) {
  EXPECT_EQ(NextKeysStatement(Tview(), true, 16),
            R"((SELECT "a b" FROM ONLY public.tv_post WHERE "a b" IS NOT NULL ORDER BY "a b" )"
            R"(LIMIT 16) UNION (SELECT "a b" FROM public.v_post WHERE "a b" IS NOT NULL )"
            R"(ORDER BY "a b" LIMIT 16) ORDER BY 1 LIMIT 16)");
}

TEST(KeySlices, GoesOnAfterTheMark) {
  EXPECT_EQ(NextKeysStatement(Tview(), false, 2),
            R"((SELECT "a b" FROM ONLY public.tv_post WHERE ("a b") OPERATOR(pg_catalog.>) ($1) )"
            R"(ORDER BY "a b" LIMIT 2) UNION (SELECT "a b" FROM public.v_post WHERE ("a b") )"
            R"(OPERATOR(pg_catalog.>) ($1) ORDER BY "a b" LIMIT 2) ORDER BY 1 LIMIT 2)");
}

TEST(KeySlices, ComparesColumnAfterColumnWhereTheirOrdersAreOfSeveralSchemas) {
  TviewDefinition tview = Tview();
  tview.key.push_back({.name = "c", .greater = "OPERATOR(ext.>)"});
  EXPECT_NE(NextKeysStatement(tview, false, 2)
                .find(R"(("a b" OPERATOR(pg_catalog.>) $1 OR ("a b" OPERATOR(pg_catalog.=) $1 AND )"
                      R"("c" OPERATOR(ext.>) $2)))"),
            std::string::npos);
}

}  // namespace
}  // namespace tviews
