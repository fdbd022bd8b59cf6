#include "backend/ddl/saved_views.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "backend/ddl/view_text.h"
#include "backend/tview/names.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/column_dependencies.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <access/transam.h>
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/indexing.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_class.h>
#include <catalog/pg_depend.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_rewrite.h>
#include <catalog/pg_type.h>
#include <commands/tablecmds.h>
#include <commands/view.h>
#include <miscadmin.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Under these the text of a query is read as it was printed.
const DefinitionSettings& TextSettings() {
  static NoDestructor<DefinitionSettings> settings(
      DefinitionSettings{{.name = "search_path", .value = "pg_catalog, pg_temp"},
                         {.name = "array_nulls", .value = "on"},
                         {.name = "bytea_output", .value = "hex"},
                         {.name = "DateStyle", .value = "ISO, MDY"},
                         {.name = "extra_float_digits", .value = "3"},
                         {.name = "IntervalStyle", .value = "postgres"},
                         {.name = "standard_conforming_strings", .value = "on"},
                         {.name = "TimeZone", .value = "UTC"},
                         {.name = "transform_null_equals", .value = "off"},
                         {.name = "xmloption", .value = "content"}});
  return *settings;
}

}  // namespace

absl::StatusOr<pg::UserScope> AsViewOwner(RoleId owner) {
  TVIEWS_ASSIGN_OR_RETURN(pg::UserScope user, pg::UserScope::ForDdlOf(owner));
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { pg::ApplySettings(TextSettings()); }));
  return user;
}

namespace {

// Inside Call.
Oid OwnerOf(Oid relation) {
  HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", relation);
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
  ReleaseSysCache(row);
  return owner;
}

// Fields of a tree's text that say how much of a value is kept, or how something was written.
bool IsUnimportant(absl::string_view field) {
  return absl::EndsWith(field, "typmod") || absl::EndsWith(field, "location") ||
         absl::EndsWith(field, "format") || absl::EndsWith(field, "typmods") ||
         absl::StartsWith(field, ":list_") || field == ":rexpr_list_start" ||
         field == ":stmt_len" || field == ":rellockmode";
}

bool IsTypeField(absl::string_view field) {
  return absl::EndsWith(field, "type") || absl::EndsWith(field, "ypes") ||
         absl::EndsWith(field, "typeid") || absl::EndsWith(field, "typeId") ||
         absl::EndsWith(field, "ColType");
}

// The words of the tree without unimportant values: the same as long as only lengths of texts and
// the like change. varchar is text to every function of the server but pg_typeof.
std::string ImportantWords(const QueryMeaning& meaning) {
  static const std::string varchar = std::to_string(VARCHAROID);
  static const std::string text = std::to_string(TEXTOID);
  static const std::string varchars = std::to_string(VARCHARARRAYOID);
  static const std::string texts = std::to_string(TEXTARRAYOID);
  std::string words = meaning.is_strict ? "strict" : "loose";
  absl::string_view field;
  for (absl::string_view word : absl::StrSplit(meaning.tree, ' ')) {
    if (absl::StartsWith(word, ":")) {
      field = word;
    } else if (IsUnimportant(field)) {
      continue;
    }
    const std::size_t end = word.find_last_not_of(")}") + 1;
    absl::string_view value = word.substr(0, end);
    if (!meaning.is_strict && IsTypeField(field)) {
      value = value == varchar ? text : value == varchars ? texts : value;
    }
    absl::StrAppend(&words, " ", value, word.substr(end));
  }
  return words;
}

struct ParsedView {
  Query* query;
  QueryMeaning meaning;
};

// As the owner, whose text it is.
absl::StatusOr<ParsedView> ParseView(const char* text, RelationId view, RoleId owner) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, AsViewOwner(owner));
  return pg::CallFor([=] {
    ParsedView parsed{};
    parsed.query = ParseViewText(text, view);
    parsed.meaning = MeaningOf(parsed.query);
    return parsed;
  });
}

absl::StatusOr<const char*> Keep(const std::string& text) {
  return pg::CallFor([&] { return static_cast<const char*>(pstrdup(text.c_str())); });
}

// Who gives the command could otherwise have a function of theirs run as the view's owner.
absl::Status CheckFunctions(const SavedView& saved, const ParsedView& now) {
  for (int i = 0; i < list_length(now.meaning.functions); ++i) {
    const Oid function = list_nth_oid(now.meaning.functions, i);
    if (list_member_oid(saved.functions, function)) continue;
    RoleId owner = 0;
    const char* name = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
      if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for function %u", function);
      owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row))->proowner;
      ReleaseSysCache(row);
      name = format_procedure(function);
    }));
    TVIEWS_ASSIGN_OR_RETURN(const bool may_use, MayUseObjectsOf(saved.owner, owner));
    if (may_use) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string view, RelationDisplayName(saved.view));
    return pg::MakeError(
        absl::StatusCode::kPermissionDenied,
        {.message = "permission denied for function " + std::string(name),
         .detail = "View " + view + " would call it from now on, on behalf of its owner.",
         .hint = "A role that may act as the owner of the view has to alter the type."});
  }
  return absl::OkStatus();
}

// --- The columns of the view. What follows up to RetypeColumns runs inside Call.

// True if the column was of another type, length or collation.
bool RetypeColumn(Oid view, AttrNumber number, const Node* expression) {
  const Oid type = exprType(expression);
  const std::int32_t modifier = exprTypmod(expression);
  const Oid collation = exprCollation(expression);
  HeapTuple const row = SearchSysCacheCopyAttNum(view, number);
  if (!HeapTupleIsValid(row)) elog(ERROR, "column %d of view %u does not exist", number, view);
  auto* const column = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row));
  if (column->atttypid == type && column->atttypmod == modifier &&
      column->attcollation == collation) {
    return false;
  }
  if (type_is_collatable(type) && !OidIsValid(collation)) {
    ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_COLLATION),
                    errmsg("could not determine which collation to use for view column \"%s\"",
                           NameStr(column->attname)),
                    errhint("Use the COLLATE clause to set the collation explicitly.")));
  }
  HeapTuple const type_row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(type_row)) elog(ERROR, "cache lookup failed for type %u", type);
  const auto* const form = reinterpret_cast<Form_pg_type>(GETSTRUCT(type_row));
  column->atttypid = type;
  column->atttypmod = modifier;
  column->attcollation = collation;
  column->attlen = form->typlen;
  column->attbyval = form->typbyval;
  column->attalign = form->typalign;
  column->attstorage = form->typstorage;
  column->attndims = 0;
  ReleaseSysCache(type_row);
  Relation const attributes = table_open(AttributeRelationId, RowExclusiveLock);
  CatalogTupleUpdate(attributes, &row->t_self, row);
  table_close(attributes, RowExclusiveLock);
  pg::ReplaceTypeDependencies(view, number, type, collation);
  return true;
}

// The numbers of those that have changed.
List* RetypeColumns(Oid view, const Query* query) {
  List* retyped = nullptr;
  AttrNumber number = 0;
  for (int i = 0; i < list_length(query->targetList); ++i) {
    const auto* const entry = static_cast<TargetEntry*>(list_nth(query->targetList, i));
    if (entry->resjunk) continue;
    ++number;
    if (RetypeColumn(view, number, reinterpret_cast<Node*>(entry->expr))) {
      retyped = lappend_int(retyped, number);
    }
  }
  if (retyped == nullptr) return nullptr;
  Relation const relation = table_open(view, NoLock);
  find_composite_type_dependencies(relation->rd_rel->reltype, relation, nullptr);
  table_close(relation, NoLock);
  CommandCounterIncrement();
  return retyped;
}

// The number of the first column of the view that the query returns with another type, or 0. Inside
// Call.
AttrNumber FirstOtherColumn(Oid view, const Query* query) {
  AttrNumber number = 0;
  for (int i = 0; i < list_length(query->targetList); ++i) {
    const auto* const entry = static_cast<TargetEntry*>(list_nth(query->targetList, i));
    if (entry->resjunk) continue;
    ++number;
    Oid type = InvalidOid;
    std::int32_t modifier = -1;
    Oid collation = InvalidOid;
    get_atttypetypmodcoll(view, number, &type, &modifier, &collation);
    const auto* const expression = reinterpret_cast<Node*>(entry->expr);
    if (type != exprType(expression) || modifier != exprTypmod(expression) ||
        collation != exprCollation(expression)) {
      return number;
    }
  }
  return 0;
}

// More of them are not tried one by one.
constexpr std::size_t kMostConstants = 100;

class Loosening {
 public:
  explicit Loosening(const SavedView& saved) : saved_(saved) {}

  // With as little in it as possible; the present one if nothing can go.
  absl::StatusOr<const char*> Find() {
    TVIEWS_ASSIGN_OR_RETURN(const ViewText all, Print({}));
    TVIEWS_ASSIGN_OR_RETURN(const bool needs_none, SaysTheSame(all.text));
    if (needs_none) return all.text;
    const auto count = static_cast<std::size_t>(all.constants);
    std::vector<bool> keep(count, true);
    for (std::size_t i = 0; i < count && count <= kMostConstants; ++i) {
      keep[i] = false;
      TVIEWS_ASSIGN_OR_RETURN(const ViewText text, Print(keep));
      TVIEWS_ASSIGN_OR_RETURN(const bool is_same, SaysTheSame(text.text));
      keep[i] = !is_same;
    }
    TVIEWS_ASSIGN_OR_RETURN(const ViewText text, Print(keep));
    TVIEWS_ASSIGN_OR_RETURN(const bool is_same, SaysTheSame(text.text));
    return is_same ? text.text : saved_.text;
  }

 private:
  absl::StatusOr<ViewText> Print(const std::vector<bool>& keep) const {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, AsViewOwner(saved_.owner));
    return pg::CallFor([&] { return PrintViewLoosely(saved_.view, keep); });
  }

  // Text with too little in it cannot be read.
  absl::StatusOr<bool> SaysTheSame(const char* text) const {
    bool is_same = false;
    const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
      TVIEWS_ASSIGN_OR_RETURN(const ParsedView parsed, ParseView(text, saved_.view, saved_.owner));
      TVIEWS_ASSIGN_OR_RETURN(
          is_same, pg::CallFor([&] { return FirstOtherColumn(saved_.view, parsed.query) == 0; }));
      is_same = is_same && ImportantWords(parsed.meaning) == saved_.meaning;
      return absl::OkStatus();
    });
    if (pg::HasSqlState(status, "57014")) return status;
    return status.ok() && is_same;
  }

  const SavedView& saved_;
};

// Constants of the text, casts and indexes of the TVIEW may run functions of the owner.
absl::Status CheckSession(const SavedView& saved) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_prepared, pg::CallFor([&] {
                            return pg::UserScope::IsSessionPreparedAgainst(saved.owner);
                          }));
  if (!is_prepared) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(saved.view));
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "cannot read the query of view " + name + " again in this session",
       .detail = "It is another role's, whose functions would find the temporary objects of this "
                 "session.",
       .hint = "Alter the type in a session without temporary objects, or as a role that may act "
               "as the owner of the view."});
}

// Rules and defaults of the view were made for the types that its columns had.
absl::Status CheckHasNoRules(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT 'rule ' || pg_catalog.quote_ident(rulename) FROM pg_catalog.pg_rewrite WHERE"
          " ev_class = $1::oid AND ev_type <> '1' UNION ALL SELECT 'default of its column '"
          " || adnum FROM pg_catalog.pg_attrdef WHERE adrelid = $1::oid ORDER BY 1 LIMIT 1",
          {std::to_string(view)}));
  if (found.rows.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(view));
  return pg::MakeError(absl::StatusCode::kUnimplemented,
                       {.message = "cannot alter the type because the type of a column of view " +
                                   name + " would change with it",
                        .detail = "The view has a " + found.rows[0][0].value_or("") + ".",
                        .hint = "Drop that, alter the type, and create it again.",
                        .sqlstate = "0A000"});
}

}  // namespace

absl::StatusOr<SavedView> SaveView(RelationId view, RelationId tview) {
  SavedView saved{};
  saved.view = view;
  saved.tview = tview;
  TVIEWS_ASSIGN_OR_RETURN(saved.owner, pg::CallFor([view] { return OwnerOf(view); }));
  TVIEWS_RETURN_IF_ERROR(CheckSession(saved));
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, AsViewOwner(saved.owner));
    TVIEWS_ASSIGN_OR_RETURN(const ViewText text, pg::CallFor([view] { return PrintView(view); }));
    saved.text = text.text;
  }
  TVIEWS_ASSIGN_OR_RETURN(const ParsedView parsed, ParseView(saved.text, view, saved.owner));
  saved.functions = parsed.meaning.functions;
  TVIEWS_ASSIGN_OR_RETURN(saved.meaning, Keep(ImportantWords(parsed.meaning)));
  TVIEWS_ASSIGN_OR_RETURN(saved.text, Loosening(saved).Find());
  return saved;
}

absl::StatusOr<bool> MayUseObjectsOf(RoleId owner, RoleId other) {
  return pg::CallFor(
      [=] { return has_privs_of_role(GetUserId(), owner) || has_privs_of_role(other, owner); });
}

absl::StatusOr<bool> KeepsColumns(const SavedView& saved) {
  TVIEWS_ASSIGN_OR_RETURN(const ParsedView parsed, ParseView(saved.text, saved.view, saved.owner));
  return pg::CallFor([&] { return FirstOtherColumn(saved.view, parsed.query) == 0; });
}

absl::StatusOr<RestoredView> RestoreView(const SavedView& saved) {
  TVIEWS_ASSIGN_OR_RETURN(const ParsedView parsed, ParseView(saved.text, saved.view, saved.owner));
  TVIEWS_RETURN_IF_ERROR(CheckFunctions(saved, parsed));
  RestoredView restored;
  restored.has_other_meaning = ImportantWords(parsed.meaning) != saved.meaning;
  // Nobody's privileges are asked for: the view says what it said.
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const List* const retyped,
                          pg::CallFor([&] { return RetypeColumns(saved.view, parsed.query); }));
  if (retyped != nullptr) TVIEWS_RETURN_IF_ERROR(CheckHasNoRules(saved.view));
  for (int i = 0; i < list_length(retyped); ++i) {
    restored.retyped.push_back(static_cast<AttributeNumber>(list_nth_int(retyped, i)));
  }
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    StoreViewQuery(saved.view, parsed.query, true);
    CommandCounterIncrement();
  }));
  return restored;
}

absl::Status ReleaseColumns(RelationId view, RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT oid FROM pg_catalog.pg_rewrite WHERE ev_class = $1::oid"
                           " AND ev_type = '1'",
                           {std::to_string(view)}));
  for (const pg::SqlRow& row : found.rows) {
    const Oid rule = pg::RowReader(row).Oid();
    TVIEWS_RETURN_IF_ERROR(pg::Call([=] {
      deleteDependencyRecordsForSpecific(RewriteRelationId, rule, DEPENDENCY_NORMAL,
                                         RelationRelationId, relation);
      CommandCounterIncrement();
    }));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
