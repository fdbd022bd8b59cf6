#include "backend/ddl/view_text.h"

#include <cstdint>
#include <vector>

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <parser/analyze.h>
#include <parser/parser.h>
#include <rewrite/rewriteHandler.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/ruleutils.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct InnerText {
  const char* text;
  Oid view;
};

// A position in our text is not one in the user's command.
void ReportInnerText(void* argument) {
  const auto* const inner = static_cast<InnerText*>(argument);
  const int position = geterrposition();
  if (position > 0) {
    errposition(0);
    internalerrposition(position);
    internalerrquery(inner->text);
  }
  const char* const name = get_rel_name(inner->view);
  errcontext("the query of view \"%s\", read again", name != nullptr ? name : "");
}

// --- What the query calls.

struct CodeSearch {
  List* functions;
  bool asks_types;
};

bool AddFunction(Oid function, void* context) {
  auto* const search = static_cast<CodeSearch*>(context);
  if (function >= FirstNormalObjectId) {
    search->functions = list_append_unique_oid(search->functions, function);
  }
  search->asks_types |= function >= FirstNormalObjectId || function == F_PG_TYPEOF;
  return false;
}

bool SearchCode(Node* node, void* context) {
  if (node == nullptr) return false;
  check_functions_in_node(node, AddFunction, context);
  if (IsA(node, Query)) {
    return query_tree_walker(reinterpret_cast<Query*>(node), pg::compat::ForServer(SearchCode),
                             context, 0);
  }
  return expression_tree_walker(node, pg::compat::ForServer(SearchCode), context);
}

// varchar is text to every function of the server but pg_typeof.
bool IsText(Oid type) { return type == TEXTOID || type == VARCHAROID; }
bool AreTexts(Oid type) { return type == TEXTARRAYOID || type == VARCHARARRAYOID; }

// The array of constants, as the planner would make it; null if it is not one.
Const* AsConstant(const ArrayExpr* array) {
  const int count = list_length(array->elements);
  if (array->multidims || count == 0) return nullptr;
  auto* const values = static_cast<Datum*>(palloc(sizeof(Datum) * count));
  auto* const nulls = static_cast<bool*>(palloc(sizeof(bool) * count));
  for (int i = 0; i < count; ++i) {
    const auto* const element = static_cast<const Node*>(list_nth(array->elements, i));
    if (!IsA(element, Const)) return nullptr;
    values[i] = reinterpret_cast<const Const*>(element)->constvalue;
    nulls[i] = reinterpret_cast<const Const*>(element)->constisnull;
  }
  const Oid type = IsText(array->element_typeid) ? TEXTOID : array->element_typeid;
  std::int16_t length = 0;
  bool by_value = false;
  char alignment = 0;
  get_typlenbyvalalign(type, &length, &by_value, &alignment);
  int dimensions[] = {count};
  int bounds[] = {1};
  ArrayType* const value =
      construct_md_array(values, nulls, 1, dimensions, bounds, type, length, by_value, alignment);
  return makeConst(AreTexts(array->array_typeid) ? TEXTARRAYOID : array->array_typeid, -1,
                   array->array_collid, -1, PointerGetDatum(value), false, false);
}

// The same query in a form of which there is only one.
Node* Normalize(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  const auto* const is_strict = static_cast<const bool*>(context);
  if (IsA(node, Query)) {
    return reinterpret_cast<Node*>(query_tree_mutator(
        reinterpret_cast<Query*>(node), pg::compat::MutatorForServer(Normalize), context, 0));
  }
  if (IsA(node, RelabelType) && !*is_strict) {
    auto* const cast = reinterpret_cast<RelabelType*>(node);
    const Oid from = exprType(reinterpret_cast<Node*>(cast->arg));
    if ((IsText(cast->resulttype) && IsText(from)) ||
        (AreTexts(cast->resulttype) && AreTexts(from))) {
      return Normalize(reinterpret_cast<Node*>(cast->arg), context);
    }
  }
  Node* const normal =
      expression_tree_mutator(node, pg::compat::MutatorForServer(Normalize), context);
  if (!IsA(normal, ArrayExpr)) return normal;
  Const* const constant = AsConstant(reinterpret_cast<const ArrayExpr*>(normal));
  return constant != nullptr ? reinterpret_cast<Node*>(constant) : normal;
}

// --- Text with less in it.

struct Loosening {
  int constants;  // met so far, of those that the server prints with their type
  const std::vector<bool>* keep;
};

// The argument of a cast that was not written down; null for other nodes.
Node* ArgumentOfImplicitCast(Node* node) {
  switch (nodeTag(node)) {
    case T_FuncExpr: {
      auto* const cast = reinterpret_cast<FuncExpr*>(node);
      return cast->funcformat == COERCE_IMPLICIT_CAST ? static_cast<Node*>(linitial(cast->args))
                                                      : nullptr;
    }
    case T_RelabelType: {
      auto* const cast = reinterpret_cast<RelabelType*>(node);
      return cast->relabelformat == COERCE_IMPLICIT_CAST ? reinterpret_cast<Node*>(cast->arg)
                                                         : nullptr;
    }
    case T_CoerceViaIO: {
      auto* const cast = reinterpret_cast<CoerceViaIO*>(node);
      return cast->coerceformat == COERCE_IMPLICIT_CAST ? reinterpret_cast<Node*>(cast->arg)
                                                        : nullptr;
    }
    case T_ArrayCoerceExpr: {
      auto* const cast = reinterpret_cast<ArrayCoerceExpr*>(node);
      return cast->coerceformat == COERCE_IMPLICIT_CAST ? reinterpret_cast<Node*>(cast->arg)
                                                        : nullptr;
    }
    case T_CoerceToDomain: {
      auto* const cast = reinterpret_cast<CoerceToDomain*>(node);
      return cast->coercionformat == COERCE_IMPLICIT_CAST ? reinterpret_cast<Node*>(cast->arg)
                                                          : nullptr;
    }
    default:
      return nullptr;
  }
}

// The server prints these types without a label, or a NULL with one whatever its type. An interval
// has been called one, because what it is added to would have made it something else.
bool IsPrintedWithType(const Const* constant) {
  switch (constant->consttype) {
    case BOOLOID:
    case INT4OID:
    case INTERVALOID:
    case NUMERICOID:
    case UNKNOWNOID:
      return false;
    default:
      return !constant->constisnull;
  }
}

Node* AsLiteral(const Const* constant) {
  Oid output = InvalidOid;
  bool is_varlena = false;
  getTypeOutputInfo(constant->consttype, &output, &is_varlena);
  char* const text = OidOutputFunctionCall(output, constant->constvalue);
  return reinterpret_cast<Node*>(
      makeConst(UNKNOWNOID, -1, InvalidOid, -2, CStringGetDatum(text), false, false));
}

bool KeepsNext(Loosening* loosening) {
  const auto number = static_cast<std::size_t>(loosening->constants++);
  return number < loosening->keep->size() && (*loosening->keep)[number];
}

Node* Loosen(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  auto* const loosening = static_cast<Loosening*>(context);
  if (IsA(node, Query)) {
    return reinterpret_cast<Node*>(query_tree_mutator(
        reinterpret_cast<Query*>(node), pg::compat::MutatorForServer(Loosen), context, 0));
  }
  if (Node* const argument = ArgumentOfImplicitCast(node); argument != nullptr) {
    return Loosen(argument, context);
  }
  if (IsA(node, Const) && IsPrintedWithType(reinterpret_cast<const Const*>(node))) {
    if (!KeepsNext(loosening)) return AsLiteral(reinterpret_cast<const Const*>(node));
    return node;
  }
  // Written as x IN (...), where the list has no type of its own.
  if (IsA(node, ArrayExpr)) {
    Const* const constant = AsConstant(reinterpret_cast<const ArrayExpr*>(node));
    if (constant != nullptr && !KeepsNext(loosening)) return AsLiteral(constant);
    if (constant != nullptr) return node;
  }
  return expression_tree_mutator(node, pg::compat::MutatorForServer(Loosen), context);
}

Query* QueryOf(Oid view) {
  Relation const relation = table_open(view, NoLock);
  auto* const query = static_cast<Query*>(copyObjectImpl(get_view_query(relation)));
  int column = 0;
  for (int i = 0; i < list_length(query->targetList); ++i) {
    auto* const entry = static_cast<TargetEntry*>(list_nth(query->targetList, i));
    if (entry->resjunk) continue;
    entry->resname = pstrdup(NameStr(TupleDescAttr(RelationGetDescr(relation), column++)->attname));
  }
  table_close(relation, NoLock);
  return query;
}

}  // namespace

Query* ParseViewText(const char* text, RelationId view) {
  // Nodes of the tree point into their text.
  InnerText inner = {pstrdup(text), view};
  ErrorContextCallback position = {error_context_stack, ReportInnerText, &inner};
  error_context_stack = &position;
  List* const statements = raw_parser(inner.text, RAW_PARSE_DEFAULT);
  if (list_length(statements) != 1) elog(ERROR, "the query of a view is not one statement");
  Query* const query = parse_analyze_fixedparams(linitial_node(RawStmt, statements), inner.text,
                                                 nullptr, 0, nullptr);
  error_context_stack = position.previous;
  return query;
}

QueryMeaning MeaningOf(const Query* query) {
  auto* const copy = static_cast<Node*>(copyObjectImpl(query));
  CodeSearch search{};
  SearchCode(copy, &search);
  QueryMeaning meaning{};
  meaning.functions = search.functions;
  meaning.is_strict = search.asks_types;
  meaning.tree = nodeToString(Normalize(copy, &meaning.is_strict));
  return meaning;
}

ViewText PrintView(RelationId view) {
  return {.text = pg_get_querydef(QueryOf(view), false), .constants = 0};
}

ViewText PrintViewLoosely(RelationId view, const std::vector<bool>& keep) {
  Loosening loosening = {.constants = 0, .keep = &keep};
  Node* const loose = Loosen(reinterpret_cast<Node*>(QueryOf(view)), &loosening);
  return {.text = pg_get_querydef(reinterpret_cast<Query*>(loose), false),
          .constants = loosening.constants};
}

}  // namespace tviews::backend
