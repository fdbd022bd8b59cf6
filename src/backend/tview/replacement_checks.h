// What a replacement would say before it changes anything: for pg_tviews_explain_ddl.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_REPLACEMENT_CHECKS_H_
#define PG_TVIEWS_BACKEND_TVIEW_REPLACEMENT_CHECKS_H_

#include <string>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// The arguments of pg_tviews_replace.
struct WantedReplacement {
  RelationId tview = 0;
  std::string query;
  bool is_online = false;
  std::string key;  // empty: that which it has
};

// Why it would be refused; empty if it would not. Locks nothing, so what others do meanwhile, and
// what views would return that are read again, is not foreseen.
absl::StatusOr<std::string> RefusalOf(const WantedReplacement& wanted);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_REPLACEMENT_CHECKS_H_
