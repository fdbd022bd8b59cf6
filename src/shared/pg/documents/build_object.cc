// pg_tviews_build_object: jsonb_build_object, for documents of which many are computed.
//
// The server's function finds out anew for every row what each argument's type is and how it is
// written, and sorts the keys. This one does so once for each place in a query, and puts the object
// together from its parts. Where it cannot - keys that are no constants or come twice, values of
// composite types or arrays - it leaves the row to the server's.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "shared/pg/boundary/export.h"
#include "shared/pg/documents/jsonb_parts.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <nodes/primnodes.h>
#include <parser/parse_coerce.h>
#include <utils/builtins.h>
#include <utils/date.h>
#include <utils/fmgrprotos.h>
#include <utils/json.h>
#include <utils/lsyscache.h>
#include <utils/numeric.h>
#include <utils/timestamp.h>
#include <utils/uuid.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

extern "C" {
PG_FUNCTION_INFO_V1(tviews_build_object);
}
TVIEWS_EXPORT Datum tviews_build_object(PG_FUNCTION_ARGS);

namespace tviews::pg {
namespace {

constexpr int kUuidText = 36;

// How a value is written.
enum class Form : std::uint8_t {
  kBoolean,
  kInt2,
  kInt4,
  kInt8,
  kNumber,  // by way of its text: what is no number in JSON becomes a string
  kText,
  kCString,
  kUuid,
  kTime,
  kJsonb,
  kOutput,  // the text that its type writes
};

struct Member {
  const char* key;
  int key_length;
  int argument;  // of the value
  Oid type;
  Form form;
  FmgrInfo output;
  char uuid[kUuidText];
};

// What is known about one place in a query.
struct Site {
  int pairs;  // 0: the server's function is asked
  Member* members;
  JsonbPart* parts;  // keys, then values: those of the current row
};

std::optional<Form> FormOf(Oid type) {
  switch (type) {
    case BOOLOID:
      return Form::kBoolean;
    case INT2OID:
      return Form::kInt2;
    case INT4OID:
      return Form::kInt4;
    case INT8OID:
      return Form::kInt8;
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
      return Form::kNumber;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
      return Form::kText;
    case UNKNOWNOID:
      return Form::kCString;
    case UUIDOID:
      return Form::kUuid;
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return Form::kTime;
    case JSONBOID:
      return Form::kJsonb;
    case JSONOID:
    case InvalidOid:
    case ANYARRAYOID:
    case ANYCOMPATIBLEARRAYOID:
      return std::nullopt;
    default:
      break;
  }
  if (OidIsValid(get_element_type(type)) || type_is_rowtype(type)) return std::nullopt;
  if (type < FirstNormalObjectId) return Form::kOutput;
  Oid cast = InvalidOid;
  if (find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &cast) == COERCION_PATH_FUNC) {
    return std::nullopt;
  }
  return Form::kOutput;
}

// False if the key is not known beforehand.
bool ReadKey(const Node* argument, Member* member) {
  if (!IsA(argument, Const)) return false;
  const auto* const key = reinterpret_cast<const Const*>(argument);
  if (key->constisnull) return false;
  if (key->consttype == UNKNOWNOID) {
    member->key = DatumGetCString(key->constvalue);
    member->key_length = static_cast<int>(strlen(member->key));
    return true;
  }
  if (key->consttype != TEXTOID) return false;
  const text* const value = DatumGetTextPP(key->constvalue);
  member->key = VARDATA_ANY(value);
  member->key_length = static_cast<int>(VARSIZE_ANY_EXHDR(value));
  return true;
}

int CompareKeys(const Member& a, const Member& b) {
  if (a.key_length != b.key_length) return a.key_length < b.key_length ? -1 : 1;
  return memcmp(a.key, b.key, static_cast<std::size_t>(a.key_length));
}

bool ReadMember(FmgrInfo* function, const List* arguments, int place, Member* member) {
  if (!ReadKey(static_cast<const Node*>(list_nth(arguments, place)), member)) return false;
  member->argument = place + 1;
  member->type = get_fn_expr_argtype(function, place + 1);
  if (OidIsValid(member->type)) member->type = getBaseType(member->type);
  const std::optional<Form> form = FormOf(member->type);
  if (!form.has_value()) return false;
  member->form = *form;
  if (member->form == Form::kNumber || member->form == Form::kOutput) {
    Oid output = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(member->type, &output, &is_varlena);
    fmgr_info_cxt(output, &member->output, function->fn_mcxt);
  }
  return true;
}

// False if the server's function has to be asked.
bool ReadMembers(FmgrInfo* function, int arguments, Site* site) {
  const Node* const call = function->fn_expr;
  if (call == nullptr || !IsA(call, FuncExpr)) return false;
  const auto* const expression = reinterpret_cast<const FuncExpr*>(call);
  if (expression->funcvariadic || arguments % 2 != 0) return false;
  if (list_length(expression->args) != arguments) return false;
  const int pairs = arguments / 2;
  for (int i = 0; i < pairs; ++i) {
    if (!ReadMember(function, expression->args, 2 * i, &site->members[i])) return false;
  }
  std::sort(site->members, site->members + pairs,
            [](const Member& a, const Member& b) { return CompareKeys(a, b) < 0; });
  for (int i = 0; i < pairs; ++i) {
    const Member& member = site->members[i];
    if (i > 0 && CompareKeys(site->members[i - 1], member) == 0) return false;
    site->parts[i] = JsonbString(member.key, static_cast<std::uint64_t>(member.key_length));
  }
  site->pairs = pairs;
  return true;
}

Site* MakeSite(FunctionCallInfo call) {
  FmgrInfo* const function = call->flinfo;
  const auto pairs = static_cast<Size>(call->nargs / 2);
  MemoryContext const previous = MemoryContextSwitchTo(function->fn_mcxt);
  auto* const site = static_cast<Site*>(palloc0(sizeof(Site)));
  site->members = static_cast<Member*>(palloc0(sizeof(Member) * pairs));
  site->parts = static_cast<JsonbPart*>(palloc0(sizeof(JsonbPart) * 2 * pairs));
  ReadMembers(function, call->nargs, site);
  MemoryContextSwitchTo(previous);
  return site;
}

JsonbPart TextPart(const char* text) { return JsonbString(text, strlen(text)); }

JsonbPart NumberPart(Datum value, Member* member) {
  char* const text = OutputFunctionCall(&member->output, value);
  if (strpbrk(text, "Nn") != nullptr) return TextPart(text);
  return JsonbNumber(DirectFunctionCall3Coll(numeric_in, InvalidOid, CStringGetDatum(text),
                                             ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

JsonbPart IntegerPart(std::int64_t value) {
  return JsonbNumber(NumericGetDatum(int64_to_numeric(value)));
}

JsonbPart UuidPart(Datum value, Member* member) {
  constexpr char kDigits[] = "0123456789abcdef";
  char* place = member->uuid;
  for (int i = 0; i < UUID_LEN; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *place++ = '-';
    const unsigned char byte = DatumGetUUIDP(value)->data[i];
    *place++ = kDigits[byte >> 4];
    *place++ = kDigits[byte & 0xF];
  }
  return JsonbString(member->uuid, kUuidText);
}

JsonbPart ValuePart(Datum value, Member* member) {
  switch (member->form) {
    case Form::kBoolean:
      return JsonbBoolean(DatumGetBool(value));
    case Form::kInt2:
      return IntegerPart(DatumGetInt16(value));
    case Form::kInt4:
      return IntegerPart(DatumGetInt32(value));
    case Form::kInt8:
      return IntegerPart(DatumGetInt64(value));
    case Form::kNumber:
      return NumberPart(value, member);
    case Form::kText: {
      const text* const packed = DatumGetTextPP(value);
      return JsonbString(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
    }
    case Form::kCString:
      return TextPart(DatumGetCString(value));
    case Form::kUuid:
      return UuidPart(value, member);
    case Form::kTime:
      return TextPart(JsonEncodeDateTime(nullptr, value, member->type, nullptr));
    case Form::kJsonb:
      return JsonbMember(value);
    case Form::kOutput:
      break;
  }
  return TextPart(OutputFunctionCall(&member->output, value));
}

// 0: the server's function is asked, also for the message that an object is too large.
Datum BuildObject(FunctionCallInfo call) {
  auto* site = static_cast<Site*>(call->flinfo->fn_extra);
  if (site == nullptr) {
    site = MakeSite(call);
    call->flinfo->fn_extra = site;
  }
  if (site->pairs == 0) return 0;
  for (int i = 0; i < site->pairs; ++i) {
    Member* const member = &site->members[i];
    const NullableDatum& value = call->args[member->argument];
    site->parts[site->pairs + i] = value.isnull ? kJsonbNull : ValuePart(value.value, member);
  }
  return MakeJsonbObject(site->parts, static_cast<std::uint32_t>(site->pairs));
}

}  // namespace
}  // namespace tviews::pg

Datum tviews_build_object(PG_FUNCTION_ARGS) {
  const Datum object = tviews::pg::BuildObject(fcinfo);
  return object != 0 ? object : jsonb_build_object(fcinfo);
}
