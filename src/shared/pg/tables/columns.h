// The columns of the extension's own tables that code reads or writes by number.
//
// Layer:   pg
// Sharing: immutable
// Errors:  cannot fail
//
// Numbers are attribute numbers, so kCount, the last one, is one more than there are columns.
// scripts/check_columns compares them with sql/parts: all columns of a table, in their order.

#ifndef PG_TVIEWS_SHARED_PG_TABLES_COLUMNS_H_
#define PG_TVIEWS_SHARED_PG_TABLES_COLUMNS_H_

#include <cstddef>

#include "shared/types.h"

namespace tviews::pg {

// pg_tview_meta
struct MetaColumn {
  enum : AttributeNumber {
    kTview = 1,
    kEntity,
    kBackingView,
    kKeyColumn,
    kDefinition,
    kDependencies,
    kDependencyPaths,
    kNestedViews,
    kKeyIsNotNull,
    kState,
    kFillSnapshot,
    kFillCreator,
    kSystemIdentifier,
    kDatabaseOid,
    kOptions,
    kCreatedAt,
    kViewRules,
    kExchangedBy,
    kKeyColumns,
    kEnd
  };
};

// pg_tview_lineage
struct LineageColumn {
  enum : AttributeNumber {
    kTview = 1,
    kSource,
    kPath,
    kStrategy,
    kCaptured,
    kRelevant,
    kLookup,
    kDescription,
    kPart,
    kFilters,
    kEnd
  };
};

// pg_tview_outbox
struct OutboxColumn {
  enum : AttributeNumber { kPayload = 1, kEnd };
};

// pg_tview_frontier
struct FrontierColumn {
  enum : AttributeNumber {
    kId = 1,
    kSnapshot,
    kAppliedAt,
    kBatches,
    kRecords,
    kRowsInserted,
    kRowsUpdated,
    kRowsDeleted,
    kRowsUnchanged,
    kFullRefreshes,
    kClock,
    kLane,
    kEnd
  };
};

// pg_tview_lane_owed
struct LaneOwedColumn {
  enum : AttributeNumber { kLane = 1, kId, kSnapshot, kPayload, kWrittenAt, kEnd };
};

// pg_tview_dead_letter
struct DeadLetterColumn {
  enum : AttributeNumber {
    kTview = 1,
    kKey,
    kSqlstate,
    kError,
    kAttempts,
    kFirstSeen,
    kLastSeen,
    kKeyHash,
    kKeyImage,
    kEnd
  };
};

// pg_tview_performance_log
struct PerformanceLogColumn {
  enum : AttributeNumber {
    kLoggedAt = 1,
    kEntity,
    kTview,
    kRefreshDurationMs,
    kKeys,
    kRowsInserted,
    kRowsUpdated,
    kRowsDeleted,
    kRowsUnchanged,
    kFullRefresh,
    kErrors,
    kLagMs,
    kId,
    kEnd
  };
};

// pg_tview_feed
struct FeedColumn {
  enum : AttributeNumber {
    kPosition = 1,
    kTview,
    kEntity,
    kKey,
    kId,
    kOperation,
    kFrontier,
    kChangedAt,
    kOldData,
    kNewData,
    kEnd
  };
};

// pg_tview_fill
struct FillColumn {
  enum : AttributeNumber {
    kTview = 1,
    kInOneGo,
    kMark,
    kMarkTypes,
    kRowsDone,
    kRowsExpected,
    kSlices,
    kRestarts,
    kCreatedAt,
    kStartedAt,
    kCompletedAt,
    kCompletedBy,
    kEnd
  };
};

// pg_tview_group_state
struct GroupStateColumn {
  enum : AttributeNumber {
    kId = 1,
    kTview,
    kSource,
    kLevel,
    kKeyType,
    kSums,
    kExtremes,
    kSpec,
    kBody,
    kPlaces,
    kMerged,
    kRenewed,
    kAdded,
    kValued,
    kCounted,
    kEnd
  };
};

// pg_tview_group_source
struct GroupSourceColumn {
  enum : AttributeNumber { kState = 1, kSource, kPlace, kColumns, kEnd };
};

// Those for keys of other types have the same:
// pg_tview_groups_int4
struct GroupRowColumn {
  enum : AttributeNumber { kState = 1, kK, kC, kN, kP, kM, kEnd };
};

// The arrays of a row that is formed: [place(column)].
constexpr std::size_t place(AttributeNumber column) { return static_cast<std::size_t>(column) - 1; }

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_COLUMNS_H_
