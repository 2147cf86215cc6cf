//go:build linux

package run

// The assembly, on whatever architecture this runs; GOARCH=arm64 go test -c
// makes a test that an emulator can run, too.

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/rtinit"
)

// shared is written by a child that shares memory, or a copy of it where the
// emulator makes a fork of a vfork.
var shared int32

//go:nosplit
//go:noinline
//go:norace
func cloneAndExit(flags uintptr) uintptr {
	pid := rawClone(flags)
	if pid != 0 {
		return pid
	}
	shared = 5
	exit(7)
	return 0
}

func TestRawClone(t *testing.T) {
	for _, flags := range []uintptr{uintptr(unix.SIGCHLD), unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD)} {
		pid := cloneAndExit(flags)
		if pid == 0 || pid > ^uintptr(4095) {
			t.Fatalf("flags %#x: %v", flags, unix.Errno(-pid))
		}
		var st unix.WaitStatus
		for {
			if _, err := unix.Wait4(int(pid), &st, 0, nil); err != unix.EINTR {
				break
			}
		}
		if !st.Exited() || st.ExitStatus() != 7 {
			t.Errorf("flags %#x: status %#x", flags, st)
		}
	}
}

// TestSigForward has the handler wait with one signal and pass another on.
func TestSigForward(t *testing.T) {
	forward, _, _, _ := handlers()
	act := handledBy(forward, saRestart)
	setAction(uintptr(unix.SIGUSR1), &act)
	setAction(uintptr(unix.SIGUSR2), &act)
	unix.Kill(os.Getpid(), unix.SIGUSR1)
	for end := time.Now().Add(time.Minute); atomic.LoadUint64(&sigPending) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := atomic.SwapUint64(&sigPending, 0); got != 1<<unix.SIGUSR1 {
		t.Fatalf("pending: %#x", got)
	}
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	atomic.StoreInt32(&sigTarget, int32(cmd.Process.Pid))
	defer atomic.StoreInt32(&sigTarget, 0)
	unix.Kill(os.Getpid(), unix.SIGUSR2)
	cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != unix.SIGUSR2 {
		t.Errorf("status %#x", ws)
	}
	if p := atomic.LoadUint64(&sigPending); p != 0 {
		t.Errorf("still pending: %#x", p)
	}
}

// TestSigFault has the handler wait with a signal that was sent, and leave a fault
// of this program to the runtime, which makes a panic of it.
func TestSigFault(t *testing.T) {
	_, fault, _, _ := handlers()
	act := handledBy(fault, saRestart)
	var before sigaction
	swapAction(uintptr(unix.SIGSEGV), &act, &before)
	sigRuntime = before.handler
	defer setAction(uintptr(unix.SIGSEGV), &before)
	unix.Kill(os.Getpid(), unix.SIGSEGV)
	for end := time.Now().Add(time.Minute); atomic.LoadUint64(&sigPending) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := atomic.SwapUint64(&sigPending, 0); got != 1<<unix.SIGSEGV {
		t.Errorf("pending: %#x", got)
	}
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("want the runtime's panic, got %v", err)
		}
		if p := atomic.LoadUint64(&sigPending); p != 0 {
			t.Errorf("pending: %#x", p)
		}
	}()
	var nowhere *atomic.Int32
	nowhere.Add(1)
}

// TestSigWoken has the handler count what wakes sbx.
func TestSigWoken(t *testing.T) {
	forward, _, _, _ := handlers()
	act := handledBy(forward, saRestart)
	var before sigaction
	swapAction(uintptr(unix.SIGCONT), &act, &before)
	defer setAction(uintptr(unix.SIGCONT), &before)
	sigReport.Asleep = 1
	for range 3 {
		want := atomic.LoadInt32(&sigReport.Woken) + 1
		unix.Kill(os.Getpid(), unix.SIGCONT)
		for end := time.Now().Add(time.Minute); atomic.LoadInt32(&sigReport.Woken) != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("counted %d, want %d", atomic.LoadInt32(&sigReport.Woken), want)
			}
		}
	}
	if sigReport.Asleep != 0 {
		t.Error("still asleep")
	}
	atomic.StoreUint64(&sigPending, 0)
}

// TestSigForwardAbort has the handler end a process that is making a sandbox.
func TestSigForwardAbort(t *testing.T) {
	forward, _, _, _ := handlers()
	act := handledBy(forward, saRestart)
	setAction(uintptr(unix.SIGTERM), &act)
	sigStarted = new(int32)
	defer func() { sigStarted = nil }()
	// A real-time signal asks for no end, whatever its number has in common with one that does.
	setAction(47, &act)
	unix.Kill(os.Getpid(), 47)
	for end := time.Now().Add(time.Minute); atomic.LoadUint64(&sigPending) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	atomic.StoreUint64(&sigPending, 0)
	atomic.StoreInt32(&sigTarget, int32(cmd.Process.Pid))
	unix.Kill(os.Getpid(), 47)
	cmd.Wait()
	atomic.StoreInt32(&sigTarget, 0)
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != 47 {
		t.Errorf("signal 47: status %#x", ws)
	}
	for _, started := range []int32{0, 1} {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Skip(err)
		}
		atomic.StoreInt32(sigStarted, started)
		atomic.StoreInt32(&sigTarget, int32(cmd.Process.Pid))
		unix.Kill(os.Getpid(), unix.SIGTERM)
		cmd.Wait()
		atomic.StoreInt32(&sigTarget, 0)
		want, pending := unix.SIGKILL, uint64(1<<unix.SIGTERM|1) // and that it was early
		if started == 1 {
			want, pending = unix.SIGTERM, 0
		}
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != want {
			t.Errorf("started %d: status %#x", started, ws)
		}
		if p := atomic.SwapUint64(&sigPending, 0); p != pending {
			t.Errorf("started %d: pending: %#x", started, p)
		}
	}
}

// onThread runs f in a thread of its own, and not the first one, which stays.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			onThread(f)
			select {}
		}
		f()
	}()
}

// TestThreadEnd ends threads, of which only those end that are asleep, and not the
// first one. It does so in a process of its own, which the Go runtime cannot go on with.
func TestThreadEnd(t *testing.T) {
	if os.Getenv("SBX_TEST_THREADS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestThreadEnd$")
		cmd.Env = append(os.Environ(), "SBX_TEST_THREADS=1")
		if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 23 {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	runtime.GOMAXPROCS(4)
	var asleep, busy, turns atomic.Int32
	onThread(func() {
		asleep.Store(int32(unix.Gettid()))
		for {
			time := [2]int64{1000, 0}
			unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&time)), 0, 0)
		}
	})
	onThread(func() {
		busy.Store(int32(unix.Gettid()))
		for {
			turns.Add(1)
		}
	})
	onThread(func() {
		for busy.Load() == 0 || asleep.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		endingThreads()
		there := func(tid int32) bool { return unix.Tgkill(os.Getpid(), int(tid), 0) == nil }
		for there(asleep.Load()) {
			unix.Tgkill(os.Getpid(), int(asleep.Load()), rtinit.Signal)
			unix.Tgkill(os.Getpid(), int(busy.Load()), rtinit.Signal)
			unix.Tgkill(os.Getpid(), os.Getpid(), rtinit.Signal) // the first one stays, asleep or not
			pause := [2]int64{0, 1e6}
			unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
		}
		for n := turns.Load(); turns.Load() == n; {
		}
		if there(busy.Load()) && unix.Access("/proc/self/cwd", 0) == nil { // which the end of the first one takes away
			exit(23)
		}
		exit(1)
	})
	select {}
}

// TestEndUnsaid has a guard that sbx killed for a signal be the end by that signal.
func TestEndUnsaid(t *testing.T) {
	for _, tt := range []struct {
		st      unix.WaitStatus
		pending uint64
		want    unix.Signal
	}{
		{9, 0, unix.SIGKILL},
		{9, 1 << unix.SIGTERM, unix.SIGTERM},
		{9, 1<<unix.SIGUSR1 | 1<<unix.SIGINT, unix.SIGINT},
		{1 << 8, 0, unix.SIGKILL},
		{15, 0, unix.SIGTERM},
	} {
		if got := endUnsaid(tt.st, tt.pending); got.Signal() != tt.want {
			t.Errorf("status %#x, pending %#x: %v", tt.st, tt.pending, got.Signal())
		}
	}
}
