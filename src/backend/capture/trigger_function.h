// The AFTER trigger on source tables: row versions -> source keys.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; the C entry point (tviews_capture, SQL: pg_tviews_capture) raises
//
// Of each old and new row version it keeps the captured columns, for each source that the changed
// relation belongs to. An UPDATE that leaves the images of all relevant columns as they were is
// dropped, and so is a version that meets no condition of any TVIEW (pg/tables/row_filter.h).
// TRUNCATE, for each statement, notes the whole relation. Other triggers for each statement read
// the transition tables instead: the same rows, the same source keys.

#ifndef PG_TVIEWS_BACKEND_CAPTURE_TRIGGER_FUNCTION_H_
#define PG_TVIEWS_BACKEND_CAPTURE_TRIGGER_FUNCTION_H_

#include <cstdint>

#include "absl/status/status.h"

struct TriggerData;
struct TupleTableSlot;

namespace tviews::pg {
struct CaptureConfig;
}

namespace tviews::backend {

enum class Versions : std::uint8_t { kThatCount, kAll };

class CaptureTrigger {
 public:
  // Notes the change that fired the trigger in the transaction's buffer.
  static absl::Status Read(const TriggerData& trigger);

  // Notes a row version as inserting it would, but for group states, which are built anew.
  // REQUIRES: the slot's attributes up to the
  // configuration's highest are there.
  static absl::Status ReadVersion(const pg::CaptureConfig& config, const TupleTableSlot& version,
                                  Versions versions = Versions::kThatCount);
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_CAPTURE_TRIGGER_FUNCTION_H_
