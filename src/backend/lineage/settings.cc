#include "backend/lineage/settings.h"

#include <cstring>
#include <initializer_list>

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/tupdesc.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/nodeFuncs.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

struct Names {
  PlainArray<const char*>* settings;
  bool has_objects =
      false;  // a name of an object of the catalogs becomes text, or text becomes one
};

// The form that a value is converted to, or from.
enum class Form { kText, kJson };

void Add(const char* name, Names* names) {
  for (const char* known : *names->settings) {
    if (strcmp(known, name) == 0) return;
  }
  names->settings->Add(name);
}

bool IsOneOf(const char* name, std::initializer_list<const char*> list) {
  for (const char* known : list) {
    if (strcmp(name, known) == 0) return true;
  }
  return false;
}

// A value is read from text, or written as text.
enum class Direction { kInput, kOutput };

void AddConversion(Oid type, Form form, Direction direction, int depth, Names* names);

void AddRowConversion(Oid type, Form form, Direction direction, int depth, Names* names) {
  TupleDesc descriptor = lookup_rowtype_tupdesc_copy(type, -1);
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (!attribute->attisdropped) {
      AddConversion(attribute->atttypid, form, direction, depth + 1, names);
    }
  }
}

// Types that consist of others; one that contains arrays of itself ends with the depth.
void AddPartsConversion(Oid type, Form form, Direction direction, int depth, Names* names) {
  constexpr int kDeepest = 4;
  if (depth > kDeepest) return;
  if (const Oid element = get_element_type(type); OidIsValid(element)) {
    if (direction == Direction::kInput) Add("array_nulls", names);
    return AddConversion(element, form, direction, depth + 1, names);
  }
  if (type_is_multirange(type)) {
    return AddConversion(get_multirange_range(type), Form::kText, direction, depth + 1, names);
  }
  if (type_is_range(type)) {
    return AddConversion(get_range_subtype(type), Form::kText, direction, depth + 1, names);
  }
  if (get_typtype(type) == TYPTYPE_COMPOSITE) AddRowConversion(type, form, direction, depth, names);
}

void AddConversion(Oid type, Form form, Direction direction, int depth, Names* names) {
  const Oid base = getBaseType(type);
  switch (base) {
    case TIMESTAMPTZOID:
      Add("TimeZone", names);
      if (direction == Direction::kInput) Add("timezone_abbreviations", names);
      [[fallthrough]];
    case DATEOID:
    case TIMESTAMPOID:
      if (form == Form::kText) Add("DateStyle", names);
      return;
    case INTERVALOID:
      return Add("IntervalStyle", names);
    case FLOAT4OID:
    case FLOAT8OID:
    case POINTOID:
    case LSEGOID:
    case PATHOID:
    case BOXOID:
    case POLYGONOID:
    case LINEOID:
    case CIRCLEOID:
      if (direction == Direction::kOutput) Add("extra_float_digits", names);
      return;
    case BYTEAOID:
      if (direction == Direction::kOutput) Add("bytea_output", names);
      return;
    case MONEYOID:
      return Add("lc_monetary", names);
    case XMLOID:
      if (direction == Direction::kInput) Add("xmloption", names);
      return;
    case REGCLASSOID:
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGTYPEOID:
    case REGROLEOID:
    case REGNAMESPACEOID:
    case REGCOLLATIONOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
      names->has_objects = true;
      if (direction == Direction::kOutput) Add("quote_all_identifiers", names);
      return;
    case ACLITEMOID:
      names->has_objects = true;
      return;
    default:
      return AddPartsConversion(base, form, direction, depth, names);
  }
}

void AddConversions(List* arguments, Form form, Names* names) {
  ListCell* cell;
  foreach (cell, arguments) {
    auto* node = static_cast<Node*>(lfirst(cell));
    if (IsA(node, TargetEntry)) node = reinterpret_cast<Node*>(castNode(TargetEntry, node)->expr);
    AddConversion(exprType(node), form, Direction::kOutput, 0, names);
  }
}

// What a stable function of the server over values of a type looks at.
void AddStableType(Oid type, Names* names) {
  if (type == TIMESTAMPTZOID) Add("TimeZone", names);
  if (type == MONEYOID) Add("lc_monetary", names);
}

void AddFormatting(const char* name, Oid type, Names* names) {
  if (strcmp(name, "to_number") == 0 || (strcmp(name, "to_char") == 0 && type != TIMESTAMPTZOID &&
                                         type != TIMESTAMPOID && type != INTERVALOID)) {
    Add("lc_numeric", names);
    Add("lc_monetary", names);
  } else {
    Add("lc_time", names);
  }
}

void VisitCall(Oid function, List* arguments, Oid result, Names* names) {
  if (function >= FirstNormalObjectId) return;
  const char* name = get_func_name(function);
  if (name == nullptr) return;
  Oid* types = nullptr;
  int count = 0;
  get_func_signature(function, &types, &count);
  if (strstr(name, "json") != nullptr) AddConversions(arguments, Form::kJson, names);
  if (IsOneOf(name, {"concat", "concat_ws", "format", "textanycat", "anytextcat"})) {
    AddConversions(arguments, Form::kText, names);
  }
  if (IsOneOf(name, {"quote_ident", "format", "pg_get_viewdef", "pg_get_constraintdef",
                     "pg_get_indexdef", "pg_get_expr", "format_type"})) {
    Add("quote_all_identifiers", names);
  }
  if (IsOneOf(name, {"to_char", "to_number", "to_date", "to_timestamp"}) && count > 1) {
    AddFormatting(name, types[0], names);
  }
  if (func_volatile(function) != PROVOLATILE_STABLE) return;
  for (int i = 0; i < count; ++i) AddStableType(types[i], names);
  AddStableType(result, names);
  const bool searches =
      IsOneOf(name, {"to_tsvector", "jsonb_to_tsvector", "json_to_tsvector", "to_tsquery",
                     "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery", "ts_headline"});
  if (searches && types[0] != REGCONFIGOID) Add("default_text_search_config", names);
  if (IsOneOf(name, {"ts_match_tt", "ts_match_tq"})) Add("default_text_search_config", names);
}

void VisitXml(XmlExpr* xml, Names* names) {
  for (List* arguments : {xml->named_args, xml->args}) {
    ListCell* cell;
    foreach (cell, arguments) {
      const Oid type = getBaseType(exprType(static_cast<Node*>(lfirst(cell))));
      if (type == BYTEAOID) {
        Add("xmlbinary", names);
      } else {
        AddConversion(type, Form::kJson, Direction::kOutput, 0,
                      names);  // dates are ISO dates here too
      }
    }
  }
}

void VisitInputOutput(CoerceViaIO* coercion, Names* names) {
  AddConversion(exprType(reinterpret_cast<Node*>(coercion->arg)), Form::kText, Direction::kOutput,
                0, names);
  AddConversion(coercion->resulttype, Form::kText, Direction::kInput, 0, names);
}

bool Visit(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* names = static_cast<Names*>(context);
  switch (nodeTag(node)) {
    case T_Query:
      return WalkQuery(reinterpret_cast<Query*>(node), Visit, context);
    case T_RangeTblEntry:
      return false;  // what is in it comes by itself
    case T_FuncExpr: {
      auto* call = reinterpret_cast<FuncExpr*>(node);
      VisitCall(call->funcid, call->args, call->funcresulttype, names);
      break;
    }
    case T_OpExpr: {
      auto* call = reinterpret_cast<OpExpr*>(node);
      VisitCall(get_opcode(call->opno), call->args, call->opresulttype, names);
      break;
    }
    case T_Aggref: {
      auto* call = reinterpret_cast<Aggref*>(node);
      VisitCall(call->aggfnoid, call->args, call->aggtype, names);
      break;
    }
    case T_WindowFunc: {
      auto* call = reinterpret_cast<WindowFunc*>(node);
      VisitCall(call->winfnoid, call->args, call->wintype, names);
      break;
    }
    case T_CoerceViaIO:
      VisitInputOutput(reinterpret_cast<CoerceViaIO*>(node), names);
      break;
    case T_XmlExpr:
      VisitXml(reinterpret_cast<XmlExpr*>(node), names);
      break;
    default:
      break;
  }
  return WalkChildren(node, Visit, context);
}

}  // namespace

void FindSettings(const Query* query, PlainArray<const char*>* settings,
                  PlainArray<const char*>* undetermined) {
  Names names = {.settings = settings};
  Visit(reinterpret_cast<Node*>(const_cast<Query*>(query)), &names);
  if (!names.has_objects) return;
  undetermined->Add(
      "names of tables, types, roles and the like as text (regclass and its kind) change without a "
      "change of the sources; documents keep the value of their last refresh");
}

}  // namespace tviews::backend::lineage
