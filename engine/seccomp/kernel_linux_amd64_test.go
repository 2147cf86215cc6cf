package seccomp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/seccomp/internal/int80"
)

var legacyChown = []uintptr{unix.SYS_CHOWN, unix.SYS_LCHOWN}

// A filter runs before the kernel looks whether it has x32 at all, so these are
// suppressed, or denied, on kernels without CONFIG_X86_X32_ABI too.
var x32Calls = []uintptr{
	x32Bit | 92, x32Bit | 93, x32Bit | 94, x32Bit | 260,
	x32Bit | 74, x32Bit | 75, x32Bit | 162, x32Bit | 277, x32Bit | 306,
	x32Ioctl,
}

const (
	x32Ioctl  = x32Bit | 514
	x32Chowns = 4 // of x32Calls
)

func init() { childTests["i386"] = i386Child }

func TestKernelI386(t *testing.T) {
	state, out := child(t, "i386")
	if out == "" || state.ExitCode() == 77 { // died at the first int $0x80
		box.Skip(t, "the kernel has no i386 system calls (CONFIG_IA32_EMULATION) or no seccomp filters: "+state.String())
	}
	if !state.Success() {
		t.Fatalf("%v\n%s", state, out)
	}
}

func i386Child(dir string) error {
	if pid := int80.Call(20, 0, 0, 0, 0, 0); int(pid) != os.Getpid() {
		return fmt.Errorf("i386 getpid: %d", pid)
	}
	fmt.Println("the kernel has i386 system calls")

	file := filepath.Join(dir, "file")
	var before, after unix.Stat_t
	if err := unix.Stat(file, &before); err != nil {
		return err
	}
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_32BIT)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	copy(page, file)
	path := uint32(uintptr(unsafe.Pointer(&page[0])))

	const bad = 1 << 30
	atCwd := ^uint32(99)
	suppressed := []struct {
		name        string
		nr, a, b, c uint32
	}{
		{"chown", 182, path, 1234, 1234},
		{"lchown", 16, path, 1234, 1234},
		{"fchown", 95, bad, 1, 1},
		{"chown32", 212, path, 1234, 1234},
		{"lchown32", 198, path, 1234, 1234},
		{"fchown32", 207, bad, 1, 1},
		{"fchownat", 298, atCwd, path, 1234},
		{"sync", 36, 0, 0, 0},
		{"fsync", 118, bad, 0, 0},
		{"fdatasync", 148, bad, 0, 0},
		{"msync", 144, 1, 1, unix.MS_SYNC},
		{"sync_file_range", 314, bad, 0, 0},
		{"syncfs", 344, bad, 0, 0},
	}
	if r := int80.Call(118, bad, 0, 0, 0, 0); r != -int32(unix.EBADF) {
		return fmt.Errorf("fsync without a filter: %d", r)
	}
	if err := load(Filter{true, true, true}); err != nil {
		return err
	}
	for _, c := range suppressed {
		if r := int80.Call(c.nr, c.a, c.b, c.c, 0, 0); r != 0 {
			return fmt.Errorf("%s: %v", c.name, syscall.Errno(-r))
		}
	}
	for _, cmd := range []uint32{unix.TIOCSTI, 0x541c} {
		if r := int80.Call(54, bad, cmd, 0, 0, 0); r != -int32(unix.EPERM) {
			return fmt.Errorf("ioctl %#x: %d", cmd, r)
		}
	}
	if r := int80.Call(54, bad, unix.TCGETS, 0, 0, 0); r != -int32(unix.EBADF) {
		return fmt.Errorf("ioctl TCGETS: %d", r)
	}
	if r := int80.Call(144, 1, 1, unix.MS_ASYNC, 0, 0); r != -int32(unix.EINVAL) {
		return fmt.Errorf("msync MS_ASYNC: %d", r)
	}
	runtime.KeepAlive(page)
	if err := unix.Stat(file, &after); err != nil {
		return err
	}
	if after.Uid != before.Uid || after.Gid != before.Gid {
		return errors.New("the owner of the file has changed")
	}
	return nil
}
