// Images that group states count: however they are added, folded, written and read, they say how
// often each was added and taken away, or that they do not know.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "shared/change_record.h"
#include "shared/delta.h"
#include "shared/savepoint_deltas.h"
#include "shared/source_key.h"

namespace tviews {
namespace {

constexpr RelationId kTable = 7;
const Layout kLayout{.columns = {{1, 23}}, .changed = {}};
const std::vector<CapturedColumn> kColumns = {{2, 1700}};
const std::vector<CapturedColumn> kOthers = {{2, 1700}, {3, 23}};

std::string ImageOf(const std::string& value) {
  std::string image;
  AppendField(value, &image);
  return image;
}

using Counts = std::map<std::string, std::int64_t>;

Counts CountsOf(const DeltaSet& deltas) {
  const RelationDelta* const delta = deltas.Find(kTable);
  if (delta == nullptr) return {};
  EXPECT_TRUE(delta->is_counted());
  Counts counts;
  for (const auto& [image, weight] : delta->images()) counts[image] = weight;
  return counts;
}

void Change(SavepointDeltas* deltas, int level, const std::string& value, std::int64_t weight) {
  deltas->AddCounted(level, kTable, kLayout, ImageOf("key"));
  deltas->AddImage(level, kTable, kColumns, ImageOf(value), weight);
}

// A transaction of five steps. Of each step: add a, add b, take a away, take b away, begin a
// savepoint, release it, roll it back.
constexpr int kSteps = 5;
constexpr int kKinds = 7;

// What the steps say by themselves: a stack of counts.
class Model {
 public:
  void Change(const std::string& value, std::int64_t weight) {
    levels_.back()[ImageOf(value)] += weight;
  }
  void Begin() { levels_.emplace_back(); }
  bool CanEnd() const { return levels_.size() > 1; }
  void Release() {
    const Counts released = levels_.back();
    levels_.pop_back();
    for (const auto& [image, weight] : released) levels_.back()[image] += weight;
  }
  void RollBack() { levels_.pop_back(); }
  int level() const { return static_cast<int>(levels_.size()); }
  Counts Result() {
    while (CanEnd()) Release();
    std::erase_if(levels_[0], [](const auto& entry) { return entry.second == 0; });
    return levels_[0];
  }

 private:
  std::vector<Counts> levels_ = {{}};
};

void Step(int kind, Model* model, SavepointDeltas* deltas) {
  const int level = model->level();
  if (kind < 4) {
    const std::string value = kind % 2 == 0 ? "a" : "b";
    const std::int64_t weight = kind < 2 ? 1 : -1;
    model->Change(value, weight);
    Change(deltas, level, value, weight);
  } else if (kind == 4) {
    model->Begin();
  } else if (!model->CanEnd()) {
    return;
  } else if (kind == 5) {
    model->Release();
    deltas->BeginRelease(level);
    deltas->EndRelease(level);
  } else {
    model->RollBack();
    deltas->RollBack(level);
  }
}

TEST(ImageCounts, EveryTransactionOfAFewStepsCountsWhatItLeaves) {
  int total = 1;
  for (int i = 0; i < kSteps; ++i) total *= kKinds;
  for (int number = 0; number < total; ++number) {
    Model model;
    SavepointDeltas deltas;
    for (int i = 0, rest = number; i < kSteps; ++i, rest /= kKinds) {
      Step(rest % kKinds, &model, &deltas);
    }
    ASSERT_EQ(CountsOf(deltas.TakeAll()), model.Result()) << number;
  }
}

TEST(ImageCounts, TheOrderInWhichRecordsAreFoldedDoesNotMatter) {
  std::vector<DeltaSet> records(3);
  for (int i = 0; i < 3; ++i) {
    records[i].AddCounted(kTable, kLayout, ImageOf("key" + std::to_string(i)));
    records[i].AddImage(kTable, kColumns, ImageOf("a"), i - 1);
    records[i].AddImage(kTable, kColumns, ImageOf(std::to_string(i)), 2);
  }
  const Counts expected = {{ImageOf("0"), 2}, {ImageOf("1"), 2}, {ImageOf("2"), 2}};
  int order[] = {0, 1, 2};
  do {
    DeltaSet united;
    for (const int i : order) united.Merge(records[i]);
    EXPECT_EQ(CountsOf(united), expected);
    EXPECT_EQ(united.bytes(), united.Find(kTable)->bytes());
  } while (std::next_permutation(std::begin(order), std::end(order)));
}

DeltaSet Counted() {
  DeltaSet deltas;
  deltas.AddCounted(kTable, kLayout, ImageOf("key"));
  deltas.AddImage(kTable, kColumns, ImageOf("a"), 3);
  deltas.AddImage(kTable, kColumns, ImageOf("b"), -4000000000);
  return deltas;
}

DeltaSet WrittenAndRead(const DeltaSet& deltas) {
  std::string bytes;
  SerializeChangeRecord({.system_identifier = 1, .database = 2}, 3, deltas, &bytes);
  absl::StatusOr<ChangeRecord> record = ParseChangeRecord(bytes);
  EXPECT_TRUE(record.ok());
  return record.ok() ? std::move(record->deltas) : DeltaSet();
}

TEST(ImageCounts, ARecordHasThem) {
  const DeltaSet deltas = Counted();
  const DeltaSet read = WrittenAndRead(deltas);
  EXPECT_EQ(CountsOf(read), CountsOf(deltas));
  EXPECT_EQ(read.Find(kTable)->image_columns(), kColumns);
  EXPECT_EQ(read.bytes(), deltas.bytes());
}

TEST(ImageCounts, ARecordWhoseChangesCancelIsCounted) {
  DeltaSet deltas;
  deltas.AddCounted(kTable, kLayout, ImageOf("key"));
  deltas.AddImage(kTable, kColumns, ImageOf("a"), 1);
  deltas.AddImage(kTable, kColumns, ImageOf("a"), -1);
  EXPECT_EQ(CountsOf(WrittenAndRead(deltas)), Counts());
}

TEST(ImageCounts, OneChangeWithoutAnImageIsEnough) {
  DeltaSet uncounted;
  uncounted.Add(kTable, kLayout, ImageOf("other"));
  EXPECT_FALSE(WrittenAndRead(uncounted).Find(kTable)->is_counted());
  for (const bool is_first : {true, false}) {
    DeltaSet united = is_first ? uncounted : Counted();
    united.Merge(is_first ? Counted() : uncounted);
    EXPECT_FALSE(united.Find(kTable)->is_counted());
    EXPECT_TRUE(united.Find(kTable)->images().empty());
    united.Merge(Counted());
    EXPECT_FALSE(WrittenAndRead(united).Find(kTable)->is_counted());
    EXPECT_EQ(united.bytes(), united.Find(kTable)->bytes());
  }
}

TEST(ImageCounts, ImagesOfOtherColumnsDoNotAddUp) {
  DeltaSet other;
  other.AddCounted(kTable, kLayout, ImageOf("key"));
  other.AddImage(kTable, kOthers, ImageOf("a") + ImageOf("1"), 1);
  DeltaSet united = Counted();
  united.Merge(other);
  EXPECT_FALSE(united.Find(kTable)->is_counted());
  other.AddImage(kTable, kColumns, ImageOf("a"), 1);
  EXPECT_FALSE(other.Find(kTable)->is_counted());
}

TEST(ImageCounts, AWholeRelationIsNotCounted) {
  DeltaSet deltas = Counted();
  deltas.MarkWhole(kTable);
  deltas.AddImage(kTable, kColumns, ImageOf("a"), 1);
  EXPECT_FALSE(deltas.Find(kTable)->is_counted());
  EXPECT_EQ(deltas.bytes(), 0u);
}

TEST(ImageCounts, ImagesGoBeforeKeysWhereMemoryIsShort) {
  DeltaSet deltas = Counted();
  DeltaSet keys;
  keys.AddCounted(kTable, kLayout, ImageOf("key"));
  deltas.DegradeTo(deltas.bytes());
  EXPECT_TRUE(deltas.Find(kTable)->is_counted());
  deltas.DegradeTo(keys.bytes());
  EXPECT_FALSE(deltas.Find(kTable)->is_whole());
  EXPECT_FALSE(deltas.Find(kTable)->is_counted());
  EXPECT_EQ(deltas.bytes(), keys.bytes());
}

TEST(ImageCounts, AReleaseThatFailsHalfWayLeavesNothingCounted) {
  SavepointDeltas deltas;
  Change(&deltas, 1, "a", 1);
  Change(&deltas, 2, "b", 1);
  deltas.BeginRelease(2);
  deltas.RollBack(2);
  const DeltaSet left = deltas.TakeAll();
  EXPECT_FALSE(left.Find(kTable)->is_counted());
  EXPECT_FALSE(left.Find(kTable)->is_whole());
}

TEST(ImageCounts, AReleaseOfAnInnerSavepointSaysNothingOfTheOuterOne) {
  SavepointDeltas deltas;
  Change(&deltas, 1, "a", 1);
  Change(&deltas, 2, "b", 1);
  Change(&deltas, 3, "c", 1);
  deltas.BeginRelease(3);
  deltas.EndRelease(3);
  deltas.RollBack(2);
  EXPECT_EQ(CountsOf(deltas.TakeAll()), (Counts{{ImageOf("a"), 1}}));
}

TEST(ImageCounts, AMalformedImageIsNoRecord) {
  std::string bytes;
  SerializeChangeRecord({.system_identifier = 1, .database = 2}, 3, Counted(), &bytes);
  const std::size_t place = bytes.find(ImageOf("a"), bytes.find(ImageOf("key")) + 4);
  ASSERT_NE(place, std::string::npos);
  bytes[place] = 9;
  EXPECT_FALSE(ParseChangeRecord(bytes).ok());
}

}  // namespace
}  // namespace tviews
