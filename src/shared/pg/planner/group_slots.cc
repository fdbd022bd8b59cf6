#include "shared/pg/planner/group_slots.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "shared/pg/planner/group_level.h"
#include "shared/pg/server/image_equality.h"
#include "shared/pg/tables/columns.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include <nodes/primnodes.h>
#include <utils/builtins.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr AttributeNumber kFirstSlot = GroupRowColumn::kEnd;

struct Slot {
  const char* name;
  TypeId type;
};

// Of tviews_internal.pg_tview_groups_keys, from kFirstSlot on.
constexpr std::array kSlots = {
    Slot{"int4_1", INT4OID},
    Slot{"int4_2", INT4OID},
    Slot{"int4_3", INT4OID},
    Slot{"int8_1", INT8OID},
    Slot{"int8_2", INT8OID},
    Slot{"int8_3", INT8OID},
    Slot{"text_1", TEXTOID},
    Slot{"text_2", TEXTOID},
    Slot{"text_3", TEXTOID},
    Slot{"uuid_1", UUIDOID},
    Slot{"uuid_2", UUIDOID},
    Slot{"date_1", DATEOID},
    Slot{"date_2", DATEOID},
    Slot{"int2_1", INT2OID},
    Slot{"int2_2", INT2OID},
    Slot{"bool_1", BOOLOID},
    Slot{"bool_2", BOOLOID},
    Slot{"timestamp_1", TIMESTAMPOID},
    Slot{"timestamptz_1", TIMESTAMPTZOID},
    Slot{"numeric_1", NUMERICOID},
};

TypeId StoredAs(TypeId type) { return type == VARCHAROID ? TEXTOID : type; }

bool HasOwnTable(TypeId type) {
  return type == INT4OID || type == INT8OID || type == TEXTOID || type == UUIDOID;
}

}  // namespace

const char* GroupTableFor(TypeId key_type) {
  switch (key_type) {
    case INT4OID:
      return "pg_tview_groups_int4";
    case INT8OID:
      return "pg_tview_groups_int8";
    case TEXTOID:
      return "pg_tview_groups_text";
    case UUIDOID:
      return "pg_tview_groups_uuid";
    case TEXTARRAYOID:
      return "pg_tview_groups_keys";
    default:
      return nullptr;
  }
}

TypeId AssignSlots(const List* keys, bool has_texts) {
  if (keys == NIL) return has_texts ? TEXTARRAYOID : INT4OID;
  auto* const first = static_cast<GroupKey*>(linitial(keys));
  if (!has_texts && list_length(keys) == 1 && HasOwnTable(exprType(first->expr))) {
    first->slot = GroupRowColumn::kK;
    return exprType(first->expr);
  }
  std::array<bool, kSlots.size()> is_taken{};
  for (int i = 0; i < list_length(keys); ++i) {
    auto* const key = static_cast<GroupKey*>(list_nth(keys, i));
    std::size_t slot = 0;
    while (slot < kSlots.size() &&
           (is_taken[slot] || kSlots[slot].type != StoredAs(exprType(key->expr)))) {
      ++slot;
    }
    if (slot == kSlots.size()) return InvalidOid;
    is_taken[slot] = true;
    key->slot = static_cast<AttributeNumber>(kFirstSlot + slot);
  }
  return TEXTARRAYOID;
}

bool IsExact(const Node* expr) {
  // A column of numeric(10,2) has two digits in every row.
  if (exprType(expr) == NUMERICOID) return IsA(expr, Var) && exprTypmod(expr) >= 0;
  return IsImageEqual(exprType(expr), exprCollation(expr));
}

const char* SlotName(AttributeNumber slot) {
  return slot == GroupRowColumn::kK ? "k" : kSlots.at(slot - kFirstSlot).name;
}

TypeId SlotType(AttributeNumber slot) { return kSlots.at(slot - kFirstSlot).type; }

char* EncodedText(const char* value, TypeId type) {
  switch (type) {
    case TIMESTAMPTZOID:
      return psprintf("(to_jsonb((%s) AT TIME ZONE 'UTC') #>> '{}')", value);
    case DATEOID:
    case TIMESTAMPOID:
      return psprintf("(to_jsonb(%s) #>> '{}')", value);
    default:
      return psprintf("(%s)::text", value);
  }
}

char* DecodedText(const char* text, TypeId type) {
  if (type == TIMESTAMPTZOID) return psprintf("((%s)::timestamp AT TIME ZONE 'UTC')", text);
  return psprintf("(%s)::%s", text, format_type_be(type));
}

}  // namespace tviews::pg
