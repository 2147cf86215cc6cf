package eval

// The watch over a running script: steps, time, memory, interruption.

import (
	"bytes"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// Defaults of the limits in Options.
const (
	DefaultMaxSteps  = 50_000_000
	DefaultMaxTime   = 15 * time.Second
	DefaultMaxMemory = 512 << 20
)

// Reasons given to starlark.Thread.Cancel.
const (
	stopSteps  = "steps"
	stopTime   = "time"
	stopMemory = "memory"
	stopUser   = "interrupted"
)

// stopped returns the diagnostic's text for such a reason.
func (o *Options) stopped(reason string) (msg, hint string) {
	switch reason {
	case stopSteps:
		return "the script made " + strconv.FormatUint(o.MaxSteps, 10) + " steps without coming to an end", "is there a loop over too much?"
	case stopTime:
		return "the script ran for " + o.MaxTime.String() + " without coming to an end", "is there a loop over too much?"
	case stopMemory:
		return "the script uses more than " + strconv.FormatUint(o.MaxMemory>>20, 10) + " MiB of memory", "is there a string or list that grows in a loop?"
	case stopUser:
		return "interrupted", ""
	}
	return reason, ""
}

// Looking after a script takes a timer, and the runtime a thread for it: a good
// part of the time of a small script. So the watch begins when there is reason:
// a script that is large, runs for long, or names what does much in one step.
const (
	watchSource = 64 << 10 // bytes
	watchSteps  = 20_000
	watchEvery  = 20 * time.Millisecond
)

// canBurst reports whether one call of a built-in, or one guarded operation, can
// make much of little.
func canBurst(name string) bool {
	switch name {
	case "json", "read", "str", "repr", guardMul, guardReplace, guardJoin:
		return true
	}
	return false
}

// onSteps is called when the script has made as many steps as were allowed.
func (ev *evaluator) onSteps(t *starlark.Thread) {
	if t.ExecutionSteps() >= ev.opt.MaxSteps {
		t.Cancel(stopSteps)
		return
	}
	ev.watch.begin()
	t.SetMaxExecutionSteps(ev.opt.MaxSteps)
}

// watch ends an evaluation that takes too long or too much memory. A single
// operation of Starlark cannot be stopped from outside; where one goes on and
// on, all that is left is to end the process, which is the caller's to do.
type watch struct {
	opt    *Options
	thread *starlark.Thread

	mu       sync.Mutex
	done     bool
	timer    *time.Timer
	start    time.Time
	maxStack int // to be restored; 0: not changed
	reason   string
	told     time.Time // when the thread was told to stop, with a reason
}

// begin begins the watch, if it has not begun.
func (w *watch) begin() {
	// The callback may run before AfterFunc has returned.
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil && w.opt != nil {
		w.start = time.Now()
		w.timer = time.AfterFunc(watchEvery, w.tick)
	}
}

func (w *watch) end() {
	w.mu.Lock()
	w.done = true
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.maxStack != 0 {
		debug.SetMaxStack(w.maxStack)
	}
	w.mu.Unlock()
}

func (w *watch) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	// Data nested millions deep overflows the stack in Starlark's recursive
	// operations, which would be fatal. With this, memory runs out first.
	if w.maxStack == 0 {
		w.maxStack = debug.SetMaxStack(1 << 40)
	}

	used, told := residentMemory(), time.Duration(-1)
	if w.reason != "" {
		told = time.Since(w.told)
	}
	v, reason := w.opt.judge(time.Since(w.start), told, used, false)
	if v == collectFirst {
		debug.FreeOSMemory()
		v, reason = w.opt.judge(time.Since(w.start), told, residentMemory(), true)
	}
	if reason != "" && w.reason == "" {
		w.reason, w.told = reason, time.Now()
		w.thread.Cancel(reason)
	}
	if v == abort && w.opt.Abort != nil {
		msg, hint := w.opt.stopped(w.reason)
		w.opt.Abort(plan.Diagnostic{Msg: msg + ", in a single operation", Hint: hint})
	}
	w.timer.Reset(watchEvery)
}

// verdict is what a look at a running script leads to.
type verdict uint8

const (
	goOn         verdict = iota
	collectFirst         // it may be garbage that takes the memory: collect it, and judge again
	tellToStop
	abort
)

// maxOvertime is how long a script may go on once it was told to stop, which it
// does between two operations.
const maxOvertime = 2 * time.Second

// judge returns what becomes of a script that has run for a time, was told to stop
// so long ago (before that: negative), and takes used bytes; collected says that
// none of them are garbage. The reason is one to tell it, where there is any.
//
// Once it was told, garbage is left: to collect it takes time, half a second where
// data is nested deep.
func (o *Options) judge(ran, told time.Duration, used uint64, collected bool) (v verdict, reason string) {
	switch {
	case told >= 0:
	case used > o.MaxMemory && used <= 2*o.MaxMemory && !collected:
		return collectFirst, ""
	case used > o.MaxMemory:
		v, reason = tellToStop, stopMemory
	case ran > o.MaxTime:
		v, reason = tellToStop, stopTime
	}
	if used > 2*o.MaxMemory || told > maxOvertime {
		v = abort
	}
	return v, reason
}

// residentMemory is what the process takes, and 0 where that cannot be told.
// The runtime's own figures would need the world stopped, and one long copy in
// the script's thread holds that up.
func residentMemory() uint64 {
	b, err := OS{}.ReadFile("/proc/self/statm", 4096)
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(f[1]), 10, 64)
	return pages * uint64(syscall.Getpagesize())
}
