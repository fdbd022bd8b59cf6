// A source with its partitions and children, and which of our triggers each of them has.
//
// Layer:   backend
// Sharing: the catalogs, as of now
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_CAPTURE_SOURCE_MEMBERS_H_
#define PG_TVIEWS_BACKEND_CAPTURE_SOURCE_MEMBERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

inline constexpr char kRowTrigger[] = "pg_tviews_capture";
inline constexpr char kTruncateTrigger[] = "pg_tviews_truncate";

// The statement triggers; the server wants one for each event that has transition tables.
struct StatementTrigger {
  const char* name;
  const char* event;
  const char* tables;
};
inline constexpr StatementTrigger kStatementTriggers[] = {
    {"pg_tviews_inserted", "INSERT", "NEW TABLE AS new_rows"},
    {"pg_tviews_updated", "UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"},
    {"pg_tviews_deleted", "DELETE", "OLD TABLE AS old_rows"},
};

// One member of an inheritance or partition tree.
struct SourceMember {
  RelationId relation = 0;
  std::string name;  // quoted and qualified
  bool is_partitioned = false;
  bool is_foreign = false;  // no TRUNCATE trigger before 16: the utility hook sees it
  bool is_needed = false;   // it, or one of its ancestors, is a source
  bool has_row_trigger = false;
  bool row_trigger_is_clone = false;
  std::string row_trigger_state;        // pg_trigger.tgenabled
  bool has_statement_triggers = false;  // all of them
  bool statement_triggers_are_enabled = false;
  bool is_alone = false;  // an ordinary table without parents and children
  bool has_truncate_trigger = false;
  bool truncate_trigger_is_always = false;
  std::vector<std::string> statement_triggers;  // those of them that there are
  std::vector<std::string> altered;             // ours, but not as we create them
  std::string foreign;                          // one that has a name of ours, of somebody else
};

// `table` first, then everything below it.
absl::StatusOr<std::vector<SourceMember>> ReadMembers(RelationId table);

// Locks `table` and everything below it, in the order of ids, and reads them again: what another
// session has changed before it gave its locks up is seen. Empty if the table is gone.
absl::StatusOr<std::vector<SourceMember>> LockMembers(RelationId table, int mode);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_CAPTURE_SOURCE_MEMBERS_H_
