#include "worker/feed/key_printer.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <executor/tuptable.h>
#include <fmgr.h>
#include <lib/stringinfo.h>
#include <utils/json.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct KeyPrinter {
  KeyAttributes key;
  const char* names[kMostKeyColumns];
  FmgrInfo print[kMostKeyColumns];
  bool is_number[kMostKeyColumns];
};

namespace {

bool IsNumber(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

void AppendJson(KeyPrinter* printer, int column, Datum value, StringInfo text) {
  const char* const printed = OutputFunctionCall(&printer->print[column], value);
  if (printer->is_number[column]) {
    appendStringInfoString(text, printed);
  } else {
    escape_json(text, printed);
  }
}

const char* ObjectOf(KeyPrinter* printer, const Datum* values) {
  StringInfoData text;
  initStringInfo(&text);
  for (int i = 0; i < printer->key.count; ++i) {
    appendStringInfoString(&text, i == 0 ? "{" : ", ");
    escape_json(&text, printer->names[i]);
    appendStringInfoString(&text, ": ");
    AppendJson(printer, i, values[i], &text);
  }
  appendStringInfoChar(&text, '}');
  return text.data;
}

bool ValuesIn(const KeyPrinter* printer, const TupleTableSlot* row, Datum* values) {
  for (int i = 0; i < printer->key.count; ++i) {
    const int column = printer->key.numbers[i] - 1;
    if (row->tts_isnull[column]) return false;
    values[i] = row->tts_values[column];
  }
  return true;
}

}  // namespace

KeyPrinter* PrepareKeyPrinter(RelationId tview, const KeyAttributes& key) {
  auto* const printer = static_cast<KeyPrinter*>(palloc0(sizeof(KeyPrinter)));
  printer->key = key;
  for (int i = 0; i < key.count; ++i) {
    const Oid type = get_atttype(tview, key.numbers[i]);
    Oid function = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(type, &function, &is_varlena);
    fmgr_info(function, &printer->print[i]);
    printer->names[i] = get_attname(tview, key.numbers[i], false);
    printer->is_number[i] = IsNumber(type);
  }
  return printer;
}

const char* TextOfKey(KeyPrinter* printer, const std::uintptr_t* values) {
  if (printer->key.count == 1) return OutputFunctionCall(&printer->print[0], values[0]);
  return ObjectOf(printer, values);
}

const char* TextOfKeyIn(KeyPrinter* printer, const TupleTableSlot* row) {
  Datum values[kMostKeyColumns];
  return ValuesIn(printer, row, values) ? TextOfKey(printer, values) : nullptr;
}

const char* JsonOfKey(KeyPrinter* printer, const TupleTableSlot* row) {
  Datum values[kMostKeyColumns];
  if (!ValuesIn(printer, row, values)) return nullptr;
  if (printer->key.count > 1) return ObjectOf(printer, values);
  StringInfoData text;
  initStringInfo(&text);
  AppendJson(printer, 0, values[0], &text);
  return text.data;
}

}  // namespace tviews::worker
