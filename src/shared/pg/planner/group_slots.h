// The tables that hold the rows of group states, and where in them the columns of a group are.
//
// Layer:   pg
// Sharing: immutable
// Errors:  raises
//
// Groups by one column of a common type have a table for that type, in which `k` is the column.
// All others are in one table: there `k` is an array of texts that identifies the group, and each
// column is in a slot of its type besides, so that it is compared and found as what it is.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_SLOTS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_SLOTS_H_

#include "shared/types.h"

struct List;
struct Node;

namespace tviews::pg {

// The name of the table that holds the states with this type of `k`; null: there is none.
const char* GroupTableFor(TypeId key_type);

// Chooses the slots of `keys`, a list of GroupKey*, and returns the type of `k`; 0: such keys
// cannot be kept. `has_texts`: the table with texts is needed.
TypeId AssignSlots(const List* keys, bool has_texts);

// True if equal values of this expression look the same.
bool IsExact(const Node* expr);

const char* SlotName(AttributeNumber slot);
TypeId SlotType(AttributeNumber slot);

// The text of `value`, of this type, that depends on no setting, and back.
char* EncodedText(const char* value, TypeId type);
char* DecodedText(const char* text, TypeId type);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_SLOTS_H_
