#include "backend/tview/defining_query.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include "absl/strings/str_join.h"
#include "backend/tview/key_type.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <parser/analyze.h>
#include <parser/parser.h>
#include <parser/scanner.h>
#include <tcop/tcopprot.h>
#include <utils/builtins.h>
#include <utils/varlena.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kKeyPrefix[] = "pk_";
constexpr char kUsualKey[] = "id";

// Where the query stands in the text of a CREATE TABLE ... AS; end is 0 if it was not found.
struct TextRange {
  int start = 0;
  int end = 0;
};

// The scanner's number for a keyword; the grammar's own names for them are not installed since 16.
int TokenOf(const char* keyword) {
  return ScanKeywordTokens[ScanKeywordLookup(keyword, &ScanKeywords)];
}

// The query follows the first AS outside parentheses (a reserved word, so nothing else can be) and
// ends before the last WITH, if that begins WITH [NO] DATA.
TextRange FindQuery(const char* statement) {
  core_yy_extra_type extra;
  core_YYSTYPE value;
  YYLTYPE location = 0;
  core_yyscan_t scanner = scanner_init(statement, &extra, &ScanKeywords, ScanKeywordTokens);
  const int as = TokenOf("as"), with = TokenOf("with"), no = TokenOf("no"), data = TokenOf("data");
  TextRange range;
  int depth = 0;
  int with_at = -1;  // of a WITH after which only NO came so far
  bool ends_with_data = false;
  for (int token = core_yylex(&value, &location, scanner); token != 0;
       token = core_yylex(&value, &location, scanner)) {
    if (token == ';') continue;
    if (token == '(') ++depth;
    if (token == ')') --depth;
    if (range.start == 0) {
      if (token == as && depth == 0) range.start = location + 2;
      continue;
    }
    ends_with_data = token == data && with_at >= 0;
    if (token == with) {
      with_at = location;
    } else if (token != no && !ends_with_data) {
      with_at = -1;
    }
  }
  if (range.start > 0) range.end = ends_with_data ? with_at : static_cast<int>(strlen(statement));
  scanner_finish(scanner);
  return range;
}

// Reports positions in our text as positions in an inner query, as SPI does.
void MovePosition(void* text) {
  const int position = geterrposition();
  if (position <= 0) return;
  errposition(0);
  internalerrposition(position);
  internalerrquery(static_cast<const char*>(text));
}

absl::Status NotOneSelect() {
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "the query of a TVIEW must be one SELECT", .sqlstate = "42601"});
}

bool IsPlainSelect(RawStmt* statement) {
  return IsA(statement->stmt, SelectStmt) &&
         reinterpret_cast<SelectStmt*>(statement->stmt)->intoClause == nullptr;
}

absl::Status CheckTree(const Query& tree) {
  if (tree.hasModifyingCTE) {
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = "the query of a TVIEW cannot change data", .sqlstate = "0A000"});
  }
  if (tree.rowMarks != nullptr) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "the query of a TVIEW cannot lock rows", .sqlstate = "0A000"});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OutputColumn>> OutputColumns(
    const Query& tree, const std::vector<std::string>& column_names) {
  std::vector<OutputColumn> columns;
  for (int i = 0; i < list_length(tree.targetList); ++i) {
    const TargetEntry* const entry = static_cast<TargetEntry*>(list_nth(tree.targetList, i));
    if (entry->resjunk) continue;
    TVIEWS_ASSIGN_OR_RETURN(const Oid type, pg::CallFor([&] {
                              return exprType(reinterpret_cast<Node*>(entry->expr));
                            }));
    const std::size_t number = columns.size();
    columns.push_back(
        {.name = number < column_names.size() ? column_names[number] : std::string(entry->resname),
         .type = type});
  }
  if (column_names.size() > columns.size()) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "too many column names were specified", .sqlstate = "42601"});
  }
  return columns;
}

// The number of the output column `name`; 0 if there is none.
AttributeNumber NumberOf(const DefiningQuery& query, const std::string& name) {
  for (std::size_t i = 0; i < query.columns.size(); ++i) {
    if (query.columns[i].name == name) return static_cast<AttributeNumber>(i + 1);
  }
  return 0;
}

std::vector<AttributeNumber> AllColumns(const DefiningQuery& query) {
  std::vector<AttributeNumber> all(query.columns.size());
  std::iota(all.begin(), all.end(), AttributeNumber{1});
  return all;
}

absl::Status NoSuchColumn(const std::string& name, const std::vector<std::string>& columns,
                          const std::string& hint) {
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "the query has no output column \"" + name + "\" to be the key",
                        .detail = "Its output columns are " + absl::StrJoin(columns, ", ") + ".",
                        .hint = hint,
                        .sqlstate = "42703"});
}

// The key becomes the primary key.
absl::Status CheckIsIndexable(const std::vector<std::string>& names) {
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (std::find(names.begin(), name, *name) == name) continue;
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = "column \"" + *name + "\" appears twice in the key", .sqlstate = "42701"});
  }
  if (names.size() <= INDEX_MAX_KEYS) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = "the key has " + std::to_string(names.size()) + " columns",
       .detail = "A primary key has at most " + std::to_string(INDEX_MAX_KEYS) + ".",
       .sqlstate = "54011"});
}

std::vector<AttributeNumber> PrefixedColumns(const DefiningQuery& query) {
  std::vector<AttributeNumber> found;
  for (std::size_t i = 0; i < query.columns.size(); ++i) {
    if (!query.columns[i].name.starts_with(kKeyPrefix)) continue;
    found.push_back(static_cast<AttributeNumber>(i + 1));
  }
  return found;
}

absl::Status NoKey(const std::string& entity, std::size_t candidates) {
  const std::string wanted = std::string(kKeyPrefix) + entity;
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = "the query of TVIEW \"" + entity + "\" has no key column",
       .detail = candidates == 0 ? "No output column is called \"" + wanted +
                                       "\" or \"id\", or has a name that begins with \"pk_\"."
                                 : "No output column is called \"" + wanted +
                                       "\", and several have names that begin with \"pk_\".",
       .hint = "Give the column that identifies a row the name \"" + wanted +
               "\", or name it: WITH (pg_tviews.key = '...'), or the argument key of "
               "pg_tviews_create. For an ordinary table, choose another name, or CREATE TABLE with "
               "a list of columns.",
       .sqlstate = "42P16"});
}

}  // namespace

absl::StatusOr<std::string> QueryTextOfCreateTableAs(std::string_view statement) {
  const std::string text(statement);
  TVIEWS_ASSIGN_OR_RETURN(const TextRange range,
                          pg::CallFor([&] { return FindQuery(text.c_str()); }));
  if (range.end <= range.start) return std::string();
  return text.substr(range.start, range.end - range.start);
}

absl::StatusOr<DefiningQuery> ParseDefiningQuery(const std::string& text,
                                                 const std::vector<std::string>& column_names) {
  DefiningQuery query;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const std::size_t last = text.find_last_not_of(" \t\r\n;");
  if (first == std::string::npos || last == std::string::npos) return NotOneSelect();
  query.text = text.substr(first, last - first + 1);

  bool is_select = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    // Nodes of the tree point into their text.
    char* const copy = pstrdup(query.text.c_str());
    ErrorContextCallback position = {error_context_stack, MovePosition, copy};
    error_context_stack = &position;
    List* const statements = raw_parser(copy, RAW_PARSE_DEFAULT);
    is_select = list_length(statements) == 1 && IsPlainSelect(linitial_node(RawStmt, statements));
    if (is_select) {
      query.tree =
          parse_analyze_fixedparams(linitial_node(RawStmt, statements), copy, nullptr, 0, nullptr);
    }
    error_context_stack = position.previous;
  }));
  if (!is_select || query.tree->commandType != CMD_SELECT) return NotOneSelect();
  TVIEWS_RETURN_IF_ERROR(CheckTree(*query.tree));
  TVIEWS_ASSIGN_OR_RETURN(query.columns, OutputColumns(*query.tree, column_names));
  return query;
}

absl::StatusOr<std::vector<std::string>> ParseKey(const std::string& text,
                                                  const std::vector<std::string>& columns) {
  if (std::find(columns.begin(), columns.end(), text) != columns.end()) {
    return std::vector<std::string>{text};
  }
  List* list = nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_list, pg::CallFor([&] {
                            return SplitIdentifierString(pstrdup(text.c_str()), ',', &list);
                          }));
  if (!is_list || list == NIL) {
    return NoSuchColumn(text, columns,
                        "A key of several columns is a list of their names: "
                        "pg_tviews.key = 'a, b'.");
  }
  std::vector<std::string> names;
  for (int i = 0; i < list_length(list); ++i) {
    names.emplace_back(static_cast<const char*>(list_nth(list, i)));
    if (std::find(columns.begin(), columns.end(), names.back()) == columns.end()) {
      return NoSuchColumn(names.back(), columns,
                          "Add it to the SELECT list, or give an output column that name with AS.");
    }
  }
  return names;
}

absl::StatusOr<std::string> KeyAsText(const std::vector<std::string>& names) {
  if (names.size() == 1) return names[0];
  std::string text;
  for (const std::string& name : names) {
    TVIEWS_ASSIGN_OR_RETURN(const char* const quoted,
                            pg::CallFor([&] { return quote_identifier(name.c_str()); }));
    text += (text.empty() ? "" : ", ") + std::string(quoted);
  }
  return text;
}

absl::StatusOr<std::vector<AttributeNumber>> ChooseKey(const DefiningQuery& query,
                                                       const std::string& entity,
                                                       const std::string& wanted) {
  std::vector<AttributeNumber> key;
  if (!wanted.empty()) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            ParseKey(wanted, NamesOf(query, AllColumns(query))));
    for (const std::string& name : names) key.push_back(NumberOf(query, name));
    TVIEWS_RETURN_IF_ERROR(CheckIsIndexable(names));
  } else {
    AttributeNumber chosen = NumberOf(query, std::string(kKeyPrefix) + entity);
    const std::vector<AttributeNumber> candidates = PrefixedColumns(query);
    if (chosen == 0 && candidates.size() == 1) chosen = candidates[0];
    if (chosen == 0 && candidates.empty()) chosen = NumberOf(query, kUsualKey);
    if (chosen == 0) return NoKey(entity, candidates.size());
    key.push_back(chosen);
  }
  for (const AttributeNumber number : key) {
    const OutputColumn& column = query.columns[number - 1];
    TVIEWS_RETURN_IF_ERROR(CheckKeyType(column.name, column.type));
  }
  return key;
}

std::vector<std::string> NamesOf(const DefiningQuery& query,
                                 const std::vector<AttributeNumber>& key) {
  std::vector<std::string> names;
  for (const AttributeNumber number : key) names.push_back(query.columns[number - 1].name);
  return names;
}

}  // namespace tviews::backend
