#include "backend/lineage/index_match.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/relation.h>
#include <access/transam.h>
#include <catalog/pg_am.h>
#include <catalog/pg_class.h>
#include <catalog/pg_statistic.h>
#include <commands/defrem.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <storage/bufmgr.h>
#include <utils/builtins.h>
#include <utils/guc.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include <utils/ruleutils.h>
#include <utils/syscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Reading so many pages costs no more than finding the way through an index.
constexpr BlockNumber kSmallTable = 4;

// An index that leaves so many rows to look at is as good as a better one.
constexpr double kFewRows = 100;

// As a relation's own: varno 1, and nothing that a join has left.
Node* OverRelation(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Var)) {
    const auto* var = reinterpret_cast<Var*>(node);
    return reinterpret_cast<Node*>(
        makeVar(1, var->varattno, var->vartype, var->vartypmod, var->varcollid, 0));
  }
  return MutateChildren(node, OverRelation, context);
}

bool IsForeign(Oid function, void* /*context*/) { return function >= FirstUnpinnedObjectId; }

bool CallsForeign(Node* node, void* context) {
  if (node == nullptr) return false;
  return check_functions_in_node(node, IsForeign, context) ||
         WalkChildren(node, CallsForeign, context);
}

// As an index has it, which is simplified. What users have written is not evaluated for that.
Node* Simplified(Node* node) {
  node = OverRelation(node, nullptr);
  return CallsForeign(node, nullptr) ? node : eval_const_expressions(nullptr, node);
}

bool IsColumn(Node* node) { return IsA(node, Var) && reinterpret_cast<Var*>(node)->varattno > 0; }

bool IsOfDefaultFamily(Oid equality, Oid type) {
  const TypeCacheEntry* const entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
  return OidIsValid(entry->btree_opf) && op_in_opfamily(equality, entry->btree_opf);
}

bool Matches(Relation index, int column, Node* indexed, const ProbePart& part) {
  if (!op_in_opfamily(part.equality, index->rd_opfamily[column])) return false;
  const Oid collation = index->rd_indcollation[column];
  if (OidIsValid(collation) && collation != part.collation) return false;
  const AttrNumber attribute = index->rd_index->indkey.values[column];
  Node* const expr = StripRelabel(part.expr);
  if (attribute == 0) return equal(StripRelabel(indexed), expr);
  return IsA(expr, Var) && reinterpret_cast<Var*>(expr)->varattno == attribute;
}

// Rows of a relation per value of a part; negative if unknown.
double RowsPerValue(Relation relation, const ProbePart& part) {
  Node* const expr = StripRelabel(part.expr);
  const double rows = relation->rd_rel->reltuples;
  if (!IsA(expr, Var) || rows < 0) return -1;
  HeapTuple const statistics =
      SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(RelationGetRelid(relation)),
                      Int16GetDatum(reinterpret_cast<Var*>(expr)->varattno),
                      BoolGetDatum(relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE));
  if (!HeapTupleIsValid(statistics)) return -1;
  const double distinct = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(statistics))->stadistinct;
  ReleaseSysCache(statistics);
  if (distinct == 0) return -1;
  return distinct > 0 ? rows / distinct : -1 / distinct;
}

// True if the index leaves few rows of those that the probe asks for.
bool Serves(Relation relation, Relation index, const Probe& probe) {
  const Form_pg_index form = index->rd_index;
  const Oid method = index->rd_rel->relam;
  if (!form->indisvalid || (method != BTREE_AM_OID && method != HASH_AM_OID) ||
      RelationGetIndexPredicate(index) != NIL) {
    return false;
  }
  const List* const expressions = RelationGetIndexExpressions(index);
  int next_expression = 0;
  int found = 0;
  bool is_selective = false;
  for (int column = 0; column < form->indnkeyatts; ++column) {
    Node* indexed = nullptr;
    if (form->indkey.values[column] == 0) {
      indexed = static_cast<Node*>(list_nth(expressions, next_expression++));
    }
    const ProbePart* match = nullptr;
    for (const ProbePart& part : probe.parts) {
      if (Matches(index, column, indexed, part)) match = &part;
    }
    if (match == nullptr) break;
    ++found;
    const double rows = RowsPerValue(relation, *match);
    if (rows < kFewRows) is_selective = true;  // or unknown
  }
  if (found == 0) return false;
  return is_selective || found >= probe.parts.size() ||
         (form->indisunique && found == form->indnkeyatts);
}

bool CanBeIndexed(char kind) {
  return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_MATVIEW;
}

// Nothing is known of what will be in an empty table.
bool IsSmall(Relation relation) {
  if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) return false;
  const BlockNumber pages = RelationGetNumberOfBlocks(relation);
  return pages > 0 && pages <= kSmallTable;
}

}  // namespace

void AddPart(Node* side, Oid32 equality, Oid32 collation, Probe* probe) {
  if (!OidIsValid(equality) || HasSpecialVars(side) || contain_subplans(side)) return;
  ProbePart part = {Simplified(side), equality, collation};
  // The column itself, where an index on it knows the operator.
  Node* const bare = StripRelabel(part.expr);
  if (IsColumn(bare) && IsOfDefaultFamily(equality, exprType(bare))) part.expr = bare;
  if (!IsOfDefaultFamily(equality, exprType(part.expr)) || contain_mutable_functions(part.expr)) {
    return;
  }
  for (const ProbePart& known : probe->parts) {
    if (equal(known.expr, part.expr)) return;
  }
  probe->parts.Add(part);
}

void AddColumn(AttributeNumber attribute, Probe* probe) {
  Oid type = InvalidOid;
  Oid collation = InvalidOid;
  std::int32_t modifier = -1;
  get_atttypetypmodcoll(probe->relation, attribute, &type, &modifier, &collation);
  Var* const column = makeVar(1, attribute, type, modifier, collation, 0);
  AddPart(reinterpret_cast<Node*>(column), EqualityOperatorOf(type), collation, probe);
}

bool BeginsWith(const Probe& other, const Probe& probe) {
  if (other.relation != probe.relation || other.parts.size() < probe.parts.size()) return false;
  for (int i = 0; i < probe.parts.size(); ++i) {
    if (!equal(other.parts[i].expr, probe.parts[i].expr)) return false;
  }
  return true;
}

bool AreSame(const Probe& left, const Probe& right) {
  return left.parts.size() == right.parts.size() && BeginsWith(left, right);
}

bool IsServed(const Probe& probe) {
  Relation const relation = relation_open(probe.relation, AccessShareLock);
  bool is_served =
      probe.parts.empty() || !CanBeIndexed(relation->rd_rel->relkind) || IsSmall(relation);
  ListCell* cell;
  foreach (cell, RelationGetIndexList(relation)) {
    if (is_served) break;
    Relation const index = index_open(lfirst_oid(cell), AccessShareLock);
    is_served = Serves(relation, index, probe);
    index_close(index, AccessShareLock);
  }
  relation_close(relation, AccessShareLock);
  return is_served;
}

const char* IndexColumns(const Probe& probe) {
  StringInfoData text;
  initStringInfo(&text);
  const int nest = NewGUCNestLevel();
  set_config_option("search_path", "", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  List* const names = deparse_context_for(get_rel_name(probe.relation), probe.relation);
  for (const ProbePart& part : probe.parts) {
    if (text.len > 0) appendStringInfoString(&text, ", ");
    if (IsA(part.expr, Var)) {
      appendStringInfoString(
          &text, quote_identifier(get_attname(probe.relation,
                                              reinterpret_cast<Var*>(part.expr)->varattno, false)));
    } else {
      appendStringInfo(&text, "(%s)", deparse_expression(part.expr, names, false, false));
    }
    if (OidIsValid(part.collation) && part.collation != exprCollation(part.expr)) {
      appendStringInfo(&text, " COLLATE %s", generate_collation_name(part.collation));
    }
  }
  AtEOXact_GUC(false, nest);
  return text.data;
}

}  // namespace tviews::backend::lineage
