package eval

// Bounds on what a script can use up: checks before the operations that could
// allocate any amount in one step, and a watch over time and memory for those
// that get there in many.

import (
	"bytes"
	"math/big"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// Defaults of the limits in Options.
const (
	DefaultMaxSteps  = 50_000_000
	DefaultMaxTime   = time.Minute
	DefaultMaxMemory = 512 << 20
)

const (
	maxRange   = 10_000_000 // elements of a range: what can be walked within the steps
	maxRepeat  = 64 << 20   // bytes or elements that one operation may make
	maxIntBits = 1 << 16
)

// guard is a check compiled into scripts in place of an operation.
type guard struct {
	name string
	fn   func(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)
}

func (g *guard) String() string        { return "<check " + g.name + ">" }
func (g *guard) Type() string          { return "builtin_function_or_method" }
func (g *guard) Freeze()               {}
func (g *guard) Truth() starlark.Bool  { return true }
func (g *guard) Hash() (uint32, error) { return 0, nil }
func (g *guard) Name() string          { return g.name }

// CallInternal implements starlark.Callable.
func (g *guard) CallInternal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return g.fn(thread, args, kwargs)
}

// findGuard returns the check of that name, or nil.
func findGuard(name string) starlark.Value {
	switch name {
	case guardMul:
		return &guard{name, checkedMul}
	case guardReplace:
		return &guard{name, checkedReplace}
	}
	return nil
}

func checkedMul(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	x, y := args[0], args[1]
	switch n := y.(type) {
	case starlark.Int:
		if err := mayRepeat(x, n); err != nil {
			return nil, err
		}
	default:
		if n, ok := x.(starlark.Int); ok {
			if err := mayRepeat(y, n); err != nil {
				return nil, err
			}
		}
	}
	return starlark.Binary(syntax.STAR, x, y)
}

func mayRepeat(x starlark.Value, n starlark.Int) error {
	size := 0
	switch x := x.(type) {
	case starlark.Int:
		if _, ok := x.Int64(); ok {
			if _, ok := n.Int64(); ok {
				return nil
			}
		}
		if bits(x)+bits(n) > maxIntBits {
			return faultf("the product has more than "+strconv.Itoa(maxIntBits)+" bits", "")
		}
		return nil
	case starlark.String:
		size = len(x)
	case starlark.Bytes:
		size = len(x)
	case *starlark.List:
		size = 16 * x.Len() // bytes of an element
	case starlark.Tuple:
		size = 16 * x.Len()
	default:
		return nil
	}
	if size == 0 || n.Sign() <= 0 {
		return nil
	}
	if times, ok := n.Int64(); !ok || times > int64(maxRepeat/size) {
		return faultf("the repeated "+x.Type()+" would take more than "+strconv.Itoa(maxRepeat>>20)+" MiB", "")
	}
	return nil
}

func bits(x starlark.Int) int {
	var b *big.Int = x.BigInt()
	return b.BitLen()
}

// checkedReplace is recv.replace(…) for any recv.
func checkedReplace(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	recv, args := args[0], args[1:]
	if s, ok := recv.(starlark.String); ok && len(args) >= 2 {
		old, ok1 := args[0].(starlark.String)
		new, ok2 := args[1].(starlark.String)
		if ok1 && ok2 && len(new) > len(old) {
			n := strings.Count(string(s), string(old))
			if n > 0 && len(s)+n*(len(new)-len(old)) > maxRepeat {
				return nil, &Fault{Op: "replace", Msg: "the result would take more than " + strconv.Itoa(maxRepeat>>20) + " MiB"}
			}
		}
	}
	x, ok := recv.(starlark.HasAttrs)
	var fn starlark.Value
	if ok {
		var err error
		if fn, err = x.Attr("replace"); err != nil {
			return nil, err
		}
	}
	if fn == nil {
		return nil, &Fault{Msg: recv.Type() + " has no .replace field or method"}
	}
	return starlark.Call(thread, fn, args, kwargs)
}

func fnRange(c *call) (starlark.Value, error) {
	v, err := starlark.Universe["range"].(*starlark.Builtin).CallInternal(c.thread, c.pos, c.kw)
	if err != nil {
		return nil, err
	}
	if n := starlark.Len(v); n > maxRange {
		return nil, faultf("the range has "+strconv.Itoa(n)+" elements, at most "+strconv.Itoa(maxRange)+" are allowed", "")
	}
	return v, nil
}

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

// The watch first looks after so long; scripts that are done by then, and that
// is nearly all, never see it run.
const watchEvery = 20 * time.Millisecond

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
	overtime int // ticks since the thread was told to stop
	reason   string
}

func (w *watch) begin() {
	w.start = time.Now()
	// The callback may run before AfterFunc has returned.
	w.mu.Lock()
	w.timer = time.AfterFunc(watchEvery, w.tick)
	w.mu.Unlock()
}

func (w *watch) end() {
	w.mu.Lock()
	w.done = true
	w.timer.Stop()
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
	debug.SetMaxStack(1 << 40)

	used := residentMemory()
	if used > w.opt.MaxMemory && used <= 2*w.opt.MaxMemory {
		// Perhaps most of it is garbage.
		debug.FreeOSMemory()
		used = residentMemory()
	}
	switch {
	case used > w.opt.MaxMemory:
		w.stop(stopMemory)
	case time.Since(w.start) > w.opt.MaxTime:
		w.stop(stopTime)
	}
	if w.reason != "" {
		w.overtime++
	}
	if w.opt.Abort != nil && (used > 2*w.opt.MaxMemory || w.overtime > int(2*time.Second/watchEvery)) {
		msg, hint := w.opt.stopped(w.reason)
		w.opt.Abort(plan.Diagnostic{Msg: msg + ", in a single operation", Hint: hint})
	}
	w.timer.Reset(watchEvery)
}

func (w *watch) stop(reason string) {
	if w.reason == "" {
		w.reason = reason
		w.thread.Cancel(reason)
	}
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
