// The SQL-callable functions of a session: arguments in, one call, result out.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include <string>
#include <utility>
#include <vector>

#include "backend/capture/trigger_installation.h"
#include "backend/ddl/audit_log.h"
#include "backend/functions/function_values.h"
#include "backend/tview/adopt.h"
#include "backend/tview/create.h"
#include "backend/tview/drop.h"
#include "backend/tview/dropped.h"
#include "backend/tview/names.h"
#include "backend/tview/redefine.h"
#include "backend/tview/shadow.h"
#include "backend/tview/shadow_exchange.h"
#include "backend/tview/verify.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <fmgr.h>
#include <funcapi.h>
#include <utils/array.h>
#include <utils/builtins.h>

PG_FUNCTION_INFO_V1(tviews_adopt);
PG_FUNCTION_INFO_V1(tviews_convert_table);
PG_FUNCTION_INFO_V1(tviews_create);
PG_FUNCTION_INFO_V1(tviews_drop);
PG_FUNCTION_INFO_V1(tviews_install_statement_triggers);
PG_FUNCTION_INFO_V1(tviews_reinstall_triggers);
PG_FUNCTION_INFO_V1(tviews_replace);
PG_FUNCTION_INFO_V1(tviews_replace_cancel);
PG_FUNCTION_INFO_V1(tviews_replace_finish);
PG_FUNCTION_INFO_V1(tviews_restore_dropped);
PG_FUNCTION_INFO_V1(tviews_table);
PG_FUNCTION_INFO_V1(tviews_verify);
PG_FUNCTION_INFO_V1(tviews_uninstall_statement_triggers);
PG_FUNCTION_INFO_V1(tviews_version);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

using backend::OptionalText;
using backend::ReturnRows;
using backend::TextArgument;
using backend::TextResult;

TVIEWS_EXPORT Datum tviews_version(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return pg::Enter<Datum>(
      [] { return pg::CallFor([] { return CStringGetTextDatum(TVIEWS_VERSION); }); });
}

TVIEWS_EXPORT Datum tviews_create(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    backend::TviewRequest request;
    TVIEWS_ASSIGN_OR_RETURN(request.name, backend::ParseTviewName(entity));
    TVIEWS_ASSIGN_OR_RETURN(request.query, TextArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(request.key, OptionalText(fcinfo, 2));
    if (PG_NARGS() > 3) {  // not in an older version
      TVIEWS_RETURN_IF_ERROR(backend::CheckArgument(fcinfo, 3));
      request.with_no_data = PG_GETARG_BOOL(3);
    }
    TVIEWS_ASSIGN_OR_RETURN(const backend::CreatedTview created,
                            backend::CreateTview(std::move(request)));
    return TextResult(created.name);
  });
}

TVIEWS_EXPORT Datum tviews_drop(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_RETURN_IF_ERROR(backend::CheckArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const std::string dropped,
                            backend::DropTview(entity, PG_GETARG_BOOL(1)));
    return TextResult(dropped);
  });
}

TVIEWS_EXPORT Datum tviews_table(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const tviews::RelationId tview, backend::FindTview(entity));
    return ObjectIdGetDatum(tview);
  });
}

TVIEWS_EXPORT Datum tviews_verify(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::SqlRow> differences,
                            backend::VerifyTview(entity));
    TVIEWS_RETURN_IF_ERROR(ReturnRows(fcinfo, differences));
    return Datum{0};
  });
}

// The second argument may be null: the query that it had.
TVIEWS_EXPORT Datum tviews_restore_dropped(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string query, OptionalText(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, backend::RestoreDropped(entity, query));
    return TextResult(name);
  });
}

TVIEWS_EXPORT Datum tviews_replace(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string query, TextArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const std::string key, OptionalText(fcinfo, 3));
    bool is_online = false;
    if (PG_NARGS() > 2) {  // not in an older version
      TVIEWS_RETURN_IF_ERROR(backend::CheckArgument(fcinfo, 2));
      is_online = PG_GETARG_BOOL(2);
    }
    if (is_online) {
      TVIEWS_ASSIGN_OR_RETURN(const std::string begun,
                              backend::BeginReplacement(entity, query, key));
      return TextResult(begun);
    }
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, backend::ReplaceTview(entity, query, key));
    return TextResult(name);
  });
}

TVIEWS_EXPORT Datum tviews_replace_finish(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, backend::FinishReplacement(entity));
    return TextResult(name);
  });
}

TVIEWS_EXPORT Datum tviews_replace_cancel(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, backend::CancelReplacement(entity));
    return TextResult(name);
  });
}

TVIEWS_EXPORT Datum tviews_convert_table(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string table, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string key, OptionalText(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, backend::ConvertTable(table, key));
    return TextResult(name);
  });
}

TVIEWS_EXPORT Datum tviews_reinstall_triggers(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return pg::Enter<Datum>([]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(backend::RecordAction("REINSTALL TRIGGERS", "", {}));
    TVIEWS_ASSIGN_OR_RETURN(const int tables, backend::ReinstallCaptureTriggers());
    return Int32GetDatum(tables);
  });
}

TVIEWS_EXPORT Datum tviews_install_statement_triggers(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return pg::Enter<Datum>([]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(backend::RecordAction("INSTALL STATEMENT TRIGGERS", "", {}));
    TVIEWS_ASSIGN_OR_RETURN(const int tables, backend::InstallStatementTriggers());
    return Int32GetDatum(tables);
  });
}

TVIEWS_EXPORT Datum tviews_uninstall_statement_triggers(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return pg::Enter<Datum>([]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(backend::RecordAction("UNINSTALL STATEMENT TRIGGERS", "", {}));
    TVIEWS_ASSIGN_OR_RETURN(const int tables, backend::UninstallStatementTriggers());
    return Int32GetDatum(tables);
  });
}

TVIEWS_EXPORT Datum tviews_adopt(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const backend::Adoption adoption, backend::AdoptTviews());
    return pg::CallFor([&] {
      TupleDesc descriptor = nullptr;
      get_call_result_type(fcinfo, nullptr, &descriptor);
      const int count = static_cast<int>(adoption.reasons.size());
      Datum* const reasons = static_cast<Datum*>(palloc0(sizeof(Datum) * (count + 1)));
      for (int i = 0; i < count; ++i) reasons[i] = CStringGetTextDatum(adoption.reasons[i].c_str());
      ArrayType* const texts = construct_array(reasons, count, TEXTOID, -1, false, TYPALIGN_INT);
      Datum values[] = {Int32GetDatum(adoption.adopted), Int32GetDatum(adoption.pending),
                        PointerGetDatum(texts)};
      bool nulls[] = {false, false, false};
      return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
    });
  });
}
