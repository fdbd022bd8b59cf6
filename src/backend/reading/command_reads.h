// Which commands may read TVIEWs below their own snapshot.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_BACKEND_READING_COMMAND_READS_H_
#define PG_TVIEWS_BACKEND_READING_COMMAND_READS_H_

#include <cstdint>

struct Node;
struct PlannedStmt;

namespace tviews::backend {

enum class Reading : std::uint8_t { kNo, kPerhaps, kYes };

// Of commands that run queries below their own snapshot, where it cannot be replaced any more.
Reading ReadingOf(const Node* statement);

// True of a query that calls functions which may read TVIEWs. Writers are not kept waiting for what
// their functions may read.
bool SelectsByFunctions(const PlannedStmt* plan);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_COMMAND_READS_H_
