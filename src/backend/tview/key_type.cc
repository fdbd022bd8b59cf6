#include "backend/tview/key_type.h"

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/stratnum.h>
#include <catalog/pg_am.h>
#include <catalog/pg_operator.h>
#include <commands/defrem.h>
#include <nodes/makefuncs.h>
#include <nodes/value.h>
#include <parser/parse_oper.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr const char* kOperators[BTMaxStrategyNumber] = {"<", "<=", "=", ">=", ">"};

// A btree entry holds 2704 bytes.
constexpr std::int32_t kLongestEntry = 2000;

// What the default btree operator class of `type` lacks, or null. The type cache looks into
// arrays, ranges and composite types: their class is there whatever they are made of.
const char* MissingInOrder(Oid type) {
  const Oid operator_class = GetDefaultOpClass(type, BTREE_AM_OID);
  if (!OidIsValid(operator_class)) return "operator class";
  const Oid family = get_opclass_family(operator_class);
  const Oid input = get_opclass_input_type(operator_class);
  for (int i = 0; i < BTMaxStrategyNumber; ++i) {
    const int16 strategy = static_cast<int16>(i + 1);
    if (!OidIsValid(get_opfamily_member(family, input, input, strategy))) return kOperators[i];
  }
  const TypeCacheEntry* const entry = lookup_type_cache(type, TYPECACHE_CMP_PROC);
  return OidIsValid(entry->cmp_proc) ? nullptr : "comparison function";
}

// Statements call operators by name. With implicit casts of users' the name can mean several, and
// the server refuses to choose: as it does in statements of users. True for the operator of
// `strategy`.
bool IsAmbiguous(Oid type, int16 strategy) {
  const Oid operator_class = GetDefaultOpClass(type, BTREE_AM_OID);
  const Oid input = get_opclass_input_type(operator_class);
  const Oid meant = get_opfamily_member(get_opclass_family(operator_class), input, input, strategy);
  HeapTuple row = SearchSysCache1(OPEROID, ObjectIdGetDatum(meant));
  if (!HeapTupleIsValid(row)) return false;
  const Form_pg_operator form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(row));
  List* const name = list_make2(makeString(get_namespace_name(form->oprnamespace)),
                                makeString(pstrdup(NameStr(form->oprname))));
  ReleaseSysCache(row);
  Operator const found = oper(nullptr, name, type, type, true, -1);
  if (found == nullptr) return true;
  const bool is_another = oprid(found) != meant;
  ReleaseSysCache(found);
  return is_another;
}

// Fits into a btree entry whatever the value is.
bool IsShort(Oid type, int32 modifier) {
  if (get_typlen(type) > 0) return true;
  const Oid base = getBaseTypeAndTypmod(type, &modifier);
  const int32 longest = type_maximum_size(base, modifier);
  return longest > 0 && longest <= kLongestEntry;
}

// Hashing goes through all values of a type, or there is no function for it.
bool CanBeHashed(Oid type) {
  return OidIsValid(GetDefaultOpClass(type, HASH_AM_OID)) &&
         OidIsValid(lookup_type_cache(type, TYPECACHE_HASH_PROC)->hash_proc);
}

const char* MethodFor(Oid type, int32 modifier) {
  if (IsShort(type, modifier) && MissingInOrder(type) == nullptr) return "btree";
  return CanBeHashed(type) ? "hash" : "";
}

}  // namespace

absl::Status CheckKeyType(const std::string& column, TypeId type) {
  const char* missing = nullptr;
  const char* name = nullptr;
  bool has_class = false;
  bool is_ambiguous = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    missing = MissingInOrder(type);
    is_ambiguous = missing == nullptr && (IsAmbiguous(type, BTEqualStrategyNumber) ||
                                          IsAmbiguous(type, BTGreaterStrategyNumber));
    has_class = OidIsValid(GetDefaultOpClass(type, BTREE_AM_OID));
    name = format_type_be(type);
  }));
  const std::string key = "key column \"" + column + "\" has type " + name;
  if (is_ambiguous) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = key + ", whose operators are ambiguous",
                          .detail = "With the implicit casts of the type, = or > between two keys "
                                    "can mean more than one operator.",
                          .hint = "Make the casts AS ASSIGNMENT, or use a key of another type.",
                          .sqlstate = "42725"});
  }
  if (missing == nullptr) return absl::OkStatus();
  if (!has_class) {
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = key + ", which has no order",
         .detail = "The key becomes the primary key of the TVIEW.",
         .hint = "Use a key of a type with a default btree operator class, such as bigint or uuid.",
         .sqlstate = "42704"});
  }
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = key + ", whose order is incomplete",
       .detail = "Its default btree operator class, or that of a type in it, has no " +
                 std::string(missing) + ". Keys are found and compared by it.",
       .hint = "Complete the operator class, or use a key of another type, such as bigint or uuid.",
       .sqlstate = "42704"});
}

absl::StatusOr<std::string> LookupIndexMethod(TypeId type, std::int32_t type_modifier) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const method,
                          pg::CallFor([&] { return MethodFor(type, type_modifier); }));
  return std::string(method);
}

}  // namespace tviews::backend
