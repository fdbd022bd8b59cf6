// The planner as the server is built: whatever a session or an administrator has set.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  the maker returns a Status
//
// The extension's own statements are small queries over catalogs and its tables. A session that has
// switched off what they are planned with (enable_nestloop, for a report) must not make DDL slow.
// An administrator who has taken memory and temporary files away from definitions (work_mem,
// temp_file_limit) must not stop the applier: what it reads of its own grows with the TVIEWs. They
// are not compiled (jit).

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_PLANNER_DEFAULTS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_PLANNER_DEFAULTS_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace tviews::pg {

// Whether temp_file_limit holds. It does for commands over tables of users.
enum class FileLimit : std::uint8_t { kAsSet, kNone };

// While an object lives, the settings of the planner have their built-in values, and jit is off.
// Objects end in reverse order. Nothing happens where no setting differs.
class PlannerDefaults {
 public:
  static absl::StatusOr<PlannerDefaults> Make(FileLimit files);
  PlannerDefaults(PlannerDefaults&& other) noexcept;
  PlannerDefaults& operator=(PlannerDefaults&&) = delete;
  ~PlannerDefaults();

 private:
  PlannerDefaults() = default;

  int guc_level_ = 0;  // 0: nothing to undo
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_PLANNER_DEFAULTS_H_
