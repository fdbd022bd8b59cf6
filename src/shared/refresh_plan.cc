#include "shared/refresh_plan.h"

#include <numeric>

#include "shared/sql_text.h"

namespace tviews {

const char* RefreshShapeName(RefreshShape shape) {
  switch (shape) {
    case RefreshShape::kWhole:
      break;
    case RefreshShape::kSingle:
      return "single";
    case RefreshShape::kArray:
      return "array";
    case RefreshShape::kRange:
      return "range";
    case RefreshShape::kLateral:
      return "lateral";
    case RefreshShape::kJoin:
      return "join";
  }
  return "whole";
}

std::string KeyFieldName(const TviewDefinition& tview, std::size_t position) {
  return tview.key.size() == 1 ? "key" : "key" + std::to_string(position + 1);
}

std::string KeyColumns(const TviewDefinition& tview, const std::string& before) {
  std::string list;
  for (const KeyColumn& column : tview.key) {
    list += (list.empty() ? "" : ", ") + before + QuoteIdentifier(column.name);
  }
  return list;
}

std::vector<std::size_t> WholeKey(const TviewDefinition& tview) {
  std::vector<std::size_t> part(tview.key.size());
  std::iota(part.begin(), part.end(), std::size_t{0});
  return part;
}

std::string KeyCondition(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                         const std::string& left, const std::string& right, KeyNames right_names) {
  std::string condition;
  for (const std::size_t i : part) {
    const std::string name = QuoteIdentifier(tview.key[i].name);
    condition += (condition.empty() ? "" : " AND ") + left + "." + name + " " +
                 tview.key[i].equality + " " + right + "." +
                 (right_names == KeyNames::kField ? KeyFieldName(tview, i) : name);
  }
  return condition;
}

namespace {

// "a" = $1 AND "b" = $2 of so many columns, with `before` and `after` each parameter.
std::string EqualsParameters(const TviewDefinition& tview, std::size_t columns, const char* before,
                             const char* after) {
  std::string condition;
  for (std::size_t i = 0; i < columns; ++i) {
    condition += (i == 0 ? "" : " AND ") + QuoteIdentifier(tview.key[i].name) + " " +
                 tview.key[i].equality + " " + before + "$" + std::to_string(i + 1) + after;
  }
  return condition;
}

// "a" IS NULL OR "b" IS NULL; or IS NOT NULL and AND.
std::string NullTests(const TviewDefinition& tview, const char* test, const char* between,
                      const std::string& before = "") {
  std::string condition;
  for (const KeyColumn& column : tview.key) {
    condition += (condition.empty() ? "" : between) + before + QuoteIdentifier(column.name) + test;
  }
  return condition;
}

}  // namespace

std::string RefreshStatement(const TviewDefinition& tview, RefreshShape shape) {
  const std::string& view = tview.qualified_view;
  const std::size_t columns = tview.key.size();
  switch (shape) {
    case RefreshShape::kWhole:
      break;
    case RefreshShape::kSingle:
      return "SELECT * FROM " + view + " WHERE " + EqualsParameters(tview, columns, "", "");
    case RefreshShape::kArray:
      return "SELECT * FROM " + view + " WHERE " + EqualsParameters(tview, columns, "ANY (", ")");
    // The planner evaluates the subscripts, so that it knows how many rows to expect.
    case RefreshShape::kRange: {
      const std::string before = EqualsParameters(tview, columns - 1, "ANY (", ")");
      const std::string last = QuoteIdentifier(tview.key.back().name);
      const std::string bounds = "($" + std::to_string(columns) + ")";
      return "SELECT * FROM " + view + " WHERE " + before + (before.empty() ? "" : " AND ") + last +
             " OPERATOR(pg_catalog.>=) " + bounds + "[1] AND " + last +
             " OPERATOR(pg_catalog.<=) " + bounds + "[2]";
    }
    // The aliases keep names of the view and of its columns from capturing ours.
    case RefreshShape::kLateral:
      return "SELECT v.* FROM pg_tviews_keys AS k, LATERAL (SELECT * FROM " + view +
             " AS d WHERE " + KeyCondition(tview, WholeKey(tview), "d", "k", KeyNames::kField) +
             " OFFSET 0) AS v";
    case RefreshShape::kJoin:
      return "SELECT v.* FROM " + view + " AS v JOIN pg_tviews_keys AS k ON " +
             KeyCondition(tview, WholeKey(tview), "v", "k", KeyNames::kField);
  }
  return "SELECT * FROM " + view;
}

std::string NullKeyStatement(const TviewDefinition& tview) {
  return "SELECT 1 FROM " + tview.qualified_view + " WHERE " +
         NullTests(tview, " IS NULL", " OR ") + " LIMIT 1";
}

std::string ProbeStatement(const TviewDefinition& tview) {
  return "SELECT * FROM " + tview.qualified_view + " AS d WHERE " +
         KeyCondition(tview, WholeKey(tview), "d", "d", KeyNames::kOwn) + " LIMIT 0";
}

std::string AllKeysStatement(const TviewDefinition& tview, std::size_t limit) {
  const std::string key = KeyColumns(tview);
  return "SELECT " + key + " FROM ONLY " + tview.qualified_name + " UNION SELECT " + key +
         " FROM " + tview.qualified_view + " WHERE " + NullTests(tview, " IS NOT NULL", " AND ") +
         " LIMIT " + std::to_string(limit);
}

std::string PartKeysStatement(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                              PartShape shape) {
  const std::string stored = "SELECT " + KeyColumns(tview, "t.") + " FROM ONLY " +
                             tview.qualified_name + " AS t JOIN pg_tviews_part AS p ON " +
                             KeyCondition(tview, part, "t", "p", KeyNames::kField);
  const std::string not_null = " WHERE " + NullTests(tview, " IS NOT NULL", " AND ", "v.");
  const std::string view = "SELECT " + KeyColumns(tview, "v.") + " FROM ";
  if (shape == PartShape::kEach) {
    return stored + " UNION " + view + "pg_tviews_part AS p, LATERAL (SELECT " +
           KeyColumns(tview, "d.") + " FROM " + tview.qualified_view + " AS d WHERE " +
           KeyCondition(tview, part, "d", "p", KeyNames::kField) + " OFFSET 0) AS v" + not_null;
  }
  return stored + " UNION " + view + tview.qualified_view + " AS v JOIN pg_tviews_part AS p ON " +
         KeyCondition(tview, part, "v", "p", KeyNames::kField) + not_null;
}

}  // namespace tviews
