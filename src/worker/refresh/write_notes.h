// What is noted while a writer brings rows of a TVIEW up to date: changes for readers and for the
// change feed, keys that the query returned, rows that cannot be written.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  returns Status; the callbacks raise, within the writer's Call

#ifndef PG_TVIEWS_WORKER_REFRESH_WRITE_NOTES_H_
#define PG_TVIEWS_WORKER_REFRESH_WRITE_NOTES_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "shared/shared_counter.h"
#include "worker/core/key_checklist.h"
#include "worker/feed/change_feed.h"
#include "worker/refresh/change_notes.h"
#include "worker/refresh/key_values.h"
#include "worker/write/tview_writer.h"

namespace tviews::worker {

// So many failing keys in one batch are no longer single rows: the TVIEW fails as a whole.
inline constexpr std::size_t kMaxFailedKeys = 1000;

// Rows of a comparison that could not be written, each of which concerns nobody else.
struct RowFailures {
  bool are_too_many() const { return keys.size() > kMaxFailedKeys; }

  std::vector<std::pair<std::string, absl::Status>> keys;  // by image
  bool has_null_key = false;
};

struct WriteNotes {
  ChangeNotes* changes = nullptr;  // null: no TVIEW reads this one
  ChangeFeed* feed = nullptr;      // null: it has none
  KeyChecklist* missing = nullptr;
  std::vector<std::string>* written_keys = nullptr;  // null: nobody asks
  const KeyCodec* codec = nullptr;
  bool key_is_image_equal = true;
  const KeySet* left_alone = nullptr;  // keys that are known to fail
  RowFailures* failures = nullptr;     // null: a failing row ends the refresh
};

// What a writer calls; `notes` stay in place as long as it is open.
WriterCallbacks CallbacksOf(WriteNotes* notes, SharedCounter* rows_done);

// Inserts what `writer` has kept, each row in a subtransaction, so that one that fails leaves no
// trace.
absl::Status InsertOneByOne(TviewWriter* writer, const WriteNotes& notes);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_WRITE_NOTES_H_
