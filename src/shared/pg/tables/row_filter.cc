#include "shared/pg/tables/row_filter.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <catalog/catversion.h>
#include <catalog/pg_attribute.h>
#include <executor/executor.h>
#include <nodes/nodeFuncs.h>
#include <nodes/nodes.h>
#include <nodes/primnodes.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// More are not asked: what meets none of so many is rare.
constexpr std::size_t kMost = 16;

// --- Server style: inside a Call.

bool ForgetPlaces(Node* node, void* context) {
  if (node == nullptr) return false;
  switch (nodeTag(node)) {
    case T_Var:
      reinterpret_cast<Var*>(node)->location = -1;
      break;
    case T_Const:
      reinterpret_cast<Const*>(node)->location = -1;
      break;
    case T_BoolExpr:
      reinterpret_cast<BoolExpr*>(node)->location = -1;
      break;
    case T_BooleanTest:
      reinterpret_cast<BooleanTest*>(node)->location = -1;
      break;
    case T_NullTest:
      reinterpret_cast<NullTest*>(node)->location = -1;
      break;
    case T_OpExpr:
    case T_DistinctExpr:
      reinterpret_cast<OpExpr*>(node)->location = -1;
      break;
    case T_ScalarArrayOpExpr:
      reinterpret_cast<ScalarArrayOpExpr*>(node)->location = -1;
      break;
    case T_RelabelType:
      reinterpret_cast<RelabelType*>(node)->location = -1;
      break;
    default:
      elog(ERROR, "a condition on a row has a node of type %d", static_cast<int>(nodeTag(node)));
  }
  return expression_tree_walker(node, compat::ForServer(ForgetPlaces), context);
}

struct Mapping {
  Oid source;
  Oid changed;
  AttrNumber highest;
};

// The column of `changed` that the variable means, of the same type; 0 if there is none.
AttrNumber PlaceOf(const Var* var, const Mapping& mapping) {
  AttrNumber place = var->varattno;
  if (mapping.source != mapping.changed) {
    const char* const name = get_attname(mapping.source, place, true);
    place = name == nullptr ? 0 : get_attnum(mapping.changed, name);
  }
  if (place <= 0) return 0;
  HeapTuple const tuple =
      SearchSysCache2(ATTNUM, ObjectIdGetDatum(mapping.changed), Int16GetDatum(place));
  if (!HeapTupleIsValid(tuple)) return 0;
  const auto* const form = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
  const bool fits = !form->attisdropped && form->atttypid == var->vartype;
  ReleaseSysCache(tuple);
  return fits ? place : 0;
}

// Gives the variables the numbers of the changed relation; true if one has none.
bool MapColumns(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* const mapping = static_cast<Mapping*>(context);
  if (IsA(node, Var)) {
    auto* const var = reinterpret_cast<Var*>(node);
    const AttrNumber place = PlaceOf(var, *mapping);
    var->varattno = place;
    mapping->highest = std::max(mapping->highest, place);
    return place == 0;
  }
  return expression_tree_walker(node, compat::ForServer(MapColumns), context);
}

// Null if it is of another version, or cannot be asked of the changed relation.
ExprState* Prepare(const char* text, Mapping* mapping) {
  const char* const space = strchr(text, ' ');
  if (space == nullptr || strtoul(text, nullptr, 10) != CATALOG_VERSION_NO) return nullptr;
  auto* const condition = static_cast<Node*>(stringToNode(space + 1));
  if (MapColumns(condition, mapping)) return nullptr;
  return ExecInitExpr(reinterpret_cast<Expr*>(condition), nullptr);
}

}  // namespace

const char* RowFilterText(Node* condition) {
  Node* const copy = static_cast<Node*>(copyObjectImpl(condition));
  ForgetPlaces(copy, nullptr);
  return psprintf("%d %s", CATALOG_VERSION_NO, nodeToString(copy));
}

absl::StatusOr<RowFilter> RowFilter::Make(const std::set<std::string>& texts, RelationId source,
                                          RelationId changed) {
  RowFilter filter;
  if (texts.empty() || texts.size() > kMost) return filter;
  Mapping mapping{.source = source, .changed = changed, .highest = 0};
  MemoryContext before = nullptr;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    filter.memory_ = AllocSetContextCreateInternal(TopMemoryContext, "pg_tviews row filter",
                                                   ALLOCSET_SMALL_SIZES);
    before = MemoryContextSwitchTo(filter.memory_);
    filter.context_ = CreateStandaloneExprContext();
    MemoryContextSwitchTo(before);
  }));
  for (const std::string& text : texts) {
    ExprState* test = nullptr;
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      MemoryContextSwitchTo(filter.memory_);
      test = Prepare(text.c_str(), &mapping);
      MemoryContextSwitchTo(before);
    }));
    if (test == nullptr) return RowFilter();
    filter.tests_.push_back(test);
  }
  filter.highest_ = mapping.highest;
  return filter;
}

RowFilter::RowFilter(RowFilter&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      context_(std::exchange(other.context_, nullptr)),
      tests_(std::move(other.tests_)),
      highest_(other.highest_) {}

RowFilter& RowFilter::operator=(RowFilter&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(context_, other.context_);
  std::swap(tests_, other.tests_);
  std::swap(highest_, other.highest_);
  return *this;
}

RowFilter::~RowFilter() {
  if (memory_ != nullptr) MemoryContextDelete(memory_);
}

absl::StatusOr<bool> RowFilter::Passes(const TupleTableSlot& version) const {
  if (memory_ == nullptr) return true;
  bool passes = false;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    context_->ecxt_scantuple = const_cast<TupleTableSlot*>(&version);
    for (std::size_t i = 0; i < tests_.size() && !passes; ++i) {
      bool is_null = false;
      const Datum met = ExecEvalExprSwitchContext(tests_[i], context_, &is_null);
      passes = !is_null && DatumGetBool(met);
    }
    context_->ecxt_scantuple = nullptr;
    ResetExprContext(context_);
  }));
  return passes;
}

}  // namespace tviews::pg
