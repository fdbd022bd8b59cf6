#include "backend/tview/index_suggestions.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/functions/session_graph.h"
#include "backend/lineage/index_match.h"
#include "backend/tview/names.h"
#include "backend/tview/stored_lineage.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Adds the suggestion unless its statement is there already.
absl::Status Add(const SuggestedIndex& index, std::vector<IndexSuggestion>* suggestions) {
  TVIEWS_ASSIGN_OR_RETURN(IndexSuggestion suggestion, DescribeSuggestion(index));
  const bool is_known = std::any_of(
      suggestions->begin(), suggestions->end(),
      [&](const IndexSuggestion& known) { return known.statement == suggestion.statement; });
  if (!is_known) suggestions->push_back(std::move(suggestion));
  return absl::OkStatus();
}

bool IsLinkName(const char* name) {
  return strcmp(name, "id") == 0 || strncmp(name, "fk_", strlen("fk_")) == 0;
}

// The columns of `tview` called id or fk_* that no index leads with.
absl::StatusOr<std::vector<AttributeNumber>> UnindexedLinks(RelationId tview) {
  AttributeNumber found[MaxHeapAttributeNumber];
  int count = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    Relation const relation = table_open(tview, AccessShareLock);
    for (AttributeNumber number = 1; number <= RelationGetNumberOfAttributes(relation); ++number) {
      const Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);
      if (column->attisdropped || !IsLinkName(NameStr(column->attname))) continue;
      lineage::Probe probe = {tview, {}, nullptr};
      lineage::AddColumn(number, &probe);
      if (!lineage::IsServed(probe)) found[count++] = number;
    }
    table_close(relation, AccessShareLock);
  }));
  return std::vector<AttributeNumber>(found, found + count);
}

absl::Status SuggestForReaders(RelationId tview, std::vector<IndexSuggestion>* suggestions) {
  TVIEWS_ASSIGN_OR_RETURN(const DependencyGraph graph, LoadSessionGraph());
  for (const std::size_t position : graph.Readers(tview)) {
    TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis,
                            AnalyzeTview(graph.order()[position].relation));
    for (const SuggestedIndex& index : analysis.suggested_indexes) {
      if (index.relation == tview) TVIEWS_RETURN_IF_ERROR(Add(index, suggestions));
    }
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> columns, UnindexedLinks(tview));
  for (const AttributeNumber column : columns) {
    TVIEWS_ASSIGN_OR_RETURN(const char* name,
                            pg::CallFor([&] { return get_attname(tview, column, false); }));
    TVIEWS_ASSIGN_OR_RETURN(const char* quoted,
                            pg::CallFor([&] { return quote_identifier(name); }));
    TVIEWS_RETURN_IF_ERROR(
        Add({.relation = tview, .columns = quoted, .reason = name}, suggestions));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IndexSuggestion> DescribeSuggestion(const SuggestedIndex& index) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string relation, RelationDisplayName(index.relation));
  return IndexSuggestion{
      .statement = "CREATE INDEX ON " + relation + " (" + index.columns + ");",
      .reason = "no index helps to find rows of " + relation + " by " + index.reason};
}

absl::StatusOr<std::vector<IndexSuggestion>> SuggestIndexes(RelationId tview) {
  std::vector<IndexSuggestion> suggestions;
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis, AnalyzeTview(tview));
  for (const SuggestedIndex& index : analysis.suggested_indexes) {
    TVIEWS_RETURN_IF_ERROR(Add(index, &suggestions));
  }
  TVIEWS_RETURN_IF_ERROR(SuggestForReaders(tview, &suggestions));
  return suggestions;
}

}  // namespace tviews::backend
