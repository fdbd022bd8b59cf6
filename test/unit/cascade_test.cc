#include "worker/core/cascade.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "gtest/gtest.h"
#include "random_seed.h"
#include "shared/source_key.h"

namespace tviews::worker {
namespace {

constexpr TypeId kInt8 = 20;
constexpr TypeId kInt2 = 21;
constexpr TypeId kInt4 = 23;
constexpr TypeId kText = 25;

using Keys = std::set<std::string>;

template <typename Integer>
std::string Image(Integer value) {
  std::string image(sizeof(value), '\0');
  std::memcpy(image.data(), &value, sizeof(value));
  return image;
}

std::string Int4(std::int32_t value) { return Image(value); }

std::string KeyOf(const std::vector<std::optional<std::string>>& fields) {
  std::string key;
  for (const auto& field : fields) AppendField(field, &key);
  return key;
}

// Answers from a map of source keys to TVIEW keys; remembers what it was asked.
class MapLookup : public KeyLookup {
 public:
  absl::Status Lookup(const TviewDefinition&, const SourceLineage&, const LineagePath& path,
                      const std::vector<std::string>& source_keys,
                      absl::FunctionRef<void(std::optional<std::string_view>)> emit) override {
    asked.emplace_back(path.lookup, source_keys);
    if (!failure.ok()) return failure;
    for (const std::string& source_key : source_keys) {
      for (const auto& key : answers[source_key]) emit(key);
    }
    return absl::OkStatus();
  }

  absl::Status Complete(const TviewDefinition&, const std::vector<std::size_t>& part,
                        const std::vector<std::string>& rows,
                        absl::FunctionRef<void(std::string_view)> emit) override {
    completed.emplace_back(part, rows);
    if (!failure.ok()) return failure;
    for (const std::string& row : rows) {
      for (const std::string& key : keys_of[row]) emit(key);
    }
    return absl::OkStatus();
  }

  absl::Status CheckInterrupts() override {
    ++checks;
    return interrupt;
  }

  absl::Status interrupt;
  int checks = 0;
  std::map<std::string, std::vector<std::optional<std::string>>> answers;
  std::map<std::string, std::vector<std::string>> keys_of;  // a part
  absl::Status failure;
  std::vector<std::pair<std::string, std::vector<std::string>>> asked;
  std::vector<std::pair<std::vector<std::size_t>, std::vector<std::string>>> completed;
};

LineagePath Direct(CapturedColumn column) {
  LineagePath path;
  path.strategy = Strategy::kDirect;
  path.captured = {column};
  return path;
}

LineagePath Lookup(std::vector<CapturedColumn> columns) {
  LineagePath path;
  path.strategy = Strategy::kLookup;
  path.captured = std::move(columns);
  path.lookup = "SELECT key";
  return path;
}

LineagePath Full() {
  LineagePath path;
  path.description = "behind a LIMIT";
  return path;
}

// A TVIEW with an int4 key that reads columns 1 to 3 of table 1 along `paths`.
TviewDefinition Reading(std::vector<LineagePath> paths) {
  TviewDefinition tview;
  tview.relation = 100;
  tview.key = {KeyColumn{.name = "a", .type = kInt4}};
  SourceLineage& source = tview.sources.emplace_back();
  source.source = 1;
  source.relevant = {1, 2, 3};
  source.paths = std::move(paths);
  for (LineagePath& path : source.paths) {
    if (path.relevant.empty()) path.relevant = source.relevant;
  }
  return tview;
}

class CascadeTest : public testing::Test {
 protected:
  AffectedKeys Find(const TviewDefinition& tview) {
    auto found = FindAffectedKeys(tview, deltas_, lookup_);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *std::move(found) : AffectedKeys();
  }

  Keys FindKeys(const TviewDefinition& tview) {
    const AffectedKeys found = Find(tview);
    EXPECT_FALSE(found.everything) << found.why;
    return Keys(found.keys.begin(), found.keys.end());
  }

  DeltaSet deltas_;
  MapLookup lookup_;
};

const Layout kTwoColumns{.columns = {{1, kInt4}, {2, kInt4}}, .changed = {}};

TEST_F(CascadeTest, FindsNothingWithoutDeltas) {
  EXPECT_TRUE(Find(Reading({Direct({1, kInt4})})).empty());
  deltas_.Add(2, kTwoColumns, KeyOf({Int4(1), Int4(2)}));
  EXPECT_TRUE(Find(Reading({Full()})).empty());
}

TEST_F(CascadeTest, TakesTheKeyFromTheDeltaOnADirectPath) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(10)}));
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(2), Int4(10)}));
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(3), std::nullopt}));
  EXPECT_EQ(FindKeys(Reading({Direct({1, kInt4})})), (Keys{Int4(1), Int4(2), Int4(3)}));
  EXPECT_EQ(FindKeys(Reading({Direct({2, kInt4})})), Keys{Int4(10)});
  EXPECT_TRUE(lookup_.asked.empty());
}

TEST_F(CascadeTest, CanBeInterruptedAmongManyKeys) {
  constexpr std::int32_t kMany = 200000;
  for (std::int32_t i = 0; i < kMany; ++i) deltas_.Add(1, kTwoColumns, KeyOf({Int4(i), Int4(i)}));
  const TviewDefinition direct = Reading({Direct({1, kInt4})});
  EXPECT_EQ(FindKeys(direct).size(), static_cast<std::size_t>(kMany));
  EXPECT_GE(lookup_.checks, 3);
  lookup_.interrupt = absl::CancelledError("asked to end");
  for (const TviewDefinition& tview : {direct, Reading({Lookup({{2, kInt4}})})}) {
    const auto found = FindAffectedKeys(tview, deltas_, lookup_);
    EXPECT_EQ(found.status(), lookup_.interrupt);
  }
  EXPECT_TRUE(lookup_.asked.empty());
}

TEST_F(CascadeTest, UnitesItsPathsAndSources) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(10)}));
  deltas_.Add(2, {.columns = {{5, kInt4}}, .changed = {}}, KeyOf({Int4(20)}));
  TviewDefinition tview = Reading({Direct({1, kInt4}), Direct({2, kInt4})});
  SourceLineage& second = tview.sources.emplace_back();
  second.source = 2;
  second.paths = {Direct({5, kInt4})};
  EXPECT_EQ(FindKeys(tview), (Keys{Int4(1), Int4(10), Int4(20)}));
}

TEST_F(CascadeTest, ConvertsIntegersToTheKeysType) {
  const Layout wide{.columns = {{1, kInt8}}, .changed = {}};
  deltas_.Add(1, wide, KeyOf({Image<std::int64_t>(-5)}));
  deltas_.Add(1, wide, KeyOf({Image<std::int64_t>(5'000'000'000)}));
  EXPECT_EQ(FindKeys(Reading({Direct({1, kInt8})})), Keys{Int4(-5)});
}

TEST_F(CascadeTest, SaysThatAChangeLeadsToNull) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), std::nullopt}));
  EXPECT_FALSE(Find(Reading({Direct({1, kInt4})})).names_null);
  EXPECT_TRUE(Find(Reading({Direct({2, kInt4})})).names_null);
  lookup_.answers[KeyOf({Int4(1)})] = {Int4(7)};
  EXPECT_FALSE(Find(Reading({Lookup({{1, kInt4}})})).names_null);
  lookup_.answers[KeyOf({Int4(1)})] = {Int4(7), std::nullopt};
  const AffectedKeys found = Find(Reading({Lookup({{1, kInt4}})}));
  EXPECT_TRUE(found.names_null);
  EXPECT_EQ(found.keys.size(), 1u);
}

TEST_F(CascadeTest, ARowWithoutAKeyMayComeWithAnyChangeUnlessLineageTellsOfIt) {
  AffectedKeys found;
  TviewDefinition tview;
  found.is_touched = true;
  EXPECT_TRUE(found.MayConcernNullKey(tview));
  tview.tells_null_keys = true;
  EXPECT_FALSE(found.MayConcernNullKey(tview));
  found.names_null = true;
  EXPECT_TRUE(found.MayConcernNullKey(tview));
  tview.key_is_not_null = true;
  EXPECT_FALSE(found.MayConcernNullKey(tview));
}

TEST_F(CascadeTest, KeepsEmptyImagesAsKeys) {
  TviewDefinition tview = Reading({Direct({1, kText})});
  tview.key[0].type = kText;
  deltas_.Add(1, {.columns = {{1, kText}}, .changed = {}}, KeyOf({""}));
  EXPECT_EQ(FindKeys(tview), Keys{""});
}

TEST_F(CascadeTest, IgnoresChangesOfColumnsThatTheTviewDoesNotRead) {
  deltas_.Add(1, {.columns = {{1, kInt4}}, .changed = {7}}, KeyOf({Int4(1)}));
  EXPECT_TRUE(Find(Reading({Direct({1, kInt4})})).empty());
  EXPECT_TRUE(Find(Reading({Lookup({{1, kInt4}})})).empty());
  EXPECT_TRUE(Find(Reading({Full()})).empty());
  EXPECT_TRUE(lookup_.asked.empty());

  deltas_.Add(1, {.columns = {{1, kInt4}}, .changed = {3, 7}}, KeyOf({Int4(2)}));
  EXPECT_EQ(FindKeys(Reading({Direct({1, kInt4})})), Keys{Int4(2)});
}

TEST_F(CascadeTest, FindsEveryChangeRelevantToAWholeRowReference) {
  deltas_.Add(1, {.columns = {{1, kInt4}}, .changed = {7}}, KeyOf({Int4(1)}));
  TviewDefinition tview = Reading({Direct({1, kInt4})});
  tview.sources[0].relevant = {0};
  tview.sources[0].paths[0].relevant = {0};
  EXPECT_EQ(FindKeys(tview), Keys{Int4(1)});
}

TEST_F(CascadeTest, FollowsAnUpdateFromThoseOccurrencesThatReadWhatItChanged) {
  LineagePath own = Direct({1, kInt4});
  own.relevant = {1, 2};
  LineagePath other = Direct({3, kInt4});
  other.relevant = {3};
  const std::vector<CapturedColumn> columns = {{1, kInt4}, {3, kInt4}};
  deltas_.Add(1, {.columns = columns, .changed = {2}}, KeyOf({Int4(1), Int4(10)}));
  EXPECT_EQ(FindKeys(Reading({own, other})), Keys{Int4(1)});
  deltas_.Add(1, {.columns = columns, .changed = {2, 3}}, KeyOf({Int4(2), Int4(20)}));
  EXPECT_EQ(FindKeys(Reading({own, other})), (Keys{Int4(1), Int4(2), Int4(20)}));
  deltas_.Add(1, {.columns = columns, .changed = {}}, KeyOf({Int4(3), Int4(30)}));
  EXPECT_EQ(FindKeys(Reading({own, other})), (Keys{Int4(1), Int4(2), Int4(20), Int4(3), Int4(30)}));
}

// A TVIEW whose key are an int4 and a text.
TviewDefinition WithTwoColumns(std::vector<LineagePath> paths) {
  TviewDefinition tview = Reading(std::move(paths));
  tview.key.push_back(KeyColumn{.name = "b", .type = kText});
  return tview;
}

TEST_F(CascadeTest, MakesKeysOfSeveralCapturedColumnsInTheOrderOfTheKey) {
  LineagePath path = Direct({3, kInt8});
  path.captured.push_back({1, kText});
  const Layout layout{.columns = {{1, kText}, {3, kInt8}}, .changed = {}};
  deltas_.Add(1, layout, KeyOf({"a", Image<std::int64_t>(7)}));
  deltas_.Add(1, layout, KeyOf({"b", std::nullopt}));
  deltas_.Add(1, layout, KeyOf({"c", Image<std::int64_t>(1LL << 40)}));
  EXPECT_EQ(FindKeys(WithTwoColumns({path})), Keys{KeyOf({Int4(7), "a"})});
}

TEST_F(CascadeTest, CompletesPartsOfKeysOnceAfterAllSources) {
  LineagePath direct = Direct({1, kInt4});
  direct.part = {0};
  LineagePath other = direct;
  other.captured = {{2, kInt4}};
  LineagePath lookup = Lookup({{2, kInt4}});
  lookup.part = {1};
  const Layout layout{.columns = {{1, kInt4}, {2, kInt4}}, .changed = {}};
  deltas_.Add(1, layout, KeyOf({Int4(7), Int4(8)}));
  lookup_.answers[KeyOf({Int4(8)})] = {KeyOf({"x"})};
  lookup_.keys_of[KeyOf({Int4(7)})] = {KeyOf({Int4(7), "x"}), KeyOf({Int4(7), "y"})};
  lookup_.keys_of[KeyOf({"x"})] = {KeyOf({Int4(1), "x"}), KeyOf({Int4(7), "x"})};
  EXPECT_EQ(FindKeys(WithTwoColumns({direct, other, lookup})),
            (Keys{KeyOf({Int4(7), "x"}), KeyOf({Int4(7), "y"}), KeyOf({Int4(1), "x"})}));
  using Asked = std::pair<std::vector<std::size_t>, std::vector<std::string>>;
  EXPECT_EQ(lookup_.completed, (std::vector<Asked>{{{0}, {KeyOf({Int4(7)}), KeyOf({Int4(8)})}},
                                                   {{1}, {KeyOf({"x"})}}}));
}

TEST_F(CascadeTest, AsksTheLookupForProjectedKeysOnce) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(10)}));
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(2), Int4(10)}));
  deltas_.Add(1, {.columns = {{2, kInt4}}, .changed = {2}}, KeyOf({Int4(10)}));
  deltas_.Add(1, {.columns = {{2, kInt4}}, .changed = {2}}, KeyOf({std::nullopt}));
  lookup_.answers[KeyOf({Int4(10)})] = {Int4(7), Int4(8), Int4(7)};
  EXPECT_EQ(FindKeys(Reading({Lookup({{2, kInt4}})})), (Keys{Int4(7), Int4(8)}));
  ASSERT_EQ(lookup_.asked.size(), 1u);
  EXPECT_EQ(lookup_.asked[0].first, "SELECT key");
  const Keys asked(lookup_.asked[0].second.begin(), lookup_.asked[0].second.end());
  EXPECT_EQ(asked, (Keys{KeyOf({Int4(10)}), KeyOf({std::nullopt})}));
  EXPECT_EQ(lookup_.asked[0].second.size(), 2u);
}

TEST_F(CascadeTest, AsksInThePathsColumnOrder) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(2)}));
  Find(Reading({Lookup({{2, kInt4}, {1, kInt4}})}));
  ASSERT_EQ(lookup_.asked.size(), 1u);
  EXPECT_EQ(lookup_.asked[0].second, std::vector<std::string>{KeyOf({Int4(2), Int4(1)})});
}

TEST_F(CascadeTest, FindsEverythingOnAFullPath) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(2)}));
  const AffectedKeys found = Find(Reading({Direct({1, kInt4}), Full()}));
  EXPECT_TRUE(found.everything);
  EXPECT_TRUE(found.keys.empty());
  EXPECT_FALSE(found.empty());
  EXPECT_NE(found.why.find("behind a LIMIT"), std::string::npos);
}

TEST_F(CascadeTest, FindsEverythingWithoutAPath) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(2)}));
  EXPECT_TRUE(Find(Reading({})).everything);
}

TEST_F(CascadeTest, FindsEverythingWhenASourceChangedAsAWhole) {
  deltas_.MarkWhole(1);
  const AffectedKeys found = Find(Reading({Direct({1, kInt4})}));
  EXPECT_TRUE(found.everything);
  EXPECT_FALSE(found.why.empty());
}

TEST_F(CascadeTest, FindsEverythingWhenTheDeltaLacksAColumn) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(2)}));
  EXPECT_TRUE(Find(Reading({Direct({3, kInt4})})).everything);
  EXPECT_TRUE(Find(Reading({Direct({1, kInt8})})).everything);
  EXPECT_TRUE(Find(Reading({Lookup({{1, kInt4}, {3, kInt4}})})).everything);
  EXPECT_TRUE(lookup_.asked.empty());
}

TEST_F(CascadeTest, FindsEverythingWhenADirectPathCannotGiveTheKeysType) {
  deltas_.Add(1, {.columns = {{1, kText}}, .changed = {}}, KeyOf({"12"}));
  EXPECT_TRUE(Find(Reading({Direct({1, kText})})).everything);
  LineagePath without_column;
  without_column.strategy = Strategy::kDirect;
  EXPECT_TRUE(Find(Reading({without_column})).everything);
}

TEST_F(CascadeTest, ReturnsWhatALookupReturns) {
  deltas_.Add(1, kTwoColumns, KeyOf({Int4(1), Int4(2)}));
  lookup_.failure = absl::UnavailableError("deadlock detected");
  const auto found = FindAffectedKeys(Reading({Lookup({{1, kInt4}})}), deltas_, lookup_);
  EXPECT_EQ(found.status(), lookup_.failure);
}

TEST(ConvertKeyImage, ConvertsByValue) {
  EXPECT_EQ(ConvertKeyImage(Image<std::int16_t>(-7), kInt2, kInt8), Image<std::int64_t>(-7));
  EXPECT_EQ(ConvertKeyImage(Image<std::int16_t>(7), kInt2, kInt4), Image<std::int32_t>(7));
  EXPECT_EQ(ConvertKeyImage(Image<std::int64_t>(-7), kInt8, kInt2), Image<std::int16_t>(-7));
  EXPECT_EQ(ConvertKeyImage(Image<std::int32_t>(7), kInt4, kInt8), Image<std::int64_t>(7));
}

TEST(ConvertKeyImage, RefusesWhatDoesNotFit) {
  EXPECT_EQ(ConvertKeyImage(Image<std::int32_t>(32'768), kInt4, kInt2), std::nullopt);
  EXPECT_EQ(ConvertKeyImage(Image<std::int32_t>(-32'768), kInt4, kInt2),
            Image<std::int16_t>(-32'768));
  EXPECT_EQ(ConvertKeyImage(Image(std::numeric_limits<std::int64_t>::min()), kInt8, kInt4),
            std::nullopt);
  EXPECT_EQ(ConvertKeyImage("short", kInt8, kInt4), std::nullopt);
}

TEST(ConvertKeyImage, KeepsImagesOfTheSameType) {
  EXPECT_EQ(ConvertKeyImage("anything", kText, kText), "anything");
  EXPECT_EQ(ConvertKeyImage("", kText, kText), "");
}

TEST(ConvertKeyImage, KnowsWhatItCanConvert) {
  EXPECT_TRUE(IsConvertible(kText, kText));
  EXPECT_TRUE(IsConvertible(kInt2, kInt8));
  EXPECT_FALSE(IsConvertible(kInt4, kText));
  EXPECT_FALSE(IsConvertible(kText, kInt4));
}

// Coalescing a batch must not change what it affects.
TEST(Cascade, FindsTheSameKeysForABatchAsForItsRecordsTogether) {
  std::mt19937 random = SeededGenerator();
  const TviewDefinition tview = Reading({Direct({1, kInt4}), Lookup({{2, kInt4}})});
  for (int round = 0; round < 200; ++round) {
    MapLookup lookup;
    for (std::int32_t i = 0; i < 10; ++i) lookup.answers[KeyOf({Int4(i)})] = {Int4(100 + i / 2)};
    DeltaSet batch;
    Keys expected;
    for (int i = 0; i < 5; ++i) {
      DeltaSet record;
      Layout layout = kTwoColumns;
      if (Below(random, 2) == 0)
        layout.changed = {static_cast<AttributeNumber>(1 + Below(random, 6))};
      record.Add(1, layout,
                 KeyOf({Int4(static_cast<std::int32_t>(Below(random, 10))),
                        Int4(static_cast<std::int32_t>(Below(random, 10)))}));
      const auto found = FindAffectedKeys(tview, record, lookup);
      ASSERT_TRUE(found.ok());
      expected.insert(found->keys.begin(), found->keys.end());
      batch.Merge(record);
    }
    const auto found = FindAffectedKeys(tview, batch, lookup);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(Keys(found->keys.begin(), found->keys.end()), expected);
  }
}

}  // namespace
}  // namespace tviews::worker
