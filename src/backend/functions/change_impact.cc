#include "backend/functions/change_impact.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/refresh_plan.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::StatusOr<std::string> ColumnOf(RelationId relation, AttributeNumber attribute) {
  TVIEWS_ASSIGN_OR_RETURN(const char* name,
                          pg::CallFor([&] { return get_attname(relation, attribute, false); }));
  return "t." + QuoteIdentifier(name);
}

// Integers of the delta that the key's type cannot hold equal no key.
std::string RangeOf(TypeId from, TypeId to) {
  if (from == to || to == INT8OID) return {};
  if (to == INT4OID) return " BETWEEN -2147483648 AND 2147483647";
  return " BETWEEN -32768 AND 32767";
}

std::vector<std::size_t> PartOf(const TviewDefinition& tview, const LineagePath& path) {
  return path.part.empty() ? WholeKey(tview) : path.part;
}

// SELECT DISTINCT the columns of the key of `from`, called `name`, as texts, without NULLs.
std::string KeyTextsOf(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                       const std::string& from, const std::string& name) {
  std::string columns;
  std::string conditions;
  for (const std::size_t i : part) {
    const std::string column = name + "." + KeyFieldName(tview, i);
    absl::StrAppend(&columns, columns.empty() ? "" : ", ", column, "::text");
    absl::StrAppend(&conditions, conditions.empty() ? "" : " AND ", "num_nonnulls(", column,
                    ") > 0");
  }
  return absl::StrCat("SELECT DISTINCT ", columns, " FROM (", from, ") AS ", name,
                      KeyFieldNames(tview, part), " WHERE ", conditions);
}

absl::StatusOr<std::string> DirectStatement(const TviewDefinition& tview,
                                            const SourceLineage& source, const LineagePath& path,
                                            const std::string& delta) {
  const std::vector<std::size_t> part = PartOf(tview, path);
  std::string columns;
  std::string ranges;
  for (std::size_t i = 0; i < path.captured.size() && i < part.size(); ++i) {
    const CapturedColumn& captured = path.captured[i];
    TVIEWS_ASSIGN_OR_RETURN(const std::string column, ColumnOf(source.source, captured.attribute));
    absl::StrAppend(&columns, columns.empty() ? "" : ", ", column);
    const std::string range = RangeOf(captured.type, tview.key[part[i]].type);
    if (range.empty()) continue;
    absl::StrAppend(&ranges, " AND d.", KeyFieldName(tview, part[i]), range);
  }
  return KeyTextsOf(tview, part, "SELECT " + columns + " " + delta, "d") + ranges;
}

absl::StatusOr<std::string> LookupStatement(const TviewDefinition& tview,
                                            const SourceLineage& source, const LineagePath& path,
                                            const std::string& delta) {
  std::string names;
  std::string columns;
  for (const CapturedColumn& captured : path.captured) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string column, ColumnOf(source.source, captured.attribute));
    absl::StrAppend(&names, names.empty() ? "" : ", ", "c", captured.attribute);
    absl::StrAppend(&columns, columns.empty() ? "" : ", ", column);
  }
  if (!names.empty()) names = " (" + names + ")";
  return absl::StrCat("WITH pg_tviews_delta", names, " AS MATERIALIZED (SELECT ", columns, " ",
                      delta, ") ", KeyTextsOf(tview, PartOf(tview, path), path.lookup, "l"));
}

KeyTexts TextsOf(const pg::SqlRow& row) {
  KeyTexts texts;
  for (const pg::SqlValue& value : row) texts.push_back(value.value_or(""));
  return texts;
}

bool ReadsOneOf(const TviewDefinition& tview, const std::map<RelationId, std::string>& deltas) {
  return std::any_of(
      tview.sources.begin(), tview.sources.end(),
      [&deltas](const SourceLineage& source) { return deltas.contains(source.source); });
}

}  // namespace

std::string KeyFieldNames(const TviewDefinition& tview, const std::vector<std::size_t>& part) {
  std::string names;
  for (const std::size_t i : part) {
    absl::StrAppend(&names, names.empty() ? " (" : ", ", KeyFieldName(tview, i));
  }
  return names + ")";
}

absl::StatusOr<std::string> KeysAsValues(const TviewDefinition& tview,
                                         const std::vector<std::size_t>& part,
                                         const std::set<KeyTexts>& keys) {
  std::vector<std::string> types;
  for (const std::size_t i : part) {
    TVIEWS_ASSIGN_OR_RETURN(types.emplace_back(), TypeNameForCast(tview.key[i].type));
  }
  std::string values = "VALUES ";
  for (const KeyTexts& key : keys) {
    std::string row;
    for (std::size_t i = 0; i < types.size() && i < key.size(); ++i) {
      absl::StrAppend(&row, row.empty() ? "" : ", ", QuoteLiteral(key[i]), "::", types[i]);
    }
    absl::StrAppend(&values, values.back() == ' ' ? "(" : ", (", row, ")");
  }
  return values;
}

absl::Status ChangeImpact::BeginWithRows(const std::vector<FoundRow>& rows) {
  for (const FoundRow& row : rows) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config,
                            pg::CaptureConfigOf(row.relation));
    const std::string is_row =
        absl::StrCat("(t.tableoid = ", row.relation, " AND t.ctid = '", row.place, "'::tid)");
    for (const pg::CaptureTarget& target : config->targets) {
      std::string& delta = deltas_[target.source];
      if (!delta.empty()) {
        delta += " OR " + is_row;
        continue;
      }
      TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(target.source));
      delta = "FROM " + name + " AS t WHERE " + is_row;
    }
  }
  return absl::OkStatus();
}

void ChangeImpact::BeginWithKey(RelationId tview, const KeyTexts& key) { begin_[tview] = key; }

absl::StatusOr<std::vector<TviewImpact>> ChangeImpact::Follow() {
  std::vector<TviewImpact> reached;
  for (const TviewDefinition& tview : graph_.order()) {
    TviewImpact impact;
    impact.tview = &tview;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_reached, Visit(tview, &impact));
    if (!is_reached) continue;
    TVIEWS_RETURN_IF_ERROR(AddToDeltas(impact));
    reached.push_back(std::move(impact));
  }
  return reached;
}

// False if no source of `tview` has changed.
absl::StatusOr<bool> ChangeImpact::Visit(const TviewDefinition& tview, TviewImpact* impact) {
  const auto begin = begin_.find(tview.relation);
  if (begin != begin_.end()) impact->keys.insert(begin->second);
  if (begin == begin_.end() && !ReadsOneOf(tview, deltas_)) return false;
  TVIEWS_ASSIGN_OR_RETURN(impact->owner, HoldOwner(tview.relation));
  TVIEWS_RETURN_IF_ERROR(CheckIsCommitted({tview.relation, tview.backing_view}));
  for (const SourceLineage& source : tview.sources) {
    const auto delta = deltas_.find(source.source);
    if (delta == deltas_.end()) continue;
    if (delta->second.empty()) impact->strategy = Strategy::kFull;
    if (source.paths.empty()) impact->strategy = Strategy::kFull;
    for (const LineagePath& path : source.paths) {
      impact->paths.insert(path.description);
      impact->strategy = std::max(impact->strategy, path.strategy);
      if (impact->strategy == Strategy::kFull) continue;
      TVIEWS_RETURN_IF_ERROR(FollowPath(source, path, impact));
    }
  }
  if (impact->strategy == Strategy::kFull) {
    impact->keys.clear();
  } else {
    TVIEWS_RETURN_IF_ERROR(CompleteParts(impact));
  }
  return true;
}

absl::StatusOr<pg::SqlResult> ChangeImpact::Run(const TviewImpact& impact,
                                                const std::string& statement) {
  return evaluator_->Run({.owner = impact.owner,
                          .settings = impact.tview->settings,
                          .sql = statement,
                          .with_batch_costs = true});
}

// The keys of which paths have led to a part.
absl::Status ChangeImpact::CompleteParts(TviewImpact* impact) {
  const TviewDefinition& tview = *impact->tview;
  for (const auto& [part, rows] : impact->parts) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string values, KeysAsValues(tview, part, rows));
    const std::string statement = absl::StrCat(
        "WITH pg_tviews_part", KeyFieldNames(tview, part), " AS MATERIALIZED (", values, ") ",
        KeyTextsOf(tview, WholeKey(tview), PartKeysStatement(tview, part, PartShape::kEach), "k"));
    impact->queries.push_back({tview.relation, "a part of the key", statement});
    TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result, Run(*impact, statement));
    for (const pg::SqlRow& row : result.rows) impact->keys.insert(TextsOf(row));
  }
  return absl::OkStatus();
}

absl::Status ChangeImpact::FollowPath(const SourceLineage& source, const LineagePath& path,
                                      TviewImpact* impact) {
  const std::string& delta = deltas_[source.source];
  std::string statement;
  if (path.strategy == Strategy::kDirect) {
    TVIEWS_ASSIGN_OR_RETURN(statement, DirectStatement(*impact->tview, source, path, delta));
  } else {
    TVIEWS_ASSIGN_OR_RETURN(statement, LookupStatement(*impact->tview, source, path, delta));
    impact->queries.push_back({source.source, path.description, statement});
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result, Run(*impact, statement));
  std::set<KeyTexts>& keys = path.part.empty() ? impact->keys : impact->parts[path.part];
  for (const pg::SqlRow& row : result.rows) keys.insert(TextsOf(row));
  return absl::OkStatus();
}

// What is recomputed counts as changed, for the TVIEWs that read it. They find it by its place:
// only the owner makes values of its keys' texts.
absl::Status ChangeImpact::AddToDeltas(const TviewImpact& impact) {
  const TviewDefinition& tview = *impact.tview;
  if (impact.strategy == Strategy::kFull) {
    deltas_[tview.relation].clear();
    return absl::OkStatus();
  }
  if (impact.keys.empty()) return absl::OkStatus();
  const std::vector<std::size_t> whole = WholeKey(tview);
  TVIEWS_ASSIGN_OR_RETURN(const std::string values, KeysAsValues(tview, whole, impact.keys));
  const std::string rows = "FROM ONLY " + tview.qualified_name + " AS t";
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      Run(impact, absl::StrCat("SELECT array_agg(t.ctid) ", rows, " JOIN (", values, ") AS k",
                               KeyFieldNames(tview, whole), " ON ",
                               KeyCondition(tview, whole, "t", "k", KeyNames::kField))));
  deltas_[tview.relation] = absl::StrCat(rows, " WHERE t.ctid = ANY (",
                                         QuoteLiteral(found.rows[0][0].value_or("{}")), "::tid[])");
  return absl::OkStatus();
}

}  // namespace tviews::backend
