// The statements that recompute a TVIEW's documents, as text.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail
//
// All shapes return the backing view's columns in their order. Filtering the view from outside is
// always safe: PostgreSQL itself refuses to push a filter where it would change the result
// (LINEAGE J). Which shape is cheapest depends on the query and on the number of keys; the refresh
// executor, and whoever explains what it does, ask the planner.

#ifndef PG_TVIEWS_SHARED_REFRESH_PLAN_H_
#define PG_TVIEWS_SHARED_REFRESH_PLAN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "shared/tview_definition.h"

namespace tviews {

enum class RefreshShape {
  kWhole,    // SELECT * FROM v
  kSingle,   // WHERE key = $1
  kArray,    // WHERE key = ANY ($1)
  kRange,    // WHERE key between ($1)[1] and ($1)[2]: integers, returns others than the keys too
  kLateral,  // keys, LATERAL (SELECT * FROM v WHERE key = k OFFSET 0): one evaluation per key
  kJoin,     // v JOIN keys: hash or merge join for large sets
};

const char* RefreshShapeName(RefreshShape shape);

// The statement of `shape` for `tview`. kSingle, kArray and kRange take $1 (the key, an array);
// kLateral and kJoin read the relation "pg_tviews_keys" with one column "key", distinct by the
// key's equality.
std::string RefreshStatement(const TviewDefinition& tview, RefreshShape shape);

// Returns a row if the defining query has one whose key is NULL.
std::string NullKeyStatement(const TviewDefinition& tview);

// Fails where no key can be computed: for want of an object or of a privilege. Returns no row.
std::string ProbeStatement(const TviewDefinition& tview);

// The query that returns up to `limit` keys of stored rows and of rows that the backing view
// returns.
std::string AllKeysStatement(const TviewDefinition& tview, std::size_t limit);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_REFRESH_PLAN_H_
