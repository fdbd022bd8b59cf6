// The query of a view as text, with no more casts and types in it than it needs.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises: every function runs inside Call
//
// The server prints casts that nobody has written, upper((name)::text), and the type of every
// constant, status = 'new'::text. Where the column gets another type, these would be wrong, or not
// what was meant. So they are left out wherever the text, read again as things are, is the same
// query without them.

#ifndef PG_TVIEWS_BACKEND_DDL_VIEW_TEXT_H_
#define PG_TVIEWS_BACKEND_DDL_VIEW_TEXT_H_

#include <vector>

#include "shared/types.h"

struct List;
struct Query;

namespace tviews::backend {

// Errors of the text are reported as those of an inner query, with the name of `view`.
Query* ParseViewText(const char* text, RelationId view);

// Plain bytes.
struct ViewText {
  const char* text;
  int constants;  // that the server prints with their types
};

// As the server prints it.
// REQUIRES: the view is locked; the settings are those under which the text will be read again.
ViewText PrintView(RelationId view);

// Without the casts that nobody has written, and without the types of constants, except for those
// of which `keep` is true, by their numbers.
ViewText PrintViewLoosely(RelationId view, const std::vector<bool>& keep);

// Plain bytes.
struct QueryMeaning {
  const char* tree;  // as text, without casts between texts unless `is_strict`
  List* functions;   // that it calls and that are not the server's own
  bool is_strict;    // types count: a function sees of which types its arguments are
};

QueryMeaning MeaningOf(const Query* query);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_VIEW_TEXT_H_
