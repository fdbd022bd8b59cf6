#include "backend/lineage/never_null.h"

#include <cstring>

#include "backend/lineage/exits.h"
#include "backend/lineage/joins.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <parser/parse_coerce.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

// Of the server itself, so that nobody gives it another meaning.
bool IsOfServer(Oid object) { return object < FirstUnpinnedObjectId; }

bool IsOneOf(const char* name, const char* const* names, int count) {
  for (int i = 0; i < count; ++i) {
    if (strcmp(name, names[i]) == 0) return true;
  }
  return false;
}

template <int kCount>
bool IsOneOf(const char* name, const char* const (&names)[kCount]) {
  return IsOneOf(name, names, kCount);
}

// Types whose operators and functions below have been gone through. Not among them: documents and
// ranges, whose parts may be missing, and geometry, where lines need not meet.
bool IsPlainType(Oid type) {
  switch (type) {
    case BITOID:
    case BOOLOID:
    case BPCHAROID:
    case BYTEAOID:
    case CASHOID:
    case CHAROID:
    case CIDROID:
    case DATEOID:
    case FLOAT4OID:
    case FLOAT8OID:
    case INETOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case INTERVALOID:
    case MACADDROID:
    case MACADDR8OID:
    case NAMEOID:
    case NUMERICOID:
    case OIDOID:
    case TEXTOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case TIMETZOID:
    case UUIDOID:
    case VARBITOID:
    case VARCHAROID:
      return true;
    default:
      return false;
  }
}

bool HavePlainTypes(List* arguments) {
  ListCell* cell;
  foreach (cell, arguments) {
    if (!IsPlainType(exprType(static_cast<Node*>(lfirst(cell))))) return false;
  }
  return true;
}

// True if a value of `type` has a text, by a cast of the server or the type's output function.
bool HasText(Oid type) {
  Oid function = InvalidOid;
  return find_coercion_pathway(TEXTOID, type, COERCION_EXPLICIT, &function) != COERCION_PATH_NONE &&
         IsOfServer(function);
}

// True if the server's own code makes values of `type` from text.
bool IsReadByServer(Oid type) {
  Oid input = InvalidOid;
  Oid parameter = InvalidOid;
  getTypeInputInfo(type, &input, &parameter);
  return IsOfServer(input);
}

bool HaveText(List* arguments) {
  ListCell* cell;
  foreach (cell, arguments) {
    if (!HasText(exprType(static_cast<Node*>(lfirst(cell))))) return false;
  }
  return true;
}

constexpr const char* kOperators[] = {
    "+", "-", "*",  "/",  "%",  "^",   "||",  "=",    "<>", "<",  "<=",  ">", ">=", "&",   "|",
    "#", "~", "<<", ">>", "~~", "!~~", "~~*", "!~~*", "~*", "!~", "!~*", "@", "|/", "||/", "^@"};

bool GivesValue(const OpExpr* operation) {
  if (!IsOfServer(operation->opno) || operation->opretset) return false;
  const Oid function = get_opcode(operation->opno);
  if (function == F_TEXTANYCAT || function == F_ANYTEXTCAT) return HaveText(operation->args);
  const char* const name = get_opname(operation->opno);
  return name != nullptr && IsOneOf(name, kOperators) && IsPlainType(operation->opresulttype) &&
         HavePlainTypes(operation->args);
}

// By name: whatever their arguments, if those are of plain types. Among them the casts, which are
// called like the type that they give; not to time, which an infinite timestamp does not have.
constexpr const char* kFunctions[] = {
    "abs",
    "age",
    "ascii",
    "bit_length",
    "bool",
    "bpchar",
    "btrim",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "convert_from",
    "convert_to",
    "date",
    "date_trunc",
    "decode",
    "div",
    "encode",
    "exp",
    "factorial",
    "float4",
    "float8",
    "floor",
    "gcd",
    "format",
    "hashtext",
    "hashtextextended",
    "initcap",
    "int2",
    "int4",
    "int8",
    "interval",
    "jsonb_build_array",
    "jsonb_build_object",
    "justify_days",
    "justify_hours",
    "justify_interval",
    "lcm",
    "left",
    "length",
    "ln",
    "log",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "md5",
    "mod",
    "money",
    "name",
    "normalize",
    "numeric",
    "octet_length",
    "oid",
    "overlay",
    "position",
    "power",
    "quote_ident",
    "quote_literal",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "sign",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "text",
    "timestamp",
    "timestamptz",
    "timezone",
    "to_hex",
    "to_timestamp",
    "translate",
    "trunc",
    "upper",
    "varchar",
};

// What an infinite time has too. Other fields of one are NULL.
constexpr const char* kEndlessFields[] = {
    "century",   "centuries",  "decade", "decades", "epoch",
    "millennia", "millennium", "year",   "years",
};

bool IsEndlessField(Node* field) {
  if (!IsA(field, Const) || exprType(field) != TEXTOID) return false;
  auto* constant = reinterpret_cast<Const*>(field);
  return !constant->constisnull &&
         IsOneOf(TextDatumGetCString(constant->constvalue), kEndlessFields);
}

bool GivesValue(const FuncExpr* call) {
  if (!IsOfServer(call->funcid) || call->funcretset || call->args == NIL) return false;
  if (call->funcid == F_TEXTANYCAT || call->funcid == F_ANYTEXTCAT) return HaveText(call->args);
  const char* const name = get_func_name(call->funcid);
  if (name == nullptr || !HavePlainTypes(call->args)) return false;
  if (strcmp(name, "extract") == 0 || strcmp(name, "date_part") == 0) {
    const Oid from = exprType(static_cast<Node*>(lsecond(call->args)));
    return from == TIMEOID || from == TIMETZOID ||
           IsEndlessField(static_cast<Node*>(linitial(call->args)));
  }
  // By place; a pattern may not match.
  if (strcmp(name, "substring") == 0 || strcmp(name, "substr") == 0) {
    return exprType(static_cast<Node*>(lsecond(call->args))) == INT4OID;
  }
  return IsOneOf(name, kFunctions);
}

}  // namespace

bool IsMemberColumnNeverNull(const Occurrence* member, AttributeNumber column) {
  if (member->kind == OccurrenceKind::kDerived) return IsOutputNeverNull(member->child, column);
  return member->kind == OccurrenceKind::kRelation && IsDeclaredNotNull(member->rte->relid, column);
}

namespace {

// True if every row of `item` is in the result of `top`, which puts no NULLs in its place.
bool IsKept(const JoinItem* top, const JoinItem* item) {
  if (top == item) return true;
  if (top->leaf != nullptr || top->is_full) return false;
  if (top->is_left) return IsKept(top->children[0], item);
  for (const JoinItem* child : top->children) {
    if (IsKept(child, item)) return true;
  }
  return false;
}

// True if `expr` is a column of `item` that is not null in its rows, or merges two such.
bool IsNeverNullIn(const JoinItem* item, Node* expr) {
  if (item->leaf != nullptr) {
    if (!IsA(expr, Var)) return false;
    auto* var = reinterpret_cast<Var*>(expr);
    return static_cast<int>(var->varno) == item->leaf->id &&
           IsMemberColumnNeverNull(item->leaf, var->varattno);
  }
  if (!item->is_full || !IsA(expr, CoalesceExpr)) return false;
  List* arguments = reinterpret_cast<CoalesceExpr*>(expr)->args;
  if (list_length(arguments) != 2) return false;
  Node* left = static_cast<Node*>(linitial(arguments));
  Node* right = static_cast<Node*>(lsecond(arguments));
  // A row of a full join has at least one of its sides.
  return MergingJoin(item, left, right) == item && IsNeverNullIn(item->children[0], left) &&
         IsNeverNullIn(item->children[1], right);
}

bool IsMergedNeverNull(const Scope* scope, Node* expr) {
  List* arguments = reinterpret_cast<CoalesceExpr*>(expr)->args;
  if (list_length(arguments) != 2 || scope->joins == nullptr) return false;
  const JoinItem* join = MergingJoin(scope->joins, static_cast<Node*>(linitial(arguments)),
                                     static_cast<Node*>(lsecond(arguments)));
  return join != nullptr && IsKept(scope->joins, join) && IsNeverNullIn(join, expr);
}

// True if a condition that every row of `item` has met is not true where the column is NULL. Such
// rows may have been joined since to rows of NULLs, but not been replaced by them.
bool IsRequired(const JoinItem* item, const Occurrence* member, AttributeNumber column) {
  if (item->leaf != nullptr || item->is_full) return false;
  if (item->is_left) return IsRequired(item->children[0], member, column);
  for (Expr* conjunct : item->conjuncts) {
    if (IsStrictInColumn(conjunct, member, column)) return true;
  }
  for (const JoinItem* child : item->children) {
    if (IsRequired(child, member, column)) return true;
  }
  return false;
}

bool IsColumnNeverNull(const Scope* scope, const Var* var) {
  const Occurrence* member = MemberWithId(scope, var->varno);
  if (member == nullptr) return false;
  if (IsRequired(scope->joins, member, var->varattno)) return true;
  return !bms_is_member(member->id, ReduceJoins(scope, nullptr)->nullable) &&
         IsMemberColumnNeverNull(member, var->varattno);
}

bool IsNeverNull(const Scope* scope, Node* node);

bool AreNeverNull(const Scope* scope, List* nodes) {
  ListCell* cell;
  foreach (cell, nodes) {
    if (!IsNeverNull(scope, static_cast<Node*>(lfirst(cell)))) return false;
  }
  return true;
}

bool IsAnyNeverNull(const Scope* scope, List* nodes) {
  ListCell* cell;
  foreach (cell, nodes) {
    if (IsNeverNull(scope, static_cast<Node*>(lfirst(cell)))) return true;
  }
  return false;
}

bool IsCaseNeverNull(const Scope* scope, const CaseExpr* choice) {
  ListCell* cell;
  foreach (cell, choice->args) {
    if (!IsNeverNull(scope, reinterpret_cast<Node*>(lfirst_node(CaseWhen, cell)->result))) {
      return false;
    }
  }
  // Without ELSE it is NULL, of which the parser makes a constant.
  return IsNeverNull(scope, reinterpret_cast<Node*>(choice->defresult));
}

bool IsNeverNull(const Scope* scope, Node* node) {
  if (node == nullptr) return false;
  switch (nodeTag(node)) {
    case T_Const:
      return !reinterpret_cast<Const*>(node)->constisnull;
    case T_Var:
      return IsColumnNeverNull(scope, reinterpret_cast<Var*>(node));
    // What these convert is NULL only if it was before.
    case T_RelabelType:
      return IsNeverNull(scope, AsNode(reinterpret_cast<RelabelType*>(node)->arg));
    case T_CollateExpr:
      return IsNeverNull(scope, AsNode(reinterpret_cast<CollateExpr*>(node)->arg));
    case T_CoerceToDomain:
      return IsNeverNull(scope, AsNode(reinterpret_cast<CoerceToDomain*>(node)->arg));
    case T_ArrayCoerceExpr:
      return IsNeverNull(scope, AsNode(reinterpret_cast<ArrayCoerceExpr*>(node)->arg));
    case T_CoerceViaIO:
      return IsReadByServer(exprType(node)) &&
             IsNeverNull(scope, AsNode(reinterpret_cast<CoerceViaIO*>(node)->arg));
    case T_CoalesceExpr:
      return IsMergedNeverNull(scope, node) ||
             IsAnyNeverNull(scope, reinterpret_cast<CoalesceExpr*>(node)->args);
    case T_MinMaxExpr:
      return IsAnyNeverNull(scope, reinterpret_cast<MinMaxExpr*>(node)->args);
    case T_CaseExpr:
      return IsCaseNeverNull(scope, reinterpret_cast<CaseExpr*>(node));
    case T_OpExpr:
      return GivesValue(reinterpret_cast<OpExpr*>(node)) &&
             AreNeverNull(scope, reinterpret_cast<OpExpr*>(node)->args);
    case T_FuncExpr:
      return GivesValue(reinterpret_cast<FuncExpr*>(node)) &&
             AreNeverNull(scope, reinterpret_cast<FuncExpr*>(node)->args);
    case T_BoolExpr:
      return AreNeverNull(scope, reinterpret_cast<BoolExpr*>(node)->args);
    case T_NullTest:
    case T_BooleanTest:
      return true;
    default:
      return false;
  }
}

bool TellsNulls(const Scope* scope, const ExitRequest& request) {
  const Exit* exit = FindExit(scope, request);
  if (exit->why_not != nullptr || exit->is_constant || !exit->mates.empty()) return false;
  // A column that merges two is NULL where a join further up has neither.
  if (scope->query->setOperations == nullptr && exit->targets.size() != 1) return false;
  for (const ExitTarget& target : exit->targets) {
    if (target.member->kind == OccurrenceKind::kOpaque) return false;
    if (target.member->kind == OccurrenceKind::kDerived &&
        !TellsNulls(target.member->child, RequestOf(target.member, request, target.expressions))) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsOutputNeverNull(const Scope* scope, AttributeNumber number) {
  if (scope->query->setOperations != nullptr) {
    for (const Occurrence* branch : scope->members) {
      if (branch->kind == OccurrenceKind::kDerived && !IsOutputNeverNull(branch->child, number)) {
        return false;
      }
    }
    return true;
  }
  if (scope->query->groupingSets != NIL) return false;
  return IsNeverNull(scope, AsNode(OutputOf(scope, number)));
}

bool TellsNulls(const Scope* scope, const PlainArray<AttributeNumber>& key) {
  ExitRequest request;
  for (const AttributeNumber number : key) {
    ExitColumn column;
    column.number = number;
    request.columns.Add(column);
  }
  return TellsNulls(scope, request);
}

}  // namespace tviews::backend::lineage
