#include "backend/ddl/replace_call.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "backend/tview/names.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <nodes/value.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr std::array<const char*, 4> kArguments = {"entity", "query", "online", "key"};
using Values = std::array<std::string, kArguments.size()>;

// The text of a constant, "true" or "false" of a Boolean one; nothing of another expression.
std::optional<std::string> ConstantText(const Node* node) {
  if (node != nullptr && IsA(node, TypeCast)) {
    return ConstantText(reinterpret_cast<const TypeCast*>(node)->arg);
  }
  if (node == nullptr || !IsA(node, A_Const)) return std::nullopt;
  const auto* const constant = reinterpret_cast<const A_Const*>(node);
  if (constant->isnull) return std::string();
  if (IsA(&constant->val, Boolean)) return constant->val.boolval.boolval ? "true" : "false";
  if (!IsA(&constant->val, String)) return std::nullopt;
  return std::string(constant->val.sval.sval);
}

const FuncCall* CallIn(const Node* statement) {
  if (!IsA(statement, SelectStmt)) return nullptr;
  const auto* const select = reinterpret_cast<const SelectStmt*>(statement);
  if (list_length(select->targetList) != 1) return nullptr;
  const auto* const target = static_cast<const ResTarget*>(linitial(select->targetList));
  if (!IsA(target, ResTarget) || target->val == nullptr || !IsA(target->val, FuncCall)) {
    return nullptr;
  }
  const auto* const call = reinterpret_cast<const FuncCall*>(target->val);
  return strcmp(strVal(llast(call->funcname)), "pg_tviews_replace") == 0 ? call : nullptr;
}

// True if all are constants.
bool ReadArguments(const FuncCall* call, Values* values) {
  for (int i = 0; i < list_length(call->args); ++i) {
    const auto* value = static_cast<const Node*>(list_nth(call->args, i));
    auto place = static_cast<std::size_t>(i);
    if (IsA(value, NamedArgExpr)) {
      const auto* const named = reinterpret_cast<const NamedArgExpr*>(value);
      for (place = 0; place < values->size() && strcmp(kArguments[place], named->name) != 0;) {
        ++place;
      }
      value = reinterpret_cast<const Node*>(named->arg);
    }
    const std::optional<std::string> text = ConstantText(value);
    if (place >= values->size() || !text.has_value()) return false;
    (*values)[place] = *text;
  }
  return true;
}

// As the type reads it.
bool IsTrue(const std::string& text) { return text == "true" || text == "t" || text == "on"; }

}  // namespace

absl::StatusOr<std::optional<WantedReplacement>> ReplaceCallOf(const Node* statement) {
  const FuncCall* const call = CallIn(statement);
  Values values;
  if (call == nullptr || !ReadArguments(call, &values)) return std::nullopt;
  WantedReplacement wanted;
  TVIEWS_ASSIGN_OR_RETURN(wanted.tview, FindTview(values[0]));
  wanted.query = values[1];
  wanted.is_online = IsTrue(values[2]);
  wanted.key = values[3];
  return wanted;
}

}  // namespace tviews::backend
