#include "shared/pg/shmem/session_notes.h"

#include <algorithm>
#include <cstring>

#include "shared/pg/shmem/shmem.h"
#include "shared/row_estimate.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <miscadmin.h>
#include <storage/proc.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg::session_notes {
namespace {

// Attempts to copy a note that is being changed before it is taken for gone.
constexpr int kAttempts = 100;

// What this process knows of its own note, so that an unchanged one costs nothing.
bool has_changes = false;
bool has_creation = false;
bool has_wait = false;
RelationId last_relation = 0;

SessionNote& Mine() { return SessionNotes()[compat::NumberOfMyProc()]; }

template <typename Note>
void Begin(Note* note) {
  note->version.Add(1);
  note->pid.Store(MyProcPid);
  note->database.Store(MyDatabaseId);
}

template <typename Note>
void End(Note* note) {
  note->version.Add(1);
  note->pid.Store(0);
  note->version.Add(1);
}

void BeginChanges(ChangesNote* note) {
  Begin(note);
  note->xid.Store(U64FromFullTransactionId(GetTopFullTransactionIdIfAny()));
  note->keys.Store(0);
  note->relation_count.Store(0);
  note->version.Add(1);
  has_changes = true;
  last_relation = 0;
}

void AddRelation(ChangesNote* note, RelationId relation) {
  last_relation = relation;
  const int count = note->relation_count.Load();
  if (count == kNotedRelations) return;
  for (int i = 0; i < count; ++i) {
    if (note->relations[i].Load() == relation) return;
  }
  note->relations[count].Store(relation);
  note->relation_count.Store(count + 1);
}

template <typename Note>
bool CopyNote(const Note& note, Note* copy) {
  for (int i = 0; i < kAttempts; ++i) {
    const std::uint32_t version = note.version.Load();
    if (note.pid.Load() == 0) return false;
    std::memcpy(static_cast<void*>(copy), &note, sizeof(note));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (version % 2 == 0 && note.version.Load() == version) return copy->pid.Load() != 0;
  }
  return false;
}

}  // namespace

int size() { return MaxBackends; }

std::size_t MemorySize() { return sizeof(SessionNote) * static_cast<std::size_t>(MaxBackends); }

void NoteChange(RelationId relation, std::size_t keys) noexcept {
  ChangesNote& note = Mine().changes;
  if (!has_changes) BeginChanges(&note);
  if (relation != last_relation) AddRelation(&note, relation);
  note.changed_at.StoreRelaxed(GetCurrentStatementStartTimestamp());
  note.keys.StoreRelaxed(keys);
}

void NoteKeys(std::size_t keys) noexcept {
  if (has_changes) Mine().changes.keys.StoreRelaxed(keys);
}

void BeginCreation(const char* entity) noexcept {
  CreationNote& note = Mine().creation;
  Begin(&note);
  std::strncpy(note.entity, entity, sizeof(note.entity) - 1);
  note.phase.Store(static_cast<std::int32_t>(CreationPhase::kLocking));
  note.rows_done.Store(0);
  note.rows_expected.Store(0);
  note.started_at.Store(GetCurrentTimestamp());
  note.version.Add(1);
  has_creation = true;
}

void SetPhase(CreationPhase phase) noexcept {
  if (has_creation) Mine().creation.phase.Store(static_cast<std::int32_t>(phase));
}

void ExpectRows(double rows) noexcept {
  if (has_creation) Mine().creation.rows_expected.Store(RowEstimate(rows));
}

void CountRows(std::size_t rows) noexcept {
  if (has_creation) Mine().creation.rows_done.Add(rows);
}

void EndCreation() noexcept {
  if (has_creation) End(&Mine().creation);
  has_creation = false;
}

void BeginWait(const RelationId* tviews, int count) noexcept {
  WaitNote& note = Mine().wait;
  Begin(&note);
  const int named = count > kWaitedFor ? 0 : count;
  for (int i = 0; i < named; ++i) note.tviews[i].Store(tviews[i]);
  note.tview_count.Store(named);
  note.others_us.Store(0);
  note.since.Store(GetCurrentTimestamp());
  note.version.Add(1);
  has_wait = true;
}

bool EndWait(WaitNote* copy) noexcept {
  if (!has_wait) return false;
  WaitNote& note = Mine().wait;
  std::memcpy(static_cast<void*>(copy), &note, sizeof(note));
  End(&note);
  has_wait = false;
  return true;
}

void ChargeWait(int place, std::uint64_t microseconds) noexcept {
  SessionNotes()[place].wait.others_us.Add(microseconds);
}

void Clear() noexcept {
  if (has_changes) End(&Mine().changes);
  has_changes = false;
  EndCreation();
  if (has_wait) End(&Mine().wait);
  has_wait = false;
}

bool Copy(int place, WaitNote* copy) noexcept { return CopyNote(SessionNotes()[place].wait, copy); }

bool Names(const WaitNote& note, RelationId tview) noexcept {
  return std::any_of(note.tviews, note.tviews + note.tview_count.Load(),
                     [tview](const Shared<RelationId>& named) { return named.Load() == tview; });
}

bool Copy(int place, ChangesNote* copy) noexcept {
  return CopyNote(SessionNotes()[place].changes, copy);
}

bool Copy(int place, CreationNote* copy) noexcept {
  return CopyNote(SessionNotes()[place].creation, copy);
}

}  // namespace tviews::pg::session_notes
