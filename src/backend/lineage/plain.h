// Tools of the lineage analysis: arrays in PostgreSQL's memory, tree walkers, expression
// predicates.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// The whole analysis works on the server's trees and runs inside one pg::Call (query_analysis.cc).
// Therefore all files lineage_*.cc hold plain data only: nothing in them has a destructor, memory
// is the current context's, and refusals are ereport, which Call turns into a Status.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_PLAIN_H_
#define PG_TVIEWS_BACKEND_LINEAGE_PLAIN_H_

#include <cstddef>
#include <type_traits>

#include "shared/types.h"

struct Bitmapset;
struct Expr;
struct List;
struct Node;
struct Query;
struct RangeTblEntry;
struct SubLink;
struct Var;

namespace tviews::backend::lineage {

// Room for at least one more item than `size`.
void* GrowPlainArray(void* items, int size, int* room, std::size_t item_size);

// A growing array without a destructor.
template <typename T>
class PlainArray {
 public:
  void Add(const T& item) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (size_ == room_) {
      items_ = static_cast<T*>(GrowPlainArray(items_, size_, &room_, sizeof(T)));
    }
    items_[size_++] = item;
  }
  void Truncate(int size) { size_ = size; }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](int i) { return items_[i]; }
  const T& operator[](int i) const { return items_[i]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  T* items_ = nullptr;
  int size_ = 0;
  int room_ = 0;
};

// A zeroed object in the current memory context.
void* AllocateZeroed(std::size_t size);
template <typename T>
T* MakePlain() {
  static_assert(std::is_trivially_destructible_v<T>);
  return new (AllocateZeroed(sizeof(T))) T();
}

using NodeWalker = bool (*)(Node*, void*);
using NodeMutator = Node* (*)(Node*, void*);
bool WalkChildren(Node* node, NodeWalker walker, void* context);
// Everything below a query, range table entries included.
bool WalkQuery(Query* query, NodeWalker walker, void* context);
// The expressions of one query level: not those of subqueries in FROM and in WITH.
bool WalkLevel(Query* query, NodeWalker walker, void* context);
Node* MutateChildren(Node* node, NodeMutator mutator, void* context);
// Replaces what WalkLevel visits; the nodes of FROM become copies.
void MutateLevel(Query* query, NodeMutator mutator, void* context);

// The ids of the occurrences that a global expression uses (lineage/scope.h).
Bitmapset* OccurrencesIn(Node* node);
// True if some variable of `node` is a system column or a whole row.
bool HasSpecialVars(Node* node);
// True if `node` can be evaluated for one row alone with the same result at any time: no sublink,
// aggregate, window or set-returning function, nothing mutable.
bool IsPureExpression(Node* node);
// True if the same values may give another result under other settings or at another time.
bool DependsOnSettings(Node* node);
// True if `expr` is NULL whenever one of its variables is.
bool IsStrictExpression(Node* expr);
// Without relabelling on top.
Node* StripRelabel(Node* node);
// `expr` under `collation`: what stands for a column of a subquery keeps the column's.
Node* WithCollation(Node* expr, Oid32 collation);
// True if values that are equal under one of the collations are equal under the other.
bool CollationsAgree(Oid32 left, Oid32 right);
// True if the operator is the equality of a btree or hash operator family.
bool IsEqualityOperator(Oid32 operator_id);
// The operator that GROUP BY uses for `type`.
Oid32 EqualityOperatorOf(TypeId type);
// True if the column is declared NOT NULL, and the declaration is enforced for every row.
bool IsDeclaredNotNull(RelationId table, AttributeNumber attribute);
// True if the text of `node` names an operator of another schema than pg_catalog without its
// schema (IS DISTINCT FROM, NULLIF, CASE x WHEN): it would not be found when read again.
bool NamesForeignOperator(Node* node);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_PLAIN_H_
