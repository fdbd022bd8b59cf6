// Threads of control that take turns on one thread.
//
// Layer:   test
// Sharing: private to one thread
// Errors:  cannot fail
//
// A fiber runs until it calls Pause, and goes on there when it is resumed. So code that knows
// nothing of it, deep in calls of the core, can be stopped at any point that asks for it.

#ifndef PG_TVIEWS_TEST_SIMULATION_FIBER_H_
#define PG_TVIEWS_TEST_SIMULATION_FIBER_H_

#include <csetjmp>
#include <functional>
#include <memory>

namespace tviews::simulation {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Begins `body` at the next Resume. REQUIRES: it is over.
  void Begin(std::function<void()> body);
  // Runs it until it pauses or ends. Not from within a fiber.
  void Resume();
  // Within the fiber.
  void Pause();
  bool is_over() const { return state_ == State::kOver; }

 private:
  enum class State { kOver, kNew, kPaused };
  static void Enter(unsigned high, unsigned low);
  void Run();

  State state_ = State::kOver;
  bool has_entered_ = false;
  std::function<void()> body_;
  std::unique_ptr<char[]> stack_;
  std::jmp_buf inside_;
  std::jmp_buf outside_;
};

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_FIBER_H_
