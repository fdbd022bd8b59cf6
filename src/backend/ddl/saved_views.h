// Views whose queries are kept as text while a command changes the types of what they read, and
// made again afterwards.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status
//
// The server refuses to change the type of a column that a view uses, because it cannot change the
// view's query. Its text can be read again: names and casts that were not written down are found
// anew, for the new types, and so are the types of the output columns. The view keeps its OID, and
// with it its owner, privileges, comments and whatever depends on it.
//
// Text is printed and read as the view's owner in a security-restricted operation, with settings
// under which nothing is lost between the two. Reading it runs no function of users; what it finds
// now and had not found before has to be the owner's or a superuser's, unless who gives the command
// may act as the owner.

#ifndef PG_TVIEWS_BACKEND_DDL_SAVED_VIEWS_H_
#define PG_TVIEWS_BACKEND_DDL_SAVED_VIEWS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/types.h"

struct List;

namespace tviews::backend {

// Plain bytes, in the memory context that was current: carried across the command.
struct SavedView {
  RelationId view;
  RelationId tview;  // whose backing view it is, or 0
  RoleId owner;
  const char* text;
  const char* meaning;  // the same for two texts that return the same rows
  List* functions;      // that it calls and that are not the server's own
};

// REQUIRES: the view is locked, so that nobody replaces it meanwhile.
absl::StatusOr<SavedView> SaveView(RelationId view, RelationId tview);

// As `owner` of a view, with settings under which its text is read as it was printed.
absl::StatusOr<pg::UserScope> AsViewOwner(RoleId owner);

// True if what `owner` has defined may come to use an object of `other` by a command of the current
// user.
absl::StatusOr<bool> MayUseObjectsOf(RoleId owner, RoleId other);

struct RestoredView {
  bool has_other_meaning = false;  // its rows may differ although nothing that it reads does
  std::vector<AttributeNumber> retyped;
};

// True if the view's text, read as things are now, returns columns of the types that the view has.
absl::StatusOr<bool> KeepsColumns(const SavedView& saved);

// Makes the view again from its text, and gives its columns the types that follow from it.
absl::StatusOr<RestoredView> RestoreView(const SavedView& saved);

// Lets the server forget that the view uses columns of `relation`, until RestoreView.
absl::Status ReleaseColumns(RelationId view, RelationId relation);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_SAVED_VIEWS_H_
