// Crosses off the keys of a refresh as its query returns them.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail (allocation aside)
//
// Queries mostly return rows in the order of the keys that they were asked for, so the key that is
// next in line is tried first. Only when that fails are the keys put into a hash table.

#ifndef PG_TVIEWS_WORKER_CORE_KEY_CHECKLIST_H_
#define PG_TVIEWS_WORKER_CORE_KEY_CHECKLIST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace tviews::worker {

enum class KeyNote : std::uint8_t {
  kNotListed,
  kNew,
  kAgain,
  kLeftAlone,  // known to fail; what is stored stays
};

class KeyChecklist {
 public:
  // REQUIRES: `keys` are distinct; they outlive the list and do not change.
  explicit KeyChecklist(const std::vector<std::string>& keys)
      : keys_(keys), crossed_off_(keys.size(), false) {}

  KeyNote CrossOff(std::string_view key);

  // The keys that are left.
  std::vector<std::string> Remaining() const;

 private:
  std::size_t PositionOf(std::string_view key);

  const std::vector<std::string>& keys_;
  std::vector<bool> crossed_off_;
  std::size_t next_ = 0;
  std::size_t count_ = 0;                                          // crossed off
  absl::flat_hash_map<absl::string_view, std::size_t> positions_;  // made when first needed
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_KEY_CHECKLIST_H_
