//go:build linux

package enginetest

// The Go runtime's monitor, which engine/rtinit has be late: nothing of that is to
// reach the command.

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/rtinit"
)

func init() {
	// Run is called in a thread that the monitor has made.
	changes["late-thread"] = func(*program.Program) {
		runtime.LockOSThread()
		unix.Prctl(unix.PR_SET_TIMERSLACK, rtinit.Lateness, 0, 0, 0)
	}
	// What was sent to the monitor comes only now.
	changes["late-signal"] = func(*program.Program) {
		begun := make(chan bool)
		go func() {
			runtime.LockOSThread()
			for once := begun; ; once = nil {
				unix.Tgkill(os.Getpid(), unix.Gettid(), rtinit.Signal)
				if once != nil {
					close(once)
				}
			}
		}()
		<-begun
	}
}

// withSlack calls f in a thread with a timer slack in nanoseconds.
func withSlack(t *testing.T, slack uintptr, f func()) {
	t.Helper()
	runtime.LockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	box.Must(t, err)
	box.Must(t, unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0))
	f()
	box.Must(t, unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0))
	runtime.UnlockOSThread()
}

func TestTimerSlack(t *testing.T) {
	const show = "cat /proc/self/timerslack_ns"
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		withSlack(t, 123456, func() {
			w.want(t, script, show, "123456")
			p := scriptPlan(t, w, script)
			p.Command = []plan.Str{"sh", "-c", show}
			w.library(t, "late-thread", p).Want(t, "in a late thread", "123456")
		})
		withSlack(t, rtinit.Lateness, func() { w.want(t, script, show, "50000") })
	})
}

func TestLateSignal(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		p := scriptPlan(t, w, script)
		p.Command = []plan.Str{"echo", "here"}
		for range 10 {
			w.library(t, "late-signal", p).Want(t, "a signal at any time", "here")
		}
	})
}
