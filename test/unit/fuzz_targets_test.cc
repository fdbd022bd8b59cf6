#include "../fuzz/targets.h"

#include <cstddef>

#include "gtest/gtest.h"
#include "random_seed.h"
#include "shared/tview_label.h"

namespace tviews {
namespace {

// Flips, cuts, doubles and inserts bytes; now and then puts two values together.
std::string Mutated(std::string value, const std::vector<std::string>& seeds,
                    std::mt19937& random) {
  for (std::uint32_t i = Below(random, 4) + 1; i > 0; --i) {
    const std::size_t place = Below(random, static_cast<std::uint32_t>(value.size()) + 1);
    switch (Below(random, 5)) {
      case 0:
        if (place < value.size()) value[place] = static_cast<char>(Below(random, 256));
        break;
      case 1:
        value.resize(place);
        break;
      case 2:
        value.insert(place, value.substr(0, Below(random, 16)));
        break;
      case 3:
        value.insert(place, 1, static_cast<char>(Below(random, 256)));
        break;
      default:
        value += seeds[Below(random, static_cast<std::uint32_t>(seeds.size()))];
        break;
    }
  }
  return value;
}

TEST(FuzzTargets, HoldForWhatIsWellFormedAndForMutationsOfIt) {
  std::mt19937 random = SeededGenerator();
  for (const FuzzTarget& target : FuzzTargets()) {
    SCOPED_TRACE(target.name);
    const std::vector<std::string> seeds = target.seeds();
    for (const std::string& seed : seeds) target.run(seed);
    for (int i = 0; i < 20000; ++i) {
      target.run(Mutated(seeds[i % seeds.size()], seeds, random));
    }
  }
}

TEST(TviewLabel, IsReadAsJsonBuildObjectWritesIt) {
  const auto label = ParseTviewLabel(
      R"({"entity" : "post", "key" : "pk_post", "view" : "\"S\".v_post", "options" : {"feed": "keys", "notify": true}})");
  ASSERT_TRUE(label.ok()) << label.status();
  EXPECT_EQ(label->entity, "post");
  EXPECT_EQ(label->key, std::vector<std::string>{"pk_post"});
  EXPECT_EQ(label->view, "\"S\".v_post");
  EXPECT_EQ(label->options, "\"feed\": \"keys\", \"notify\": true");
}

TEST(TviewLabel, HasAKeyOfSeveralColumns) {
  const auto label =
      ParseTviewLabel(R"({"entity" : "post", "key" : ["tenant, id","id"], "view" : "v_post"})");
  ASSERT_TRUE(label.ok()) << label.status();
  EXPECT_EQ(label->key, (std::vector<std::string>{"tenant, id", "id"}));
}

TEST(TviewLabel, RefusesWhatIsNone) {
  for (const char* text :
       {"", "[1]", "not json", "{}", "null", "{\"entity\": \"a\"}", "{\"entity\": 1}",
        R"({"entity": "a", "key": "b", "view": ""})", R"({"entity": "a", "key": [], "view": "c"})",
        R"({"entity": "a", "key": ["b", 1], "view": "c"})",
        R"({"entity": "a", "key": ["b", ""], "view": "c"})",
        R"({"entity": "a", "key": ["b", "view": "c"})",
        R"({"entity": "a", "key": "b", "view": "c"} )"
        R"(more)",
        R"({"entity": "a", "key": "b", "view": "c", "options": {"feed": "everything"}})",
        R"({"entity": "a", "key": "b", "view": "c", "options": {"notify": "yes"}})",
        R"({"entity": "a", "key": "b", "view": "c", "options": {"x": 1e999999}})",
        R"({"entity": "\u0000", "key": "b", "view": "c"})",
        R"({"entity": "\ud800", "key": "b", "view": "c"})"}) {
    EXPECT_FALSE(ParseTviewLabel(text).ok()) << text;
  }
}

TEST(TviewLabel, IsDeafToDepth) {
  std::string deep = R"({"entity": "a", "key": "b", "view": "c", "options": {"x": )";
  EXPECT_FALSE(ParseTviewLabel(deep + std::string(50000, '[')).ok());
}

}  // namespace
}  // namespace tviews
