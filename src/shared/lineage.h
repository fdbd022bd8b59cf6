// Lineage: how a change to a row of a source names the affected keys of a TVIEW.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail
//
// Derived from the analysed query tree (backend/lineage/query_analysis.h), stored in
// pg_tview_lineage, used by the capture trigger (which columns) and by the cascade (which keys).

#ifndef PG_TVIEWS_SHARED_LINEAGE_H_
#define PG_TVIEWS_SHARED_LINEAGE_H_

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "shared/delta.h"
#include "shared/types.h"

namespace tviews {

enum class Strategy {
  kDirect,  // a captured column is the key
  kLookup,  // a query over the delta returns the keys
  kFull,    // the whole TVIEW is compared with its query
};

// "direct", "lookup", "full".
const char* StrategyName(Strategy strategy);

// One way from a changed row of a source to keys. A source has one per occurrence in the query
// that differs from the others; the affected keys are their union.
struct LineagePath {
  Strategy strategy = Strategy::kFull;
  // The captured columns that the path starts from. Direct: one for each key column that the path
  // leads to, in that order, of its type or of another integer type (int2, int4, int8 are converted
  // by value). Lookup: column number i of the source is called c<i> in the delta. Full: empty.
  std::vector<CapturedColumn> captured;
  // Which of the key's columns (0-based, ascending) the path leads to; empty: all. The affected
  // keys are then all that have these values there, stored ones and those that the query returns
  // now.
  std::vector<std::size_t> part;
  // The columns that the TVIEW reads of the occurrence where the path starts, ascending; 0 stands
  // for the whole row. An update of other columns leaves the occurrence as it was: where a table is
  // read several times, it need not be followed from each.
  std::vector<AttributeNumber> relevant;
  // Lookup only: a SELECT whose output columns are those of the key, or of the part; the delta is
  // the relation "pg_tviews_delta". Rows with a NULL in its result are ignored; duplicates are
  // allowed.
  std::string lookup;
  // What versions of a row have to meet, one of these, to count for the path
  // (pg/tables/row_filter.h); empty: nothing. The capture trigger asks, where every path of a
  // source has some.
  std::set<std::string> filters = {};
  // For people: "tb_comment.fk_post = tb_post.pk_post", or why the path is full.
  std::string description;

  // True if an update that changed `changed` (empty: any) can matter to the occurrence.
  bool IsRelevant(const std::vector<AttributeNumber>& changed) const;
};

// All that a TVIEW needs to know of one of its sources.
struct SourceLineage {
  RelationId source = 0;
  bool source_is_tview = false;
  // The columns that the TVIEW reads, ascending, of all occurrences; 0 stands for the whole row.
  std::vector<AttributeNumber> relevant;
  std::vector<LineagePath> paths;

  // The weakest of the paths'; full if there is none.
  Strategy strategy() const;
  // The union of the paths' captured columns, ascending.
  std::vector<CapturedColumn> captured() const;
  // True if an update that changed `changed` (empty: any) can matter to the TVIEW.
  bool IsRelevant(const std::vector<AttributeNumber>& changed) const;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_LINEAGE_H_
