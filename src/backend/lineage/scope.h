// Occurrences, query levels, and where each condition stands (LINEAGE A and C).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// Every query level of the expanded tree is a Scope; everything in its FROM is an Occurrence, and
// so is every sublink evaluated in it. Occurrences are numbered over the whole tree. Expressions
// are kept in *global form*: varno is the occurrence's id and varlevelsup is 0, whichever level the
// expression comes from, so that the server's strictness tests work on them unchanged. Sublinks
// inside a global expression are left as they were: such an expression is only tested, never moved.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_SCOPE_H_
#define PG_TVIEWS_BACKEND_LINEAGE_SCOPE_H_

#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

struct Scope;

enum class OccurrenceKind {
  kRelation,
  kDerived,   // a subquery in FROM, or a branch of a set operation
  kComputed,  // a function, VALUES or table function
  kSublink,
  kOpaque,  // inside a recursion: the rows found so far
};

struct Occurrence {
  int id = 0;
  int position = 0;  // in scope->members
  OccurrenceKind kind = OccurrenceKind::kOpaque;
  Scope* scope = nullptr;        // where its columns are visible, or the sublink is evaluated
  RangeTblEntry* rte = nullptr;  // null for a sublink; a computed one's is in global form
  Scope* child = nullptr;        // the query of a subquery or sublink
  Bitmapset* columns = nullptr;  // of a relation: those that are read, as in ReadColumns
  Bitmapset* uses = nullptr;     // of a computed one: occurrences that its expressions use
  bool can_stand_alone = false;  // may be joined as a whole in a lookup
  Expr* test = nullptr;          // of a sublink: its test as a condition on its column 1, or null
  bool test_needs_not_null = false;  // the test counts only if both sides cannot be NULL
  // Of a subquery: conditions that its inside can, or cannot, follow; as far as asked.
  PlainArray<Expr*> followable;
  PlainArray<Expr*> dead_ends;
  // Conditions on it alone that filter its rows (filters.h), once asked.
  mutable bool knows_filters = false;
  mutable List* filters = nullptr;
};

// A join or FROM list with its own conditions (conjuncts, in global form), or a leaf.
struct JoinItem {
  Occurrence* leaf = nullptr;
  bool is_full = false;
  bool is_left = false;  // children[1] is the nullable side; RIGHT is LEFT flipped
  PlainArray<JoinItem*> children;
  PlainArray<Expr*> conjuncts;
  Bitmapset* ids = nullptr;
};

struct Scope {
  Query* query = nullptr;
  Scope* parent = nullptr;
  // What the level's rows become: a subquery or sublink of the parent, or, for the query of a
  // recursive CTE, the CTE's name there. Null for the top.
  Occurrence* owner = nullptr;
  bool is_recursion = false;
  int depth = 0;
  PlainArray<Occurrence*> by_index;  // range table position - 1 -> occurrence or null
  PlainArray<Occurrence*> members;   // in FROM or branches, then sublinks
  PlainArray<Scope*> recursions;     // queries of recursive CTEs
  JoinItem* joins = nullptr;         // null for a set operation
};

// What a relation's rows are read for.
struct ReadColumns {
  RelationId relation;
  Bitmapset* columns;  // offset by FirstLowInvalidHeapAttributeNumber
};

struct Tree {
  Scope* top = nullptr;
  PlainArray<Occurrence*> occurrences;  // occurrences[id - 1]
  PlainArray<ReadColumns> reads;        // by relation, in order of appearance
};

// `query` has been expanded (lineage/expand.h).
Tree* BuildTree(Query* query);

// A copy of `node`, an expression of level `scope`, in global form.
Node* Globalize(const Scope* scope, Node* node);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_SCOPE_H_
