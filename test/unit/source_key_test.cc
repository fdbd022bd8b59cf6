#include "shared/source_key.h"

#include <array>

#include "gtest/gtest.h"
#include "random_seed.h"

namespace tviews {
namespace {

using Fields = std::vector<std::optional<std::string_view>>;

std::string KeyOf(const Fields& fields) {
  std::string key;
  for (const auto& field : fields) AppendField(field, &key);
  return key;
}

TEST(SourceKey, SplitsIntoTheFieldsThatWereAppended) {
  const Fields fields = {"abc", std::nullopt, "", "x"};
  EXPECT_EQ(SplitFields(KeyOf(fields)), fields);
}

TEST(SourceKey, KeepsNullApartFromEmpty) { EXPECT_NE(KeyOf({std::nullopt}), KeyOf({""})); }

TEST(SourceKey, KeepsZeroBytesAndLongImages) {
  const std::string zeros(3, '\0');
  for (const std::size_t size : {126u, 127u, 128u, 16382u, 16383u, 16384u, 3'000'000u}) {
    const std::string image(size, '\xFF');
    const Fields fields = {zeros, image, zeros};
    EXPECT_EQ(SplitFields(KeyOf(fields)), fields) << size;
  }
}

TEST(SourceKey, KeepsFieldBoundaries) { EXPECT_NE(KeyOf({"ab", "c"}), KeyOf({"a", "bc"})); }

TEST(SourceKey, WithoutFieldsIsEmpty) {
  EXPECT_EQ(KeyOf({}), "");
  EXPECT_TRUE(SplitFields("").empty());
  EXPECT_TRUE(HasFields("", 0));
  EXPECT_FALSE(HasFields("", 1));
}

TEST(SourceKey, GivesOneField) {
  const std::string key = KeyOf({"abc", std::nullopt, "x"});
  EXPECT_EQ(FieldAt(key, 0), "abc");
  EXPECT_EQ(FieldAt(key, 1), std::nullopt);
  EXPECT_EQ(FieldAt(key, 2), "x");
}

TEST(SourceKey, ProjectsInTheOrderAsked) {
  const std::string key = KeyOf({"a", std::nullopt, "c"});
  EXPECT_EQ(ProjectFields(key, std::array<std::size_t, 3>{2, 1, 2}),
            KeyOf({"c", std::nullopt, "c"}));
  EXPECT_EQ(ProjectFields(key, {}), "");
}

TEST(SourceKey, CountsItsFields) {
  const std::string key = KeyOf({"a", std::nullopt});
  EXPECT_TRUE(HasFields(key, 2));
  EXPECT_FALSE(HasFields(key, 1));
  EXPECT_FALSE(HasFields(key, 3));
}

TEST(SourceKey, EndsReadingWhereBytesAreMalformed) {
  const std::string key = KeyOf({"a", "bcd"});
  for (std::size_t size = 0; size < key.size(); ++size) {
    const std::string_view cut = std::string_view(key).substr(0, size);
    EXPECT_FALSE(HasFields(cut, 2)) << size;
    EXPECT_LT(SplitFields(cut).size(), 2u) << size;
  }
}

TEST(SourceKey, RefusesSizesThatOverflow) {
  const std::string endless(20, '\xFF');
  EXPECT_FALSE(HasFields(endless, 1));
  EXPECT_TRUE(SplitFields(endless).empty());
  const std::string huge = std::string(8, '\xFF') + "\x7F";  // 2^63 - 1
  EXPECT_FALSE(HasFields(huge, 1));
  EXPECT_TRUE(SplitFields(huge).empty());
}

TEST(SourceKey, ReadsArbitraryBytesWithoutHarm) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(Below(random, 12), '\0');
    for (char& byte : bytes) byte = static_cast<char>(Below(random, 6) == 0 ? 0x80 : random() % 8);
    const Fields fields = SplitFields(bytes);
    if (!HasFields(bytes, fields.size())) continue;
    for (std::size_t i = 0; i < fields.size(); ++i) EXPECT_EQ(FieldAt(bytes, i), fields[i]);
  }
}

}  // namespace
}  // namespace tviews
