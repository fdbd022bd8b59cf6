#include "shared/pg/boundary/error.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

namespace {

// Allocations of this process; the tests of this file look at the difference.
thread_local std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* const place = std::malloc(size == 0 ? 1 : size);
  if (place == nullptr) throw std::bad_alloc();
  return place;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* place) noexcept { std::free(place); }
void operator delete(void* place, std::size_t) noexcept { std::free(place); }
void operator delete(void* place, const std::nothrow_t&) noexcept { std::free(place); }

namespace tviews::pg {
namespace {

// What is reported where memory has run out must be copied without any.
TEST(Error, IsCopiedWithoutMemory) {
  const std::string detail(5000, 'd');
  const std::string hint(70, 'h');
  const absl::Status status =
      MakeError(absl::StatusCode::kAborted,
                {.message = "no room", .detail = detail, .hint = hint, .sqlstate = "53200"});
  char sqlstate[6];
  char long_text[8000];
  char short_text[10];
  const std::size_t before = allocations;
  CopySqlState(status, sqlstate);
  CopyErrorDetail(status, long_text, sizeof(long_text));
  CopyErrorDetail(status, short_text, sizeof(short_text));
  const std::size_t after = allocations;
  EXPECT_EQ(after, before);
  EXPECT_STREQ(sqlstate, "53200");
  EXPECT_EQ(long_text, detail);
  EXPECT_STREQ(short_text, "ddddddddd");
  const std::size_t before_hint = allocations;
  CopyErrorHint(status, long_text, sizeof(long_text));
  EXPECT_EQ(allocations, before_hint);
  EXPECT_EQ(long_text, hint);
}

TEST(Error, OneWithoutAStateHasThatOfItsCodeWithoutMemory) {
  const absl::Status status = absl::NotFoundError("nobody");
  char sqlstate[6];
  char text[10];
  const std::size_t before = allocations;
  CopySqlState(status, sqlstate);
  CopyErrorHint(status, text, sizeof(text));
  EXPECT_EQ(allocations, before);
  EXPECT_STREQ(sqlstate, "42704");
  EXPECT_STREQ(text, "");
}

TEST(Error, CountsAllocations) {
  const std::size_t before = allocations;
  const std::string text(5000, 'x');
  EXPECT_GT(allocations, before) << text;
}

}  // namespace
}  // namespace tviews::pg
