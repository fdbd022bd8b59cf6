#include "shared/record_ring.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "random_seed.h"

namespace tviews {
namespace {

// A ring and its memory, exactly as large as the ring asks for.
class OwnedRing {
 public:
  explicit OwnedRing(std::size_t capacity)
      : memory_(std::make_unique<std::uint64_t[]>(RecordRing::MemorySize(capacity) / 8)),
        ring_(RecordRing::Format(memory_.get(), capacity)) {}

  RecordRing* operator->() { return &ring_; }
  RecordRing& operator*() { return ring_; }
  void* memory() { return memory_.get(); }

 private:
  std::unique_ptr<std::uint64_t[]> memory_;
  RecordRing ring_;
};

FrameContent Content(FullXid xid, std::string_view payload) {
  return {.xid = xid,
          .outbox_row = {.block = static_cast<std::uint32_t>(xid) + 7, .offset = 3},
          .published_at = static_cast<Timestamp>(xid) * 10,
          .pid = static_cast<std::int32_t>(xid) + 1,
          .source_keys = static_cast<std::uint32_t>(xid) + 2,
          .payload = payload};
}

std::vector<Frame> Frames(const RecordRing& ring) {
  std::vector<Frame> frames;
  ring.ForEach(ring.tail(), [&](const Frame& frame) {
    frames.push_back(frame);
    return true;
  });
  return frames;
}

// Everything but the payload stays with a frame wherever it goes.
void ExpectContent(const Frame& frame, FullXid xid, std::string_view payload) {
  const FrameContent expected = Content(xid, payload);
  EXPECT_EQ(frame.content.xid, expected.xid);
  EXPECT_EQ(frame.content.outbox_row, expected.outbox_row);
  EXPECT_EQ(frame.content.published_at, expected.published_at);
  EXPECT_EQ(frame.content.pid, expected.pid);
  EXPECT_EQ(frame.content.source_keys, expected.source_keys);
  EXPECT_EQ(frame.content.payload, expected.payload);
}

TEST(RecordRing, IsEmptyWhenFormatted) {
  OwnedRing ring(1000);
  EXPECT_TRUE(ring->empty());
  EXPECT_EQ(ring->capacity(), 1000u);
  EXPECT_TRUE(Frames(*ring).empty());
  ring->Reclaim();
  EXPECT_FALSE(ring->RotateHead());
}

// One step; the transactions that it meets are appended to `met`.
RingPosition Step(const RecordRing& ring, RingPosition position, std::size_t bytes,
                  std::vector<FullXid>* met) {
  return ring.ForEachFrom(position, ring.tail(), bytes,
                          [&](const Frame& frame) { met->push_back(frame.content.xid); });
}

TEST(RecordRing, IsWalkedInSteps) {
  OwnedRing ring(1000);
  for (FullXid xid = 1; xid <= 5; ++xid) ASSERT_TRUE(ring->Publish(Content(xid, "x")).has_value());
  const std::size_t size = RecordRing::FrameSize(1);
  std::vector<FullXid> met;
  RingPosition position = Step(*ring, 0, 2 * size, &met);
  EXPECT_EQ(met, (std::vector<FullXid>{1, 2}));
  // One that does not fit is met as a whole.
  position = Step(*ring, position, 1, &met);
  EXPECT_EQ(met, (std::vector<FullXid>{1, 2, 3}));
  position = Step(*ring, position, 100 * size, &met);
  EXPECT_EQ(met, (std::vector<FullXid>{1, 2, 3, 4, 5}));
  EXPECT_EQ(position, ring->tail());
  EXPECT_EQ(Step(*ring, position, size, &met), ring->tail());
  EXPECT_EQ(met.size(), 5u);
}

TEST(RecordRing, AStepBeginsAtTheHeadWhereItsFramesAreGone) {
  OwnedRing ring(1000);
  std::vector<RingPosition> places;
  for (FullXid xid = 1; xid <= 5; ++xid) places.push_back(*ring->Publish(Content(xid, "x")));
  std::vector<FullXid> met;
  const RingPosition position = Step(*ring, 0, 1, &met);
  for (int i = 0; i < 3; ++i) ring->Finish(places[i]);
  ring->Reclaim();
  Step(*ring, position, 1000, &met);
  EXPECT_EQ(met, (std::vector<FullXid>{1, 4, 5}));
}

TEST(RecordRing, AStepOutlastsARingThatStartsOver) {
  OwnedRing ring(256);
  std::vector<FullXid> met;
  RingPosition position = 0;
  // The memory is used again and again, by frames of every size: no step begins inside of one.
  for (FullXid xid = 1; xid <= 200; ++xid) {
    const std::string payload(xid % 50, 'p');
    const RingPosition place = *ring->Publish(Content(xid, payload));
    if (xid % 3 == 0) position = Step(*ring, position, 1000, &met);
    ring->Finish(place);
    ring->Reclaim();
  }
  std::vector<FullXid> expected;
  for (FullXid xid = 3; xid <= 200; xid += 3) expected.push_back(xid);
  EXPECT_EQ(met, expected);
}

TEST(RecordRing, AStepMeetsWhatWasMovedToTheTail) {
  OwnedRing ring(1000);
  std::vector<RingPosition> places;
  for (FullXid xid = 1; xid <= 4; ++xid) places.push_back(*ring->Publish(Content(xid, "x")));
  std::vector<FullXid> met;
  const RingPosition position = Step(*ring, 0, 1, &met);
  ring->Finish(places[2]);
  ASSERT_TRUE(ring->RotateHead());
  Step(*ring, position, 1000, &met);
  for (const FullXid xid : {2, 4}) EXPECT_EQ(std::count(met.begin(), met.end(), xid), 1) << xid;
}

TEST(RecordRing, ReturnsFramesInTheOrderOfPublishing) {
  OwnedRing ring(1000);
  ASSERT_TRUE(ring->Publish(Content(1, "one")).has_value());
  ASSERT_TRUE(ring->Publish(Content(2, "")).has_value());
  ASSERT_TRUE(ring->Publish(Content(3, "three")).has_value());
  const std::vector<Frame> frames = Frames(*ring);
  ASSERT_EQ(frames.size(), 3u);
  ExpectContent(frames[0], 1, "one");
  ExpectContent(frames[1], 2, "");
  ExpectContent(frames[2], 3, "three");
}

TEST(RecordRing, IsFoundAgainInItsMemory) {
  OwnedRing ring(1000);
  ring->Publish(Content(1, "one"));
  const RecordRing again(ring.memory());
  ASSERT_EQ(Frames(again).size(), 1u);
  EXPECT_EQ(again.capacity(), 1000u);
}

TEST(RecordRing, StopsVisitingWhenAsked) {
  OwnedRing ring(1000);
  for (FullXid xid = 1; xid <= 3; ++xid) ring->Publish(Content(xid, ""));
  int visited = 0;
  ring->ForEach(ring->tail(), [&](const Frame&) { return ++visited < 2; });
  EXPECT_EQ(visited, 2);
}

TEST(RecordRing, ShowsNothingPublishedAfterTheEndThatWasFetched) {
  OwnedRing ring(1000);
  ring->Publish(Content(1, ""));
  const RingPosition end = ring->tail();
  ring->Publish(Content(2, ""));
  int visited = 0;
  ring->ForEach(end, [&](const Frame&) { return ++visited > 0; });
  EXPECT_EQ(visited, 1);
}

TEST(RecordRing, RefusesWhatDoesNotFit) {
  OwnedRing ring(RecordRing::FrameSize(16));
  EXPECT_FALSE(ring->Publish(Content(1, std::string(17, 'x'))).has_value());
  EXPECT_FALSE(ring->Publish(Content(1, std::string(10'000, 'x'))).has_value());
  EXPECT_TRUE(ring->Publish(Content(1, std::string(16, 'x'))).has_value());
  EXPECT_FALSE(ring->Publish(Content(2, "")).has_value());

  OwnedRing tiny(16);
  EXPECT_FALSE(tiny->Publish(Content(1, "")).has_value());
  OwnedRing none(0);
  EXPECT_FALSE(none->Publish(Content(1, "")).has_value());
  none->Reclaim();
}

TEST(RecordRing, TakesAFrameOfItsWholeCapacityWheneverItIsEmpty) {
  const std::string payload(200, 'x');
  OwnedRing ring(RecordRing::FrameSize(payload.size()));
  for (FullXid xid = 1; xid < 10; ++xid) {
    const auto small = ring->Publish(Content(xid, "small"));
    ASSERT_TRUE(small.has_value());
    ring->Finish(*small);
    ring->Reclaim();
    const auto large = ring->Publish(Content(xid, payload));
    ASSERT_TRUE(large.has_value());
    ring->Finish(*large);
    ring->Reclaim();
  }
}

TEST(RecordRing, VoidsOnlyThePendingFrameOfThatTransaction) {
  OwnedRing ring(1000);
  const RingPosition first = *ring->Publish(Content(1, "one"));
  const RingPosition second = *ring->Publish(Content(2, "two"));
  EXPECT_FALSE(ring->Void(first, 2));
  EXPECT_TRUE(ring->Void(first, 1));
  EXPECT_FALSE(ring->Void(first, 1));
  EXPECT_EQ(Frames(*ring)[0].state, FrameState::kVoid);

  ring->Finish(second);
  EXPECT_FALSE(ring->Void(second, 2));
  EXPECT_EQ(Frames(*ring)[1].state, FrameState::kDone);
  ring->Finish(first);
  EXPECT_EQ(Frames(*ring)[0].state, FrameState::kVoid);

  ring->Reclaim();
  EXPECT_TRUE(ring->empty());
  EXPECT_FALSE(ring->Void(first, 1));
  EXPECT_FALSE(ring->Void(ring->tail() + 8, 1));
}

TEST(RecordRing, ReclaimsUpToTheFirstPendingFrame) {
  OwnedRing ring(1000);
  const RingPosition first = *ring->Publish(Content(1, "one"));
  ring->Publish(Content(2, "two"));
  const RingPosition third = *ring->Publish(Content(3, "three"));
  ring->Finish(third);
  ring->Reclaim();
  EXPECT_EQ(Frames(*ring).size(), 3u);
  ring->Finish(first);
  ring->Reclaim();
  EXPECT_EQ(Frames(*ring).size(), 2u);
  ExpectContent(Frames(*ring)[0], 2, "two");
}

TEST(RecordRing, IsEmptyAfterClearAndKnowsOldPositionsNoMore) {
  OwnedRing ring(1000);
  const RingPosition old = *ring->Publish(Content(1, "one"));
  ring->Publish(Content(2, "two"));
  ring->Clear();
  EXPECT_TRUE(ring->empty());
  const RingPosition next = *ring->Publish(Content(1, "one"));
  EXPECT_GT(next, old);
  EXPECT_FALSE(ring->Void(old, 1));
  EXPECT_TRUE(ring->Void(next, 1));
}

TEST(RecordRing, RotatesAPendingFrameOutOfAFullRing) {
  const std::string payload(100, 'x');
  const std::size_t size = RecordRing::FrameSize(payload.size());
  OwnedRing ring(4 * size);
  const RingPosition stuck = *ring->Publish(Content(1, payload));
  for (FullXid xid = 2; xid <= 4; ++xid) ring->Finish(*ring->Publish(Content(xid, payload)));
  ring->Reclaim();
  ASSERT_FALSE(ring->Publish(Content(5, "")).has_value());

  ASSERT_TRUE(ring->RotateHead());
  const std::vector<Frame> frames = Frames(*ring);
  ASSERT_EQ(frames.size(), 1u);
  ExpectContent(frames[0], 1, "");
  EXPECT_EQ(frames[0].state, FrameState::kPending);
  EXPECT_FALSE(ring->Void(stuck, 1));
  EXPECT_FALSE(ring->RotateHead());
  EXPECT_TRUE(ring->Publish(Content(5, payload)).has_value());
}

TEST(RecordRing, RotatesFramesThatHaveNoPayloadWhenFinishedOnesAreBehindThem) {
  OwnedRing ring(1000);
  ring->Publish(Content(1, ""));
  ring->Publish(Content(2, ""));
  EXPECT_FALSE(ring->RotateHead());
  ring->Finish(*ring->Publish(Content(3, "three")));
  ring->Publish(Content(4, ""));
  ASSERT_TRUE(ring->RotateHead());
  const std::vector<Frame> frames = Frames(*ring);
  ASSERT_EQ(frames.size(), 3u);
  ExpectContent(frames[0], 4, "");
  ExpectContent(frames[1], 1, "");
  ExpectContent(frames[2], 2, "");
  EXPECT_FALSE(ring->RotateHead());
}

// The ring as a list of frames; checks after every step that the ring shows the same.
class RingModel {
 public:
  RingModel(std::size_t capacity, std::mt19937& random) : ring_(capacity), random_(random) {}

  void Step() {
    switch (Below(random_, 10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return Publish();
      case 4:
        return Void();
      case 5:
      case 6:
        return Finish();
      case 7:
      case 8:
        return Reclaim();
      default:
        return Rotate();
    }
  }

  void Check() {
    const RingPosition head = ring_->head();
    const RingPosition tail = ring_->tail();
    ASSERT_LE(head, tail);                      // invariant (1)
    ASSERT_LE(tail - head, ring_->capacity());  // invariant (1)
    const std::vector<Frame> frames = Frames(*ring_);
    ASSERT_EQ(frames.size(), expected_.size());
    RingPosition free_from = head;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Expected& expected = expected_[i];
      ASSERT_EQ(frames[i].position, expected.position);
      ASSERT_EQ(frames[i].state, expected.state);
      ExpectContent(frames[i], expected.xid, expected.payload);
      const std::size_t size = RecordRing::FrameSize(expected.payload.size());
      ASSERT_GE(expected.position, free_from);
      ASSERT_LE(expected.position % ring_->capacity() + size, ring_->capacity());  // (4)
      free_from = expected.position + size;
    }
    ASSERT_LE(free_from, tail);
    for (const auto& [position, xid] : stale_) ASSERT_FALSE(ring_->Void(position, xid));
  }

 private:
  struct Expected {
    RingPosition position;
    FullXid xid;
    std::string payload;
    FrameState state;
  };

  void Publish() {
    const std::string payload(Below(random_, 4) == 0 ? 0 : Below(random_, 200),
                              static_cast<char>('a' + next_xid_ % 26));
    const std::size_t used = ring_->tail() - ring_->head();
    const std::size_t rest = ring_->capacity() - ring_->tail() % ring_->capacity();
    const std::size_t size = RecordRing::FrameSize(payload.size());
    const bool fits = size + (size > rest ? rest : 0) <= ring_->capacity() - used;
    const auto position = ring_->Publish(Content(next_xid_, payload));
    ASSERT_EQ(position.has_value(), fits);
    if (position.has_value()) {
      expected_.push_back({*position, next_xid_, payload, FrameState::kPending});
    }
    ++next_xid_;
  }

  void Void() {
    if (expected_.empty()) return;
    Expected& frame = expected_[Below(random_, static_cast<std::uint32_t>(expected_.size()))];
    ASSERT_FALSE(ring_->Void(frame.position, frame.xid + 1'000'000));
    ASSERT_EQ(ring_->Void(frame.position, frame.xid), frame.state == FrameState::kPending);
    if (frame.state == FrameState::kPending) frame.state = FrameState::kVoid;
  }

  void Finish() {
    if (expected_.empty()) return;
    Expected& frame = expected_[Below(random_, static_cast<std::uint32_t>(expected_.size()))];
    ring_->Finish(frame.position);
    if (frame.state == FrameState::kPending) frame.state = FrameState::kDone;
  }

  void Reclaim() {
    ring_->Reclaim();
    Forget();
    ASSERT_EQ(ring_->empty(), expected_.empty());
  }

  void Forget() {
    while (!expected_.empty() && expected_.front().state != FrameState::kPending) {
      Retire(expected_.front());
      expected_.pop_front();
    }
  }

  void Rotate() {
    const RingPosition old_tail = ring_->tail();
    Forget();
    std::size_t gain = 0;
    while (gain < expected_.size() && expected_[gain].state == FrameState::kPending &&
           expected_[gain].payload.empty()) {
      ++gain;
    }
    const bool can_gain = gain < expected_.size();
    ASSERT_EQ(ring_->RotateHead(), can_gain);
    if (!can_gain) return;
    std::deque<Expected> rotated;
    for (std::size_t i = 0; i <= gain; ++i) {
      if (expected_.front().state == FrameState::kPending) rotated.push_back(expected_.front());
      Retire(expected_.front());
      expected_.pop_front();
    }
    Forget();
    for (Expected& frame : rotated) {
      frame.payload.clear();
      expected_.push_back(frame);
    }
    // The ring chose the new positions: behind the old tail, in the same order (Check()).
    const std::vector<Frame> frames = Frames(*ring_);
    ASSERT_EQ(frames.size(), expected_.size());
    for (std::size_t i = frames.size() - rotated.size(); i < frames.size(); ++i) {
      ASSERT_GE(frames[i].position, old_tail);
      expected_[i].position = frames[i].position;
    }
  }

  void Retire(const Expected& frame) {
    stale_.emplace_back(frame.position, frame.xid);
    if (stale_.size() > 50) stale_.pop_front();
  }

  OwnedRing ring_;
  std::mt19937& random_;
  std::deque<Expected> expected_;
  std::deque<std::pair<RingPosition, FullXid>> stale_;
  FullXid next_xid_ = 1;
};

TEST(RecordRing, BehavesLikeAListOfFrames) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 60; ++round) {
    RingModel model(64 + Below(random, 2000), random);
    for (int step = 0; step < 1'000; ++step) {
      model.Step();
      model.Check();
      if (HasFatalFailure()) return;
    }
  }
}

std::string PayloadOf(FullXid xid) {
  return std::string(xid % 90, static_cast<char>('a' + xid % 26));
}

// Invariant (2): writers hold the lock, the reader walks without it.
TEST(RecordRing, IsReadWithoutTheLockWhileWritersPublish) {
  constexpr FullXid kWriters = 3;
  constexpr FullXid kPerWriter = 2'000;
  OwnedRing ring(2'000);
  std::mutex exclusive;
  std::atomic<FullXid> writing = kWriters;

  const auto write = [&](FullXid writer) {
    for (FullXid i = 0; i < kPerWriter; ++i) {
      const FullXid xid = i * kWriters + writer + 1;
      std::optional<RingPosition> position;
      while (!position.has_value()) {
        {
          const std::lock_guard<std::mutex> lock(exclusive);
          position = ring->Publish(Content(xid, PayloadOf(xid)));
        }
        if (!position.has_value()) std::this_thread::yield();
      }
      if (xid % 7 == 0) {
        const std::lock_guard<std::mutex> lock(exclusive);
        ring->Void(*position, xid);
      }
    }
    --writing;
  };
  std::vector<std::thread> writers;
  for (FullXid writer = 0; writer < kWriters; ++writer) writers.emplace_back(write, writer);

  std::vector<int> seen(kWriters * kPerWriter + 1);
  for (bool is_last = false; !is_last;) {
    is_last = writing == 0;
    RingPosition end = 0;
    {
      const std::lock_guard<std::mutex> lock(exclusive);
      end = ring->tail();
    }
    std::vector<RingPosition> taken;
    ring->ForEach(end, [&](const Frame& frame) {
      ExpectContent(frame, frame.content.xid, PayloadOf(frame.content.xid));
      ++seen[frame.content.xid];
      taken.push_back(frame.position);
      return true;
    });
    const std::lock_guard<std::mutex> lock(exclusive);
    for (const RingPosition position : taken) ring->Finish(position);
    ring->Reclaim();
  }
  for (std::thread& writer : writers) writer.join();
  for (FullXid xid = 1; xid <= kWriters * kPerWriter; ++xid) {
    // A frame may be voided and reclaimed before the reader comes by.
    EXPECT_TRUE(seen[xid] == 1 || (seen[xid] == 0 && xid % 7 == 0)) << xid;
  }
  EXPECT_TRUE(ring->empty());
}

}  // namespace
}  // namespace tviews
