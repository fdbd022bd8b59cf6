// longjmp to another stack is what this file is about.
#undef _FORTIFY_SOURCE

#include "fiber.h"

#include <ucontext.h>

#include <cstdint>
#include <utility>

namespace tviews::simulation {
namespace {

constexpr std::size_t kStackSize = 256 * 1024;

}  // namespace

Fiber::Fiber() : stack_(std::make_unique_for_overwrite<char[]>(kStackSize)) {}
Fiber::~Fiber() = default;

void Fiber::Begin(std::function<void()> body) {
  body_ = std::move(body);
  state_ = State::kNew;
}

// A context makes the stack; jumps, which make no system call, change between the stacks then.
void Fiber::Resume() {
  if (_setjmp(outside_) != 0) return;
  if (has_entered_) _longjmp(inside_, 1);
  has_entered_ = true;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = stack_.get();
  context.uc_stack.ss_size = kStackSize;
  context.uc_link = nullptr;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&context, reinterpret_cast<void (*)()>(&Fiber::Enter), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
  setcontext(&context);
}

void Fiber::Enter(unsigned high, unsigned low) {
  reinterpret_cast<Fiber*>(std::uintptr_t{high} << 32 | low)->Run();
}

// One body after the other, so that a stack is made once.
void Fiber::Run() {
  for (;;) {
    state_ = State::kPaused;
    body_();
    state_ = State::kOver;
    if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
  }
}

void Fiber::Pause() {
  if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
}

}  // namespace tviews::simulation
