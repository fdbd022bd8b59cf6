#include "shared/refresh_plan.h"

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

std::string RefreshStatement(const TviewDefinition& tview, RefreshShape shape) {
  const std::string& view = tview.qualified_view;
  const std::string key = QuoteIdentifier(tview.key_column);
  const std::string equals = " " + tview.key_equality + " ";
  switch (shape) {
    case RefreshShape::kWhole:
      break;
    case RefreshShape::kSingle:
      return "SELECT * FROM " + view + " WHERE " + key + equals + "$1";
    case RefreshShape::kArray:
      return "SELECT * FROM " + view + " WHERE " + key + equals + "ANY ($1)";
    // The planner evaluates the subscripts, so that it knows how many rows to expect.
    case RefreshShape::kRange:
      return "SELECT * FROM " + view + " WHERE " + key + " OPERATOR(pg_catalog.>=) ($1)[1] AND " +
             key + " OPERATOR(pg_catalog.<=) ($1)[2]";
    // The aliases keep names of the view and of its columns from capturing ours.
    case RefreshShape::kLateral:
      return "SELECT v.* FROM pg_tviews_keys AS k, LATERAL (SELECT * FROM " + view +
             " AS d WHERE d." + key + equals + "k.key OFFSET 0) AS v";
    case RefreshShape::kJoin:
      return "SELECT v.* FROM " + view + " AS v JOIN pg_tviews_keys AS k ON v." + key + equals +
             "k.key";
  }
  return "SELECT * FROM " + view;
}

std::string NullKeyStatement(const TviewDefinition& tview) {
  return "SELECT 1 FROM " + tview.qualified_view + " WHERE " + QuoteIdentifier(tview.key_column) +
         " IS NULL LIMIT 1";
}

std::string ProbeStatement(const TviewDefinition& tview) {
  const std::string key = "d." + QuoteIdentifier(tview.key_column);
  return "SELECT * FROM " + tview.qualified_view + " AS d WHERE " + key + " " + tview.key_equality +
         " " + key + " LIMIT 0";
}

std::string AllKeysStatement(const TviewDefinition& tview, std::size_t limit) {
  const std::string key = QuoteIdentifier(tview.key_column);
  return "SELECT " + key + " FROM ONLY " + tview.qualified_name + " UNION SELECT " + key +
         " FROM " + tview.qualified_view + " WHERE " + key + " IS NOT NULL LIMIT " +
         std::to_string(limit);
}

}  // namespace tviews
