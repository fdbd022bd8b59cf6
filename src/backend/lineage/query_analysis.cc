#include "backend/lineage/query_analysis.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backend/lineage/checks.h"
#include "backend/lineage/clock.h"
#include "backend/lineage/deadlines.h"
#include "backend/lineage/exits.h"
#include "backend/lineage/expand.h"
#include "backend/lineage/key_advice.h"
#include "backend/lineage/never_null.h"
#include "backend/lineage/path_sql.h"
#include "backend/lineage/paths.h"
#include "backend/lineage/probes.h"
#include "backend/lineage/scope.h"
#include "backend/lineage/settings.h"
#include "backend/lineage/trim.h"
#include "backend/lineage/undetermined.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <access/table.h>
#include <catalog/pg_class.h>
#include <miscadmin.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <rewrite/rewriteHandler.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using lineage::PlainArray;
using lineage::PlainPath;

// The analysis as plain data in PostgreSQL's memory.
struct PlainAnalysis {
  PlainArray<lineage::ReadColumns> reads;
  PlainArray<PlainPath*> paths;
  PlainArray<RelationId> views;
  PlainArray<const char*> undetermined;
  PlainArray<const char*> settings;
  PlainArray<lineage::Probe> unserved;
  PlainArray<Oid32> functions;
  bool functions_read = false;
  bool uses_clock = false;
  PlainArray<lineage::PlainDeadline*> deadlines;
  bool key_is_not_null = false;
  bool tells_null_keys = false;
  lineage::KeyAdvice key_advice;
};

// Paths of a long chain of joins find rows by the same columns over and over.
void AddProbe(const lineage::Probe& probe, PlainArray<lineage::Probe>* seen,
              PlainArray<lineage::Probe>* unserved) {
  for (const lineage::Probe& known : *seen) {
    if (lineage::AreSame(known, probe)) return;
  }
  seen->Add(probe);
  if (!lineage::IsServed(probe)) unserved->Add(probe);
}

// Where the columns of one begin those of another, the longer index serves both.
void FindUnserved(const lineage::Scope* top, const lineage::ExitRequest& key,
                  PlainAnalysis* analysis) {
  PlainArray<lineage::Probe> seen;
  PlainArray<lineage::Probe> unserved;
  for (const PlainPath* path : analysis->paths) {
    CHECK_FOR_INTERRUPTS();
    for (lineage::Probe probe : path->probes) {
      probe.description = path->description;
      AddProbe(probe, &seen, &unserved);
    }
  }
  PlainArray<lineage::Probe> of_key;
  lineage::CollectKeyProbes(top, key, &of_key);
  for (const lineage::Probe& probe : of_key) AddProbe(probe, &seen, &unserved);
  for (const lineage::Probe& probe : unserved) {
    bool is_served = false;
    for (const lineage::Probe& other : unserved) {
      if (&other != &probe && lineage::BeginsWith(other, probe)) is_served = true;
    }
    if (!is_served) analysis->unserved.Add(probe);
  }
}

// Rows whose moment has passed are found by what is compared with the clock.
void AddDeadlineProbes(PlainAnalysis* analysis) {
  PlainArray<lineage::Probe> seen;
  for (const lineage::PlainDeadline* deadline : analysis->deadlines) {
    lineage::Probe probe = {};
    probe.relation = deadline->relation;
    probe.description = psprintf("what is compared with %s", deadline->clock);
    lineage::AddPart(deadline->expr, lineage::EqualityOperatorOf(exprType(deadline->expr)),
                     exprCollation(deadline->expr), &probe);
    if (!probe.parts.empty()) AddProbe(probe, &seen, &analysis->unserved);
  }
}

lineage::ExitRequest KeyRequest(const lineage::Scope* top,
                                const PlainArray<AttributeNumber>& key_attributes) {
  lineage::ExitRequest request;
  for (const AttributeNumber number : key_attributes) {
    const auto* entry =
        static_cast<const TargetEntry*>(list_nth(top->query->targetList, number - 1));
    Node* key = reinterpret_cast<Node*>(entry->expr);
    lineage::ExitColumn column;
    column.number = number;
    column.is_strict = true;
    column.equality = lineage::EqualityOperatorOf(exprType(key));
    column.equality_collation = exprCollation(key);
    request.columns.Add(column);
  }
  return request;
}

bool AreNeverNull(const lineage::Scope* top, const PlainArray<AttributeNumber>& key) {
  for (const AttributeNumber number : key) {
    if (!lineage::IsOutputNeverNull(top, number)) return false;
  }
  return true;
}

// As the definition declares it.
struct DeclaredReads {
  bool is_declared;
  bool accepts_unknown;
  bool has_clock_period;
  const RelationId* relations;
  int count;
};

lineage::ClockRule ClockRule(const DeclaredReads& declared) {
  if (declared.has_clock_period) return lineage::ClockRule::kAllowed;
  return declared.accepts_unknown ? lineage::ClockRule::kOfBefore : lineage::ClockRule::kRefused;
}

// A view stands for what it reads.
void ExpandDeclared(const DeclaredReads& declared, lineage::Expansion* expansion) {
  for (int i = 0; i < declared.count; ++i) {
    if (get_rel_relkind(declared.relations[i]) != RELKIND_VIEW) continue;
    expansion->views.Add(declared.relations[i]);
    Relation const view = table_open(declared.relations[i], AccessShareLock);
    auto* const query = static_cast<Query*>(copyObjectImpl(get_view_query(view)));
    table_close(view, NoLock);
    lineage::ExpandViewBody(query, expansion);
  }
}

// A relation whose rows functions read: every change of `columns` concerns the whole TVIEW.
void AddWhole(RelationId relation, Bitmapset* columns, const char* reader,
              PlainAnalysis* analysis) {
  bool is_known = false;
  for (lineage::ReadColumns& reads : analysis->reads) {
    if (reads.relation != relation) continue;
    is_known = true;
    reads.columns = bms_union(reads.columns, columns);
  }
  if (!is_known) analysis->reads.Add({relation, columns});
  auto* const path = lineage::MakePlain<PlainPath>();
  path->source = relation;
  path->strategy = Strategy::kFull;
  path->relevant = columns;
  path->description = reader;
  analysis->paths.Add(path);
}

void AddBody(const lineage::FunctionBody& body, PlainAnalysis* analysis) {
  lineage::FindSettings(body.query, &analysis->settings, &analysis->undetermined);
  const lineage::Tree* const tree = lineage::BuildTree(body.query);
  lineage::FindUndetermined(tree, analysis->uses_clock, &analysis->undetermined);
  const char* const reader = OidIsValid(body.function)
                                 ? psprintf("function %s reads it", format_procedure(body.function))
                                 : "functions read it";
  for (const lineage::ReadColumns& reads : tree->reads) {
    AddWhole(reads.relation, reads.columns, reader, analysis);
  }
}

void AddDeclared(const DeclaredReads& declared, PlainAnalysis* analysis) {
  Bitmapset* const whole_row = bms_make_singleton(-FirstLowInvalidHeapAttributeNumber);
  for (int i = 0; i < declared.count; ++i) {
    if (get_rel_relkind(declared.relations[i]) == RELKIND_VIEW) continue;
    AddWhole(declared.relations[i], whole_row, "functions read it", analysis);
  }
}

// Runs inside pg::Call.
void AnalyzePlain(const Query* query, const PlainArray<AttributeNumber>& key_attributes,
                  const DeclaredReads& declared, PlainAnalysis* analysis) {
  lineage::Expansion expansion;
  expansion.reads_are_declared = declared.is_declared;
  expansion.accepts_unknown = declared.accepts_unknown;
  ExpandDeclared(declared, &expansion);
  Query* expanded = lineage::ExpandQuery(query, &expansion);
  analysis->views = expansion.views;
  analysis->functions = expansion.functions;
  analysis->undetermined = expansion.unknown;
  analysis->functions_read =
      expansion.inlined > 0 || !expansion.bodies.empty() || declared.count > 0;
  lineage::RefuseUntrackable(expanded);
  const lineage::ClockRule rule = ClockRule(declared);
  bool uses_clock = false;
  for (const lineage::FunctionBody& body : expansion.bodies) {
    lineage::RefuseUntrackable(body.query);
    uses_clock |= lineage::UsesClock(body.query, rule);
  }
  lineage::TrimUnreadColumns(expanded);
  const bool has_clock = lineage::UsesClock(expanded, lineage::ClockRule::kAllowed);
  analysis->uses_clock = (uses_clock || has_clock) && rule != lineage::ClockRule::kOfBefore;
  lineage::FindSettings(expanded, &analysis->settings, &analysis->undetermined);
  lineage::Tree* tree = lineage::BuildTree(expanded);
  analysis->reads = tree->reads;
  lineage::FindUndetermined(tree, analysis->uses_clock, &analysis->undetermined);
  const lineage::ExitRequest key = KeyRequest(tree->top, key_attributes);
  analysis->key_is_not_null = AreNeverNull(tree->top, key_attributes);
  analysis->tells_null_keys = lineage::TellsNulls(tree->top, key_attributes);
  lineage::Forest* forest = lineage::FindPaths(tree, key);
  for (const lineage::PathStart& start : forest->starts) {
    analysis->paths.Add(lineage::WritePath(start));
  }
  FindUnserved(tree->top, key, analysis);
  for (const PlainPath* path : analysis->paths) {
    if (path->strategy == Strategy::kFull) {
      analysis->key_advice = lineage::AdviseOnKey(tree->top, key);
      break;
    }
  }
  if (has_clock && rule == lineage::ClockRule::kRefused) {
    // Deadlines are kept for keys of one column.
    const auto* const entry =
        static_cast<TargetEntry*>(list_nth(expanded->targetList, key_attributes[0] - 1));
    const Oid key_type = exprType(reinterpret_cast<Node*>(entry->expr));
    if (key_attributes.size() > 1 ||
        !lineage::FindDeadlines(tree, forest, key_type, &analysis->deadlines)) {
      lineage::UsesClock(expanded, rule);  // raises
    }
    AddDeadlineProbes(analysis);
  }
  for (const lineage::FunctionBody& body : expansion.bodies) AddBody(body, analysis);
  AddDeclared(declared, analysis);
}

std::vector<AttributeNumber> RelevantColumns(const Bitmapset* columns) {
  std::vector<AttributeNumber> relevant;
  for (int i = -1; (i = bms_next_member(columns, i)) >= 0;) {
    const int attribute = i + FirstLowInvalidHeapAttributeNumber;
    if (attribute >= 0) relevant.push_back(static_cast<AttributeNumber>(attribute));
  }
  return relevant;
}

LineagePath CopyPath(const PlainPath& plain) {
  LineagePath path;
  path.strategy = plain.strategy;
  for (const lineage::PlainColumn& column : plain.captured) {
    path.captured.push_back({column.attribute, column.type});
  }
  path.relevant = RelevantColumns(plain.relevant);
  path.part.assign(plain.part.begin(), plain.part.end());
  if (plain.lookup != nullptr) path.lookup = plain.lookup;
  path.description = plain.description;
  if (plain.filter != nullptr) path.filters.insert(plain.filter);
  return path;
}

std::vector<AttributeNumber> Union(const std::vector<AttributeNumber>& left,
                                   const std::vector<AttributeNumber>& right) {
  std::vector<AttributeNumber> united;
  std::set_union(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(united));
  return united;
}

// Every version counts where it does for one of two paths.
std::set<std::string> UnitedFilters(const std::set<std::string>& left,
                                    const std::set<std::string>& right) {
  if (left.empty() || right.empty()) return {};
  std::set<std::string> united = left;
  united.insert(right.begin(), right.end());
  return united;
}

// Adds a path, or unites it with the same one that the source has already. A full path makes the
// others pointless: it stands for all that is read of the source.
void AddPath(LineagePath path, SourceLineage* source) {
  for (LineagePath& known : source->paths) {
    const bool is_same = known.strategy == path.strategy && known.captured == path.captured &&
                         known.part == path.part && known.lookup == path.lookup;
    if (!is_same && known.strategy != Strategy::kFull) continue;
    if (is_same) known.relevant = Union(known.relevant, path.relevant);
    known.filters = UnitedFilters(known.filters, path.filters);
    return;
  }
  if (path.strategy == Strategy::kFull) {
    for (const LineagePath& known : source->paths) {
      path.filters = UnitedFilters(path.filters, known.filters);
    }
    source->paths.clear();
    path.relevant = source->relevant;
  }
  source->paths.push_back(std::move(path));
}

std::string JsonString(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      json += c;
    }
  }
  return json + '"';
}

std::string DeadlinesAsJson(const PlainArray<lineage::PlainDeadline*>& deadlines) {
  std::vector<std::string> items;
  for (const lineage::PlainDeadline* deadline : deadlines) {
    std::vector<std::string> queries;
    for (const lineage::DeadlineQuery& query : deadline->queries) {
      queries.push_back(absl::StrCat("{\"before\": ", JsonString(query.before),
                                     ", \"after\": ", JsonString(query.after),
                                     ", \"whole\": ", query.is_whole ? "true" : "false", "}"));
    }
    items.push_back(absl::StrCat(
        "{\"clock\": ", JsonString(deadline->clock), ", \"type\": ", JsonString(deadline->type),
        ", \"row\": ", JsonString(deadline->row),
        ", \"row_type\": ", JsonString(deadline->row_type),
        ", \"rough\": ", deadline->rough == nullptr ? "null" : JsonString(deadline->rough),
        ", \"table\": ", JsonString(deadline->table),
        ", \"reached\": ", deadline->changes_when_reached ? "true" : "false",
        ", \"passed\": ", deadline->changes_when_passed ? "true" : "false",
        ", \"back\": ", deadline->may_go_back ? "true" : "false", ", \"queries\": [",
        absl::StrJoin(queries, ", "), "]}"));
  }
  return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
}

absl::StatusOr<Analysis> CopyAnalysis(
    const PlainAnalysis& plain, absl::FunctionRef<absl::StatusOr<bool>(RelationId)> is_tview) {
  Analysis analysis;
  for (const lineage::ReadColumns& reads : plain.reads) {
    SourceLineage source;
    source.source = reads.relation;
    TVIEWS_ASSIGN_OR_RETURN(source.source_is_tview, is_tview(reads.relation));
    source.relevant = RelevantColumns(reads.columns);
    for (const PlainPath* path : plain.paths) {
      if (path->source == reads.relation) AddPath(CopyPath(*path), &source);
    }
    analysis.sources.push_back(std::move(source));
  }
  std::sort(analysis.sources.begin(), analysis.sources.end(),
            [](const SourceLineage& a, const SourceLineage& b) { return a.source < b.source; });
  analysis.nested_views.assign(plain.views.begin(), plain.views.end());
  analysis.undetermined.assign(plain.undetermined.begin(), plain.undetermined.end());
  analysis.settings.assign(plain.settings.begin(), plain.settings.end());
  for (const lineage::Probe& probe : plain.unserved) {
    const char* columns = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { columns = lineage::IndexColumns(probe); }));
    analysis.suggested_indexes.push_back({probe.relation, columns, probe.description});
  }
  analysis.key_is_not_null = plain.key_is_not_null;
  analysis.functions.assign(plain.functions.begin(), plain.functions.end());
  analysis.functions_read = plain.functions_read;
  analysis.tells_null_keys = plain.tells_null_keys;
  if (plain.key_advice.columns != nullptr) {
    analysis.columns_of_key = plain.key_advice.columns;
    analysis.names_for_key = plain.key_advice.names;
  }
  return analysis;
}

}  // namespace

absl::StatusOr<Analysis> AnalyzeQuery(
    const Query* query, const std::vector<AttributeNumber>& key, const AnalysisOptions& options,
    absl::FunctionRef<absl::StatusOr<bool>(RelationId)> is_tview) {
  TVIEWS_ASSIGN_OR_RETURN(pg::MemoryScope memory, pg::MemoryScope::Make("pg_tviews lineage"));
  PlainAnalysis plain;
  DeclaredReads declared = {};
  declared.accepts_unknown = options.is_of_before;
  declared.has_clock_period = options.clock_period_ms > 0;
  if (options.function_reads.has_value()) {
    declared.is_declared = true;
    declared.relations = options.function_reads->data();
    declared.count = static_cast<int>(options.function_reads->size());
  }
  PlainArray<AttributeNumber> numbers;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    for (const AttributeNumber number : key) numbers.Add(number);
    AnalyzePlain(query, numbers, declared, &plain);
  }));
  TVIEWS_ASSIGN_OR_RETURN(Analysis analysis, CopyAnalysis(plain, is_tview));
  if (plain.uses_clock) {
    analysis.clock_period_ms = std::max<std::int64_t>(options.clock_period_ms, 1);
  }
  if (!plain.deadlines.empty()) analysis.deadlines = DeadlinesAsJson(plain.deadlines);
  return analysis;
}

}  // namespace tviews::backend
