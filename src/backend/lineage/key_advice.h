// What to do about a key that no path leads to, because one expression over several tables is it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_KEY_ADVICE_H_
#define PG_TVIEWS_BACKEND_LINEAGE_KEY_ADVICE_H_

#include "backend/lineage/exits.h"
#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// The columns of rows that the key is computed from, where they could be a key of several columns
// instead.
struct KeyAdvice {
  const char* columns = nullptr;  // "a.id, b.id"; null: there is nothing to advise
  const char* names = nullptr;    // what the key's columns could be called: "a_id, b_id"
};

KeyAdvice AdviseOnKey(const Scope* top, const ExitRequest& key);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_KEY_ADVICE_H_
