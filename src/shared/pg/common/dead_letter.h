// What is in quarantine: the dead letters, as they are written and as readers ask.
//
// Layer:   pg
// Sharing: reads and writes the table pg_tview_dead_letter
// Errors:  returns Status
//
// A key is known by the image of its value (datum_image.h), which needs no function of its type and
// outlives every renaming. The hash of the image is what letters are unique by: an index holds it,
// whatever the key.

#ifndef PG_TVIEWS_SHARED_PG_COMMON_DEAD_LETTER_H_
#define PG_TVIEWS_SHARED_PG_COMMON_DEAD_LETTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::pg {

// The key that a dead letter names.
struct DeadKey {
  std::string text;                  // for people
  std::string hash;                  // of the image; empty: rows whose key is null
  std::optional<std::string> image;  // null also where it is too long to be kept
};

// Longer images are known by their hash only.
inline constexpr std::size_t kLongestKeptImage = 64 * 1024;

// SHA-256.
absl::StatusOr<std::string> HashOfImage(std::string_view image);

// At most `limit` bytes of `text`, cut between two characters and marked where it was cut.
absl::StatusOr<std::string> Shorten(const std::string& text, std::size_t limit);

// Notes that `key`, or without one the TVIEW as a whole, fails with `error`. Returns how often that
// has been noted. REQUIRES: the current user may write the extension's tables.
absl::StatusOr<std::uint64_t> WriteDeadLetter(RelationId tview, const DeadKey* key,
                                              const absl::Status& error);

// True if `tview`, or a key of it, is in quarantine as of the latest snapshot. A scan of an index
// of a table that is empty as a rule.
absl::StatusOr<bool> HasDeadLetter(RelationId tview);

// `error` with a hint, if it is about the data that a definition reads.
absl::Status WithHintToDeadLetters(const absl::Status& error);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_DEAD_LETTER_H_
