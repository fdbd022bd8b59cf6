#include "shared/change_record.h"

#include <chrono>
#include <iostream>

#include "gtest/gtest.h"
#include "pg_tviews/v1/change_record.pb.h"
#include "random_seed.h"
#include "shared/source_key.h"

namespace tviews {
namespace {

const Origin kOrigin{.system_identifier = 7'000'000'000'000'000'001, .database = 5};

std::string KeyOf(std::string_view image) {
  std::string key;
  AppendField(image, &key);
  return key;
}

std::string Serialized(const DeltaSet& deltas) {
  std::string bytes;
  SerializeChangeRecord(kOrigin, 123, deltas, &bytes);
  return bytes;
}

void ExpectEqual(const DeltaSet& a, const DeltaSet& b) {
  ASSERT_EQ(a.relations().size(), b.relations().size());
  for (const auto& [relation, delta] : a.relations()) {
    ASSERT_NE(b.Find(relation), nullptr);
    EXPECT_EQ(b.Find(relation)->is_whole(), delta.is_whole());
    EXPECT_EQ(b.Find(relation)->keys(), delta.keys());
  }
  EXPECT_EQ(a.bytes(), b.bytes());
}

// A valid message, to be spoilt by the test.
pg_tviews::v1::ChangeRecord ValidMessage() {
  pg_tviews::v1::ChangeRecord message;
  message.set_system_identifier(1);
  message.set_database(1);
  pg_tviews::v1::RelationDelta& delta = *message.add_deltas();
  delta.set_relation(1);
  delta.add_columns(1);
  delta.add_types(23);
  delta.add_source_keys(KeyOf("abcd"));
  return message;
}

bool IsRefused(const pg_tviews::v1::ChangeRecord& message) {
  const auto record = ParseChangeRecord(message.SerializeAsString());
  if (record.ok()) return false;
  EXPECT_EQ(record.status().code(), absl::StatusCode::kInvalidArgument);
  return true;
}

TEST(ChangeRecord, ParsesWhatWasSerialized) {
  DeltaSet deltas;
  const Layout wide{.columns = {{1, 23}, {-6, 26}, {1600, 25}}, .changed = {2, 32767}};
  std::string key;
  AppendField("abcd", &key);
  AppendField(std::nullopt, &key);
  AppendField(std::string(1000, '\0'), &key);
  deltas.Add(16384, wide, key);
  deltas.Add(16384, {.columns = {{1, 23}}, .changed = {}}, KeyOf("abcd"));
  deltas.Add(16384, {.columns = {{1, 23}}, .changed = {}}, KeyOf(""));
  deltas.Add(4'000'000'000, {.columns = {}, .changed = {3}}, "");
  deltas.MarkWhole(20000);

  const auto record = ParseChangeRecord(Serialized(deltas));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->origin, kOrigin);
  EXPECT_EQ(record->written_at, 123);
  ExpectEqual(record->deltas, deltas);
}

TEST(ChangeRecord, KeepsTimesBeforeTheEpoch) {
  std::string bytes;
  SerializeChangeRecord(kOrigin, -1, DeltaSet(), &bytes);
  const auto record = ParseChangeRecord(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->written_at, -1);
  EXPECT_TRUE(record->deltas.empty());
}

TEST(ChangeRecord, IsAppendedToWhatIsThere) {
  std::string bytes = "header";
  SerializeChangeRecord(kOrigin, 1, DeltaSet(), &bytes);
  EXPECT_EQ(bytes.substr(0, 6), "header");
  EXPECT_TRUE(ParseChangeRecord(std::string_view(bytes).substr(6)).ok());
}

TEST(ChangeRecord, IsTheMessageOfItsProtoFile) {
  DeltaSet deltas;
  deltas.Add(1, {.columns = {{1, 23}}, .changed = {4}}, KeyOf(std::string(200, 'k')));
  pg_tviews::v1::ChangeRecord message;
  ASSERT_TRUE(message.ParseFromString(Serialized(deltas)));
  ASSERT_EQ(message.deltas_size(), 1);
  EXPECT_EQ(message.deltas(0).relation(), 1u);
  EXPECT_EQ(message.deltas(0).changed_columns(0), 4u);
  EXPECT_EQ(message.deltas(0).source_keys(0), KeyOf(std::string(200, 'k')));
}

TEST(ChangeRecord, RefusesBytesThatNameNoOrigin) {
  EXPECT_FALSE(ParseChangeRecord("").ok());
  auto message = ValidMessage();
  ASSERT_FALSE(IsRefused(message));
  message.clear_database();
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, RefusesADeltaWithoutRelation) {
  auto message = ValidMessage();
  message.mutable_deltas(0)->clear_relation();
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, RefusesColumnsWithoutTypes) {
  auto message = ValidMessage();
  message.mutable_deltas(0)->add_columns(2);
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, RefusesImpossibleColumns) {
  auto message = ValidMessage();
  message.mutable_deltas(0)->set_columns(0, 40'000);
  EXPECT_TRUE(IsRefused(message));
  message = ValidMessage();
  message.mutable_deltas(0)->add_changed_columns(40'000);
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, RefusesChangedColumnsOutOfOrder) {
  auto message = ValidMessage();
  message.mutable_deltas(0)->add_changed_columns(3);
  message.mutable_deltas(0)->add_changed_columns(3);
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, RefusesKeysWithAnotherNumberOfFields) {
  auto message = ValidMessage();
  message.mutable_deltas(0)->add_source_keys(KeyOf("a") + KeyOf("b"));
  EXPECT_TRUE(IsRefused(message));
  message = ValidMessage();
  message.mutable_deltas(0)->add_source_keys("");
  EXPECT_TRUE(IsRefused(message));
  message = ValidMessage();
  message.mutable_deltas(0)->add_source_keys("\x7Fshort");
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, RefusesKeysOfAWholeRelation) {
  auto message = ValidMessage();
  message.mutable_deltas(0)->set_whole_relation(true);
  EXPECT_TRUE(IsRefused(message));
}

TEST(ChangeRecord, SurvivesTruncatedAndSpoiltBytes) {
  std::mt19937 random = SeededGenerator();
  DeltaSet deltas;
  for (int i = 0; i < 20; ++i) {
    deltas.Add(1, {.columns = {{1, 23}}, .changed = {2}}, KeyOf(std::to_string(i)));
  }
  const std::string bytes = Serialized(deltas);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto record = ParseChangeRecord(std::string_view(bytes).substr(0, size));
    EXPECT_TRUE(!record.ok() || record->deltas.empty()) << size;
  }
  for (int round = 0; round < 5'000; ++round) {
    std::string spoilt = bytes;
    for (int i = 0; i < 3; ++i) {
      spoilt[Below(random, static_cast<std::uint32_t>(spoilt.size()))] =
          static_cast<char>(random());
    }
    const auto record = ParseChangeRecord(spoilt);
    EXPECT_TRUE(record.ok() || absl::IsInvalidArgument(record.status())) << record.status();
  }
}

TEST(ChangeRecord, IsReadWithinMemory) {
  DeltaSet deltas;
  const Layout layout{.columns = {{1, 20}}, .changed = {}};
  for (int i = 0; i < 1'000; ++i) deltas.Add(1, layout, KeyOf(std::to_string(i)));
  for (int i = 0; i < 10; ++i) deltas.Add(2, layout, KeyOf(std::to_string(i)));
  const std::string bytes = Serialized(deltas);

  const auto all = ParseChangeRecord(bytes, deltas.bytes());
  ASSERT_TRUE(all.ok());
  ExpectEqual(all->deltas, deltas);
  const auto some = ParseChangeRecord(bytes, deltas.bytes() / 2);
  ASSERT_TRUE(some.ok());
  EXPECT_TRUE(some->deltas.Find(1)->is_whole());
  EXPECT_EQ(some->deltas.Find(2)->key_count(), 10u);
  EXPECT_LE(some->deltas.bytes(), deltas.bytes() / 2);
}

TEST(ChangeRecord, CarriesAHundredThousandKeys) {
  DeltaSet deltas;
  const Layout layout{.columns = {{1, 20}, {2, 20}}, .changed = {3}};
  for (int i = 0; i < 100'000; ++i) {
    std::string key;
    AppendField(std::to_string(10'000'000 + i), &key);
    AppendField(std::to_string(i % 100), &key);
    deltas.Add(1, layout, key);
  }
  const auto start = std::chrono::steady_clock::now();
  const std::string bytes = Serialized(deltas);
  const auto serialized = std::chrono::steady_clock::now();
  const auto record = ParseChangeRecord(bytes);
  const auto parsed = std::chrono::steady_clock::now();
  ASSERT_TRUE(record.ok());
  ExpectEqual(record->deltas, deltas);
  const std::chrono::duration<double, std::milli> writing = serialized - start;
  const std::chrono::duration<double, std::milli> reading = parsed - serialized;
  std::cout << "100,000 keys, " << bytes.size() << " bytes: " << writing.count() << " ms to write, "
            << reading.count() << " ms to read\n";
}

}  // namespace
}  // namespace tviews
