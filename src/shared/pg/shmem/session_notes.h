// What each process has under way that no table shows yet: changes that an open transaction has
// captured, a TVIEW that is being created, and a wait for TVIEWs that are to be read.
//
// Layer:   pg
// Sharing: shared memory; each process writes its own note, everybody reads
// Errors:  cannot fail
//
// clang-format off
// field               written by    read by       under
// *.version           its process   monitoring    atomic; odd while the rest is not to be read
// wait.others_us      its process,  its process   atomic
//                     the applier
// everything else     its process   monitoring,   atomics; names are valid if `version` did not move
//                                   the applier
// clang-format on
//
// (1) A note is there from the first change, or the beginning of the work, until the transaction
//     ends, whatever its end is.
// (2) Counting one more change costs three plain stores.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_SESSION_NOTES_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_SESSION_NOTES_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shared/shared_counter.h"
#include "shared/shared_field.h"
#include "shared/types.h"

namespace tviews::pg {

// Relations that a note of changes can name; further ones are not listed.
inline constexpr int kNotedRelations = 32;

struct ChangesNote {
  SharedFlag version;
  SharedNumber pid;  // 0: nothing is noted
  Shared<DatabaseId> database;
  Shared<FullXid> xid;
  SharedCounter keys;
  Shared<Timestamp> changed_at;  // start of the statement that changed something last
  SharedNumber relation_count;
  Shared<RelationId> relations[kNotedRelations];
};

enum class CreationPhase : std::int32_t { kLocking, kFilling, kIndexing, kAnalyzing };

struct CreationNote {
  SharedFlag version;
  SharedNumber pid;  // 0: nothing is noted
  Shared<DatabaseId> database;
  SharedNumber phase;  // CreationPhase
  SharedCounter rows_done;
  SharedCounter rows_expected;  // the planner's estimate; 0: not known yet
  Shared<Timestamp> started_at;
  char entity[64] TVIEWS_SHARED(versioned);
};

// TVIEWs that a note of a wait can name.
inline constexpr int kWaitedFor = 8;

struct WaitNote {
  SharedFlag version;
  SharedNumber pid;  // 0: nothing is noted
  Shared<DatabaseId> database;
  Shared<Timestamp> since;
  SharedCounter others_us;   // of it, while the batch was at TVIEWs that these do not need
  SharedNumber tview_count;  // 0: all, or more than have a place
  Shared<RelationId> tviews[kWaitedFor];
};

struct SessionNote {
  ChangesNote changes;
  CreationNote creation;
  WaitNote wait;
};

static_assert(std::is_trivially_copyable_v<SessionNote>);

namespace session_notes {

std::size_t MemorySize();  // of zeroed memory that is a table without notes

// This process has captured a change of `relation`; `keys` of its transaction's changes are noted.
void NoteChange(RelationId relation, std::size_t keys) noexcept;
// Another number of them: a savepoint was rolled back.
void NoteKeys(std::size_t keys) noexcept;

void BeginCreation(const char* entity) noexcept;
void SetPhase(CreationPhase phase) noexcept;
void ExpectRows(double rows) noexcept;
void CountRows(std::size_t rows) noexcept;
void EndCreation() noexcept;

// This process waits for `count` TVIEWs; for all, where there are more than a note can name.
void BeginWait(const RelationId* tviews, int count) noexcept;
// Ends the wait, and copies what the note was; false if there is none.
bool EndWait(WaitNote* copy) noexcept;
// The wait at `place` has lasted so much longer because of a TVIEW that it does not need.
void ChargeWait(int place, std::uint64_t microseconds) noexcept;

// The transaction has ended, or its changes are in the queue.
void Clear() noexcept;

// Copies the note of a process if it is there and complete. `place` is below size().
int size();
bool Copy(int place, ChangesNote* copy) noexcept;
bool Copy(int place, CreationNote* copy) noexcept;
bool Copy(int place, WaitNote* copy) noexcept;

// True if it is a wait for `tview` by its name.
bool Names(const WaitNote& note, RelationId tview) noexcept;

}  // namespace session_notes
}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_SESSION_NOTES_H_
