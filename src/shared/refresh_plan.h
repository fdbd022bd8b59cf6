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
#include <cstdint>
#include <string>
#include <vector>

#include "shared/tview_definition.h"

namespace tviews {

enum class RefreshShape {
  kWhole,   // SELECT * FROM v
  kSingle,  // WHERE key = $1
  kArray,   // WHERE key = ANY ($1); of several columns returns others than the keys too
  kRange,   // WHERE key between ($1)[1] and ($1)[2]: integers; of several columns the last one, and
            // = ANY ($1) for the ones before it. Returns others than the keys too.
  kLateral,  // keys, LATERAL (SELECT * FROM v WHERE key = k OFFSET 0): one evaluation per key
  kJoin,     // v JOIN keys: hash or merge join for large sets
};

// Fewer keys are not worth rows of others.
inline constexpr std::size_t kSmallestRange = 1000;
// So many integers may be between the bounds of `keys` of them.
constexpr std::size_t LargestRange(std::size_t keys) { return keys + keys / 4; }

const char* RefreshShapeName(RefreshShape shape);

// What the column of the key at `position` is called in relations of keys: "key", or, where there
// are several, "key1" and so on.
std::string KeyFieldName(const TviewDefinition& tview, std::size_t position);

// The statement of `shape` for `tview`. kSingle and kArray take $1, $2, ...: a value or an array
// for each column of the key; kRange takes arrays, the last one of the bounds. kLateral and
// kJoin read the relation "pg_tviews_keys" with the columns of KeyFieldName, distinct by their
// equality.
std::string RefreshStatement(const TviewDefinition& tview, RefreshShape shape);

// The columns of the key, quoted, after `before` each ("v."), with commas between.
std::string KeyColumns(const TviewDefinition& tview, const std::string& before = "");

// What the columns of a relation of keys are called: as in the TVIEW, or as KeyFieldName says.
enum class KeyNames : std::uint8_t { kOwn, kField };

// The condition that `left` and `right`, relations of keys or TVIEWs, name the same values in the
// columns `part` of the key.
std::string KeyCondition(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                         const std::string& left, const std::string& right, KeyNames right_names);

// All columns of the key.
std::vector<std::size_t> WholeKey(const TviewDefinition& tview);

// How the view is asked for keys of which a part is known: for each value of the part, or once.
enum class PartShape : std::uint8_t { kEach, kJoin };

// The query that returns the keys, stored and to be stored, that have the values in
// "pg_tviews_part" (columns as KeyFieldName says) in the columns `part`.
std::string PartKeysStatement(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                              PartShape shape);

// Returns a row if the defining query has one whose key is NULL.
std::string NullKeyStatement(const TviewDefinition& tview);

// Fails where no key can be computed: for want of an object or of a privilege. Returns no row.
std::string ProbeStatement(const TviewDefinition& tview);

// The query that returns up to `limit` keys of stored rows and of rows that the backing view
// returns.
std::string AllKeysStatement(const TviewDefinition& tview, std::size_t limit);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_REFRESH_PLAN_H_
