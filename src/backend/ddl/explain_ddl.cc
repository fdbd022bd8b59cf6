#include "backend/ddl/explain_ddl.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/ddl/aftermath.h"
#include "backend/ddl/altered_types.h"
#include "backend/ddl/refusals.h"
#include "backend/ddl/replace_call.h"
#include "backend/tview/facts.h"
#include "backend/tview/redefine.h"
#include "backend/tview/replacement_checks.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <catalog/pg_inherits.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <parser/parser.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// From the lightest to the gravest.
enum class Effect { kUntouched, kFollowed, kCompared, kRebuilt, kDropped, kRefused };

const char* NameOf(Effect effect) {
  switch (effect) {
    case Effect::kUntouched:
      return "untouched";
    case Effect::kFollowed:
      return "followed";
    case Effect::kCompared:
      return "compared";
    case Effect::kRebuilt:
      return "rebuilt online";
    case Effect::kDropped:
      return "dropped";
    case Effect::kRefused:
      return "refused";
  }
  return "";
}

// Reports positions in our text as positions in an inner query.
void MovePosition(void* text) {
  const int position = geterrposition();
  if (position <= 0) return;
  errposition(0);
  internalerrposition(position);
  internalerrquery(static_cast<const char*>(text));
}

constexpr char kWholeRows[] = "it reads whole rows, whose columns change";

class Explanation {
 public:
  // The gravest stays, of equals the first.
  void Add(const std::vector<RelationId>& tviews, Effect effect, const std::string& reason) {
    for (const RelationId tview : tviews) {
      auto& [known, why] = effects_[tview];
      if (effect <= known) continue;
      known = effect;
      why = reason;
    }
  }

  absl::StatusOr<std::vector<DdlEffect>> Rows() const {
    std::map<RelationId, DdlEffect> rows;
    TVIEWS_RETURN_IF_ERROR(pg::ForEachTview([&](RelationId tview, RelationId) -> absl::Status {
      rows[tview] = {.tview = tview, .effect = NameOf(Effect::kUntouched), .reason = ""};
      return absl::OkStatus();
    }));
    for (const auto& [tview, effect] : effects_) {
      if (!rows.contains(tview)) continue;
      rows[tview].effect = NameOf(effect.first);
      rows[tview].reason = effect.second;
    }
    std::vector<DdlEffect> list;
    for (auto& [tview, row] : rows) list.push_back(std::move(row));
    return list;
  }

 private:
  std::map<RelationId, std::pair<Effect, std::string>> effects_;
};

// The TVIEW that the relation is, belongs to as a backing view, or is read by.
absl::StatusOr<std::vector<RelationId>> ConcernedBy(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> tviews, ReadersOf(relation));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (is_tview) tviews.push_back(relation);
  TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(relation));
  if (owner != 0) tviews.push_back(owner);
  return tviews;
}

absl::Status ExplainRelations(const Aftermath& aftermath, Explanation* explanation) {
  for (int i = 0; i < list_length(aftermath.relations); ++i) {
    const Oid relation = list_nth_oid(aftermath.relations, i);
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> tviews, ConcernedBy(relation));
    explanation->Add(tviews, aftermath.rows_may_differ ? Effect::kCompared : Effect::kFollowed,
                     aftermath.rows_may_differ ? "what it reads means something else afterwards"
                                               : "its lineage is derived again");
    if (!aftermath.changes_columns) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOfWholeRows(relation));
    explanation->Add(readers, Effect::kCompared, kWholeRows);
  }
  return absl::OkStatus();
}

absl::Status ExplainMeaning(const Aftermath& aftermath, Explanation* explanation) {
  const auto ids = [](const List* list) {
    std::vector<Oid32> values;
    for (int i = 0; i < list_length(list); ++i) values.push_back(list_nth_oid(list, i));
    return values;
  };
  TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> users,
                          UsersOfFunctions(ids(aftermath.functions)));
  explanation->Add(users, Effect::kCompared, "it uses the function");
  TVIEWS_ASSIGN_OR_RETURN(users, UsersOfTypes(ids(aftermath.types)));
  explanation->Add(users, Effect::kCompared, "it uses the type");
  if (aftermath.object != 0) {
    TVIEWS_ASSIGN_OR_RETURN(users, UsersOfObject(aftermath.object_class, aftermath.object));
    explanation->Add(users, Effect::kCompared, "it uses the object");
  }
  if (aftermath.schema != 0) {
    TVIEWS_ASSIGN_OR_RETURN(users, TviewsInSchema(aftermath.schema));
    explanation->Add(users, Effect::kFollowed, "its schema gets another name");
  }
  if (aftermath.is_rename_elsewhere && aftermath.renamed != nullptr) {
    TVIEWS_ASSIGN_OR_RETURN(users, TviewsWithLookup(aftermath.renamed));
    explanation->Add(users, Effect::kFollowed, "its lineage is derived again");
  }
  for (const Oid32 relation : ids(aftermath.unseen_changes)) {
    TVIEWS_ASSIGN_OR_RETURN(users, ReadersOf(relation));
    explanation->Add(users, Effect::kCompared, "all rows of what it reads are written anew");
  }
  return absl::OkStatus();
}

absl::Status ExplainColumns(const AlterTableStmt* statement, Explanation* explanation) {
  TVIEWS_ASSIGN_OR_RETURN(const Oid relation, pg::CallFor([statement] {
                            return RangeVarGetRelid(statement->relation, NoLock, true);
                          }));
  if (relation == InvalidOid) return absl::OkStatus();
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    if (command->subtype != AT_DropColumn && command->subtype != AT_AlterColumnType) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> users,
                            UsersOfColumn(relation, command->name));
    if (command->subtype == AT_DropColumn) {
      const bool cascades = command->behavior == DROP_CASCADE;
      explanation->Add(users, cascades ? Effect::kDropped : Effect::kRefused,
                       absl::StrCat("it uses column \"", command->name, "\""));
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const RetypingKind kind, ForeseeRetyping(relation, command));
    switch (kind) {
      case RetypingKind::kNoop:
      case RetypingKind::kSameValues:
        explanation->Add(users, Effect::kFollowed,
                         absl::StrCat("column \"", command->name, "\" has the same values"));
        break;
      case RetypingKind::kOtherValues: {
        explanation->Add(users, Effect::kCompared,
                         absl::StrCat("values of column \"", command->name, "\" may differ"));
        TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers,
                                ReadersOfWholeRows(relation));
        explanation->Add(readers, Effect::kCompared, kWholeRows);
        break;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ExplainDrop(const DropStmt* drop, Explanation* explanation) {
  if (drop->removeType != OBJECT_TABLE && drop->removeType != OBJECT_VIEW &&
      drop->removeType != OBJECT_MATVIEW && drop->removeType != OBJECT_FOREIGN_TABLE) {
    return absl::OkStatus();
  }
  for (int i = 0; i < list_length(drop->objects); ++i) {
    RelationId relation = 0;
    bool is_part = false;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      relation = RangeVarGetRelid(
          makeRangeVarFromNameList(static_cast<List*>(list_nth(drop->objects, i))), NoLock, true);
      is_part = OidIsValid(relation) && has_superclass(relation);
    }));
    if (relation == 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
    if (is_tview) explanation->Add({relation}, Effect::kDropped, "it is named");
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> direct, DirectUsersOf(relation));
    const bool cascades = drop->behavior == DROP_CASCADE;
    explanation->Add(direct, cascades ? Effect::kDropped : Effect::kRefused, "it reads what goes");
    if (!is_part) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(relation));
    explanation->Add(readers, Effect::kFollowed, "the rows of the partition go");
  }
  return absl::OkStatus();
}

absl::Status ExplainTruncate(const TruncateStmt* truncate, Explanation* explanation) {
  for (int i = 0; i < list_length(truncate->relations); ++i) {
    const auto* const name = static_cast<RangeVar*>(list_nth(truncate->relations, i));
    TVIEWS_ASSIGN_OR_RETURN(const Oid relation,
                            pg::CallFor([name] { return RangeVarGetRelid(name, NoLock, true); }));
    if (relation == InvalidOid) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(relation));
    explanation->Add(readers, Effect::kCompared, "all rows of what it reads go");
  }
  return absl::OkStatus();
}

absl::Status ExplainReplacement(const WantedReplacement& wanted, Explanation* explanation) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string refusal, RefusalOf(wanted));
  if (!refusal.empty()) {
    explanation->Add({wanted.tview}, Effect::kRefused, refusal);
    return absl::OkStatus();
  }
  if (wanted.is_online) {
    explanation->Add({wanted.tview}, Effect::kRebuilt, "its rows are computed beside it first");
  } else {
    explanation->Add({wanted.tview}, Effect::kCompared, "it gets another query");
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(wanted.tview));
  explanation->Add(readers, Effect::kCompared, "what it reads gets another query");
  return absl::OkStatus();
}

// As the hook takes them out of the statement.
absl::Status RemoveNoopsOf(AlterTableStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const Oid relation, pg::CallFor([statement] {
                            return RangeVarGetRelid(statement->relation, NoLock, true);
                          }));
  for (int i = list_length(statement->cmds) - 1; relation != InvalidOid && i >= 0; --i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    if (command->subtype != AT_AlterColumnType) continue;
    TVIEWS_ASSIGN_OR_RETURN(const RetypingKind kind, ForeseeRetyping(relation, command));
    if (kind != RetypingKind::kNoop) continue;
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([&] { statement->cmds = list_delete_nth_cell(statement->cmds, i); }));
  }
  return absl::OkStatus();
}

absl::Status ExplainStatement(Node* statement, Explanation* explanation) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<WantedReplacement> replacement,
                          ReplaceCallOf(statement));
  if (replacement.has_value()) return ExplainReplacement(*replacement, explanation);
  if (IsA(statement, AlterTableStmt)) {
    TVIEWS_RETURN_IF_ERROR(RemoveNoopsOf(reinterpret_cast<AlterTableStmt*>(statement)));
  }
  TVIEWS_ASSIGN_OR_RETURN(const Aftermath aftermath, ForeseeAftermath(statement));
  TVIEWS_RETURN_IF_ERROR(ExplainRelations(aftermath, explanation));
  TVIEWS_RETURN_IF_ERROR(ExplainMeaning(aftermath, explanation));
  if (IsA(statement, AlterTableStmt)) {
    TVIEWS_RETURN_IF_ERROR(
        ExplainColumns(reinterpret_cast<const AlterTableStmt*>(statement), explanation));
  } else if (IsA(statement, DropStmt)) {
    TVIEWS_RETURN_IF_ERROR(ExplainDrop(reinterpret_cast<const DropStmt*>(statement), explanation));
  } else if (IsA(statement, TruncateStmt)) {
    TVIEWS_RETURN_IF_ERROR(
        ExplainTruncate(reinterpret_cast<const TruncateStmt*>(statement), explanation));
  }
  if (IsA(statement, ViewStmt)) {
    TVIEWS_ASSIGN_OR_RETURN(const RelationId replaced,
                            TviewReplacedBy(reinterpret_cast<const ViewStmt*>(statement)));
    if (replaced != 0) return absl::OkStatus();
  }
  const absl::Status refusal = CheckStatement(statement);
  if (refusal.ok()) return refusal;
  for (int i = 0; i < list_length(aftermath.relations); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> tviews,
                            ConcernedBy(list_nth_oid(aftermath.relations, i)));
    explanation->Add(tviews, Effect::kRefused, std::string(refusal.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<DdlEffect>> ExplainDdl(const std::string& sql) {
  TVIEWS_ASSIGN_OR_RETURN(
      const List* const statements, pg::CallFor([&]() -> const List* {
        char* const text = pstrdup(sql.c_str());
        ErrorContextCallback position = {error_context_stack, MovePosition, text};
        error_context_stack = &position;
        List* const parsed = raw_parser(text, RAW_PARSE_DEFAULT);
        error_context_stack = position.previous;
        return parsed;
      }));
  Explanation explanation;
  for (int i = 0; i < list_length(statements); ++i) {
    const auto* const raw = static_cast<RawStmt*>(list_nth(statements, i));
    TVIEWS_RETURN_IF_ERROR(ExplainStatement(raw->stmt, &explanation));
  }
  return explanation.Rows();
}

}  // namespace tviews::backend
