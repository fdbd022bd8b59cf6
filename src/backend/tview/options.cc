#include "backend/tview/options.h"

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/ddl/audit_log.h"
#include "backend/tview/facts.h"
#include "backend/tview/function_reads.h"
#include "backend/tview/group_states.h"
#include "backend/tview/lanes.h"
#include "backend/tview/metadata.h"
#include "backend/tview/stored_lineage.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <commands/defrem.h>
#include <commands/tablecmds.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <storage/lockdefs.h>
#include <utils/acl.h>
#include <utils/fmgrprotos.h>
#include <utils/guc.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::StatusOr<std::string> Text(const DefElem* option) {
  TVIEWS_ASSIGN_OR_RETURN(const char* value, pg::CallFor([&]() -> const char* {
                            if (option->arg == nullptr) return "true";
                            return defGetString(const_cast<DefElem*>(option));
                          }));
  return std::string(value);
}

absl::Status InvalidValue(const std::string& name, const std::string& value,
                          const std::string& hint) {
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = "invalid value for parameter \"pg_tviews." + name + "\": \"" + value + "\"",
       .hint = hint});
}

absl::Status Unrecognized(const std::string& name) {
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = "unrecognized parameter \"pg_tviews." + name + "\"",
       .hint = "The parameters that can be changed are pg_tviews.notify, pg_tviews.feed, "
               "pg_tviews.refresh_timeout, pg_tviews.refresh_memory, pg_tviews.function_reads, "
               "pg_tviews.clock_period, pg_tviews.group_state, pg_tviews.lane, "
               "pg_tviews.lag_target, and the settings that a TVIEW keeps, such as "
               "pg_tviews.timezone."});
}

bool IsLimit(std::string_view name) {
  return name == "refresh_timeout" || name == "refresh_memory";
}

// A number in the unit of the setting of the same name.
absl::StatusOr<std::string> LimitAsJson(const std::string& name, const DefElem* option) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string text, Text(option));
  const bool is_time = name == "refresh_timeout";
  int limit = 0;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_number, pg::CallFor([&] {
                            return parse_int(text.c_str(), &limit,
                                             is_time ? GUC_UNIT_MS : GUC_UNIT_KB, nullptr);
                          }));
  if (is_number && limit >= 0) return absl::StrCat("\"", name, "\": ", limit);
  return InvalidValue(name, text,
                      is_time ? "It is a time, such as '5min', or 0 for no limit."
                              : "It is an amount of memory, such as '2GB', or 0 for no limit.");
}

// An interval, because it is longer than what settings are given in.
absl::StatusOr<std::string> ClockPeriodAsJson(const DefElem* option) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string text, Text(option));
  const absl::StatusOr<Interval*> read = pg::CallFor([&] {
    return DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(text.c_str()),
                                                 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
  if (!read.ok() && !pg::HasSqlState(read.status(), "22")) return read.status();
  constexpr std::int64_t kMostDays = 366;
  const Interval* const interval = read.ok() ? *read : nullptr;
  const bool is_possible = interval != nullptr && interval->month == 0 && interval->day >= 0 &&
                           interval->day <= kMostDays && interval->time >= 0 &&
                           interval->time <= kMostDays * USECS_PER_DAY;
  const std::int64_t period = is_possible ? interval->day * USECS_PER_DAY + interval->time : 0;
  if (period >= USECS_PER_SEC) return absl::StrCat("\"clock_period\": ", period / 1000);
  return InvalidValue("clock_period", text,
                      "It is an interval of a second to a year, without months, such as "
                      "'1 minute'.");
}

bool IsChange(const AlterTableCmd* command) {
  return command->subtype == AT_SetRelOptions || command->subtype == AT_ResetRelOptions;
}

List* OptionsOf(const AlterTableCmd* command) {
  return IsChange(command) ? reinterpret_cast<List*>(command->def) : nullptr;
}

// How many options there are, and how many of them are ours.
void CountOptions(const AlterTableStmt* statement, int* all, int* ours) {
  *all = *ours = 0;
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    const List* const options = OptionsOf(command);
    *all += IsChange(command) ? list_length(options) : 1;
    for (int k = 0; k < list_length(options); ++k) {
      *ours += IsTviewOption(static_cast<DefElem*>(list_nth(options, k))) ? 1 : 0;
    }
  }
}

// A JSON object of what is set, and the names of what is reset.
struct Changes {
  std::string set;
  std::string reset;
  DefinitionSettings settings;  // of the server
  bool changes_lineage = false;
  bool changes_groups = false;
  std::optional<std::string> lane;  // to move to
};

// Reset is what a new TVIEW would get: the session's value.
absl::Status ReadSetting(const char* name, const DefElem* option, bool is_set, Changes* changes) {
  std::string value;
  if (is_set) {
    TVIEWS_ASSIGN_OR_RETURN(value, Text(option));
  } else {
    TVIEWS_ASSIGN_OR_RETURN(const char* const present,
                            pg::CallFor([name] { return GetConfigOption(name, false, false); }));
    value = present;
  }
  changes->settings.push_back({.name = name, .value = std::move(value)});
  return absl::OkStatus();
}

absl::Status ReadChange(const DefElem* option, bool is_set, Changes* changes) {
  const std::string name = option->defname;
  if (const char* const setting = pg::DefinitionSettingNamed(name)) {
    return ReadSetting(setting, option, is_set, changes);
  }
  if (name == "lane") {
    changes->lane = kMainLane;
    if (is_set) {
      TVIEWS_ASSIGN_OR_RETURN(changes->lane, Text(option));
      return LaneAsJson(*changes->lane).status();
    }
    return absl::OkStatus();
  }
  const bool is_of_lineage = name == "function_reads" || name == "clock_period";
  const bool is_of_groups = name == "group_state";
  if (name != "notify" && name != "feed" && name != "lag_target" && !IsLimit(name) &&
      !is_of_lineage && !is_of_groups) {
    return Unrecognized(name);
  }
  changes->changes_lineage |= is_of_lineage;
  changes->changes_groups |= is_of_groups;
  if (!is_set) {
    absl::StrAppend(&changes->reset, changes->reset.empty() ? "" : ",", name);
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string member, TviewOptionAsJson(option));
  absl::StrAppend(&changes->set, changes->set.empty() ? "" : ", ", member);
  return absl::OkStatus();
}

bool IsSame(const DefElem* one, const DefElem* other) {
  return IsTviewOption(other) && std::strcmp(one->defname, other->defname) == 0;
}

}  // namespace

absl::Status CheckIsOnce(const List* options, int place) {
  const auto* const option = static_cast<const DefElem*>(list_nth(options, place));
  for (int i = 0; i < place; ++i) {
    if (!IsSame(option, static_cast<const DefElem*>(list_nth(options, i)))) continue;
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = absl::StrCat("parameter \"pg_tviews.", option->defname,
                                                  "\" specified more than once")});
  }
  return absl::OkStatus();
}

namespace {

absl::StatusOr<Changes> ReadChanges(const AlterTableStmt* statement) {
  Changes changes;
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    const List* const options = OptionsOf(command);
    for (int k = 0; k < list_length(options); ++k) {
      TVIEWS_RETURN_IF_ERROR(CheckIsOnce(options, k));
      TVIEWS_RETURN_IF_ERROR(ReadChange(static_cast<DefElem*>(list_nth(options, k)),
                                        command->subtype == AT_SetRelOptions, &changes));
    }
  }
  return changes;
}

// The TVIEW, locked against other DDL but not against batches; 0 if it may be missing and is.
absl::StatusOr<RelationId> LockTview(const AlterTableStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([&]() -> RelationId {
                            return RangeVarGetRelidExtended(
                                statement->relation, ShareUpdateExclusiveLock,
                                statement->missing_ok ? RVR_MISSING_OK : 0,
                                RangeVarCallbackOwnsRelation, nullptr);
                          }));
  if (relation == 0) return relation;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (is_tview) return relation;
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = absl::StrCat("\"", statement->relation->relname, "\" is not a TVIEW"),
       .sqlstate = "42809"});
}

// The documents are computed anew.
absl::Status ChangeSettings(RelationId tview, const DefinitionSettings& changes) {
  if (changes.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  DefinitionSettings settings = facts.settings;
  if (settings.empty()) {
    TVIEWS_ASSIGN_OR_RETURN(settings, pg::SettingsInForce());
  }
  for (const DefinitionSetting& change : changes) {
    TVIEWS_ASSIGN_OR_RETURN(settings, pg::ChangeSetting(settings, change.name, change.value));
  }
  TVIEWS_RETURN_IF_ERROR(ReplaceSettings(tview, settings));
  return NoteTview(tview);
}

// As they are recorded.
std::string SettingsText(const DefinitionSettings& settings) {
  std::string text;
  for (const DefinitionSetting& setting : settings) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", setting.name, " = ",
                    QuoteLiteral(setting.value));
  }
  return text;
}

}  // namespace

bool IsTviewOption(const DefElem* option) {
  return option->defnamespace != nullptr && std::strcmp(option->defnamespace, "pg_tviews") == 0;
}

absl::StatusOr<std::string> TviewOptionAsJson(const DefElem* option) {
  const std::string_view name = option->defname;
  if (name == "notify") {
    TVIEWS_ASSIGN_OR_RETURN(
        const bool is_on, pg::CallFor([&] { return defGetBoolean(const_cast<DefElem*>(option)); }));
    return std::string(is_on ? "\"notify\": true" : "\"notify\": false");
  }
  if (name == "feed") {
    TVIEWS_ASSIGN_OR_RETURN(const std::string value, Text(option));
    if (value != "off" && value != "keys" && value != "data") {
      return InvalidValue("feed", value, "It is off, keys or data.");
    }
    return "\"feed\": \"" + value + "\"";
  }
  if (IsLimit(name)) return LimitAsJson(std::string(name), option);
  if (name == "function_reads") {
    TVIEWS_ASSIGN_OR_RETURN(const std::string value, Text(option));
    return FunctionReadsAsJson(value);
  }
  if (name == "clock_period") return ClockPeriodAsJson(option);
  if (name == "lane" || name == "lag_target") {
    TVIEWS_ASSIGN_OR_RETURN(const std::string value, Text(option));
    return name == "lane" ? LaneAsJson(value) : LagTargetAsJson(value);
  }
  if (name == "group_state") {
    TVIEWS_ASSIGN_OR_RETURN(const std::string value, Text(option));
    if (value != "on" && value != "off" && value != "auto") {
      return InvalidValue("group_state", value, "It is on, off or auto.");
    }
    return "\"group_state\": \"" + value + "\"";
  }
  return std::string();
}

absl::StatusOr<bool> AlterTviewOptions(const Node* statement) {
  if (!IsA(statement, AlterTableStmt)) return false;
  const auto* const alter = reinterpret_cast<const AlterTableStmt*>(statement);
  int all = 0;
  int ours = 0;
  CountOptions(alter, &all, &ours);
  if (ours == 0) return false;
  TVIEWS_ASSIGN_OR_RETURN(const Oid schema, pg::ExtensionSchema());
  if (schema == InvalidOid) return false;
  if (ours != all) {
    return pg::MakeError(absl::StatusCode::kUnimplemented,
                         {.message = "parameters of pg_tviews cannot be changed together with "
                                     "other properties of the table",
                          .hint = "Use an ALTER TABLE for each."});
  }
  TVIEWS_ASSIGN_OR_RETURN(const Changes changes, ReadChanges(alter));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, LockTview(alter));
  if (tview == 0) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(NOTICE,
              (errmsg("relation \"%s\" does not exist, skipping", alter->relation->relname)));
    }));
    return true;
  }
  TVIEWS_RETURN_IF_ERROR(ChangeOptions(tview, "{" + changes.set + "}", "{" + changes.reset + "}"));
  TVIEWS_RETURN_IF_ERROR(changes.lane.has_value() ? MoveToLane(tview, *changes.lane)
                                                  : CheckLane(tview));
  if (absl::StrContains(changes.set, "\"lag_target\"")) {
    TVIEWS_RETURN_IF_ERROR(TellOfSharedTarget(tview));
  }
  TVIEWS_RETURN_IF_ERROR(ChangeSettings(tview, changes.settings));
  if (changes.changes_lineage) {
    TVIEWS_RETURN_IF_ERROR(RederiveLineage(tview));
    TVIEWS_RETURN_IF_ERROR(NoteTview(tview));
  }
  if (changes.changes_groups || changes.lane.has_value()) {
    TVIEWS_RETURN_IF_ERROR(ChooseGroupStates(tview, alter->relation->relname));
  }
  TVIEWS_RETURN_IF_ERROR(RecordActionOn("ALTER", tview,
                                        {{"command", "ALTER TABLE"},
                                         {"set", "{" + changes.set + "}", AuditDetail::kJson},
                                         {"reset", changes.reset},
                                         {"lane", changes.lane.value_or("")},
                                         {"settings", SettingsText(changes.settings)}}));
  return true;
}

}  // namespace tviews::backend
