//go:build amd64 || arm64

package seccomp

// This file loads filters into the running kernel. A thread that got one never
// loses it, so the calls are made in a copy of the test binary.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

const childEnv = "SBX_SECCOMP_TEST_CHILD"

// childTests are what the copy can be told to do; each reports what is wrong.
var childTests = map[string]func(dir string) error{"native": nativeChild}

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := childTests[name](os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child runs a child test and returns its exit status, with what it said.
func child(t *testing.T, name string) (*os.ProcessState, string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", dir)
	cmd.Env = append(os.Environ(), childEnv+"="+name, "GORACE=atexit_sleep_ms=0") // no second of waiting at the end
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState, strings.TrimSpace(out.String())
}

func TestKernelNative(t *testing.T) {
	state, out := child(t, "native")
	if state.ExitCode() == 77 {
		box.Skip(t, out)
	}
	if !state.Success() {
		t.Fatalf("%v\n%s", state, out)
	}
}

// load puts a filter on the calling thread.
func load(f Filter) error {
	p, err := f.Program(runtime.GOARCH)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(p) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&p[0]))}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(p)
	if errno == unix.ENOSYS || errno == unix.EINVAL && unix.Prctl(unix.PR_GET_SECCOMP, 0, 0, 0, 0) == unix.EINVAL {
		fmt.Println("the kernel has no seccomp filters")
		os.Exit(77)
	}
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}

// A try is one system call and the result it must have.
type try struct {
	name string
	nr   uintptr
	args [3]uintptr
	want syscall.Errno
}

func (c *try) do() error {
	r, _, errno := unix.RawSyscall(c.nr, c.args[0], c.args[1], c.args[2])
	if errno != c.want || errno == 0 && r != 0 {
		return fmt.Errorf("%s: result %d, errno %v, want %v", c.name, int(r), errno, c.want)
	}
	return nil
}

// badFD has no file behind it.
const badFD = 1 << 30

func nativeChild(dir string) error {
	file := filepath.Join(dir, "file")
	name, err := unix.BytePtrFromString(file)
	if err != nil {
		return err
	}
	path := uintptr(unsafe.Pointer(name))
	var before, after unix.Stat_t
	if err := unix.Stat(file, &before); err != nil {
		return err
	}
	at := ^uintptr(99) // AT_FDCWD
	chownTries := []try{
		{"fchownat", unix.SYS_FCHOWNAT, [3]uintptr{at, path, 12345}, 0},
		{"fchown of no file", unix.SYS_FCHOWN, [3]uintptr{badFD, 1, 1}, 0},
	}
	for i, nr := range legacyChown {
		chownTries = append(chownTries, try{fmt.Sprint("chown or lchown ", i), nr, [3]uintptr{path, 12345, 12345}, 0})
	}
	syncTries := []try{
		{"fsync", unix.SYS_FSYNC, [3]uintptr{badFD}, 0},
		{"fdatasync", unix.SYS_FDATASYNC, [3]uintptr{badFD}, 0},
		{"syncfs", unix.SYS_SYNCFS, [3]uintptr{badFD}, 0},
		{"sync_file_range", unix.SYS_SYNC_FILE_RANGE, [3]uintptr{badFD}, 0},
		{"sync", unix.SYS_SYNC, [3]uintptr{}, 0},
		{"msync MS_SYNC", unix.SYS_MSYNC, [3]uintptr{1, 1, unix.MS_SYNC}, 0},
	}
	var ttyTries []try
	for _, cmd := range []uintptr{unix.TIOCSTI, 0x541c} {
		for _, high := range []uintptr{0, 1 << 32, 0xffffffff << 32, 1 << 63} {
			ttyTries = append(ttyTries, try{fmt.Sprintf("ioctl %#x", cmd|high), unix.SYS_IOCTL, [3]uintptr{badFD, cmd | high}, unix.EPERM})
		}
	}
	for i, nr := range x32Calls {
		if nr == x32Ioctl {
			ttyTries = append(ttyTries, try{"x32 ioctl", nr, [3]uintptr{badFD, 1<<33 | unix.TIOCSTI}, unix.EPERM})
		} else if i < x32Chowns {
			chownTries = append(chownTries, try{fmt.Sprintf("x32 %#x", nr), nr, [3]uintptr{badFD, path}, 0})
		} else {
			syncTries = append(syncTries, try{fmt.Sprintf("x32 %#x", nr), nr, [3]uintptr{badFD}, 0})
		}
	}
	allowed := []try{
		{"close", unix.SYS_CLOSE, [3]uintptr{badFD}, unix.EBADF},
		{"ioctl TCGETS", unix.SYS_IOCTL, [3]uintptr{badFD, unix.TCGETS}, unix.EBADF},
		{"msync MS_ASYNC", unix.SYS_MSYNC, [3]uintptr{1, 1, unix.MS_ASYNC}, unix.EINVAL},
	}
	all := func(tries []try) error {
		for i := range tries {
			if err := tries[i].do(); err != nil {
				return err
			}
		}
		return nil
	}

	// One filter after the other, the way nested sandboxes stack them.
	if err := all(allowed); err != nil {
		return fmt.Errorf("without a filter: %w", err)
	}
	if err := syncTries[0].do(); err == nil {
		return errors.New("fsync is suppressed without a filter")
	}
	if err := load(Filter{SuppressChown: true}); err != nil {
		return err
	}
	if err := all(chownTries); err != nil {
		return err
	}
	if err := syncTries[0].do(); err == nil {
		return errors.New("the chown filter suppresses fsync")
	}
	if err := load(Filter{SuppressSync: true}); err != nil {
		return err
	}
	if err := all(syncTries); err != nil {
		return err
	}
	if err := load(Filter{DenyTTYInjection: true}); err != nil {
		return err
	}
	if err := all(ttyTries); err != nil {
		return err
	}
	if err := load(Filter{true, true, true}); err != nil {
		return err
	}
	for _, tries := range [][]try{chownTries, syncTries, ttyTries, allowed} {
		if err := all(tries); err != nil {
			return fmt.Errorf("all filters: %w", err)
		}
	}
	runtime.KeepAlive(name)
	if err := unix.Stat(file, &after); err != nil {
		return err
	}
	if after.Uid != before.Uid || after.Gid != before.Gid {
		return fmt.Errorf("owner is now %d:%d", after.Uid, after.Gid)
	}
	return nil
}
