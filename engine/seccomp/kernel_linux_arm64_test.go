package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// arm64 never had the old calls, and has no second 64-bit ABI.
var (
	legacyChown []uintptr
	x32Calls    []uintptr
)

const (
	x32Ioctl  = 0
	x32Chowns = 0
)

func init() { childTests["arm"] = armChild }

// TestKernelArm makes the calls of 32-bit programs.
func TestKernelArm(t *testing.T) {
	state, out := child(t, "arm")
	if state.ExitCode() == 77 {
		box.Skip(t, out)
	}
	if !state.Success() {
		t.Fatalf("%v\n%s", state, out)
	}
}

// An armCall is a system call of a 32-bit program, with the result it must have.
type armCall struct {
	name        string
	nr, a, b, c uint32
	want        int32
}

// armBase is where a program of armProgram is in memory.
const armBase = 0x10000

// armCode makes the calls of a table and prints the results, 4 bytes each. Three
// addresses follow it: of the table, of the results, and the length of these.
var armCode = [...]uint32{
	0xe59f8038, //       ldr r8, table
	0xe59f9038, //       ldr r9, results
	0xe8b80087, // next: ldm r8!, {r0, r1, r2, r7}
	0xe3570000, //       cmp r7, #0
	0x0a000002, //       beq done
	0xef000000, //       svc #0
	0xe4890004, //       str r0, [r9], #4
	0xeafffff9, //       b   next
	0xe3a00001, // done: mov r0, #1
	0xe59f1018, //       ldr r1, results
	0xe59f2018, //       ldr r2, length
	0xe3a07004, //       mov r7, #4 (write)
	0xef000000, //       svc #0
	0xe3a00000, //       mov r0, #0
	0xe3a07001, //       mov r7, #1 (exit)
	0xef000000, //       svc #0
}

const (
	armHeaders = 52 + 32 // of the ELF file and of the one segment
	armTable   = armHeaders + 4*(len(armCode)+3)
)

// armProgram returns an ELF file that makes the calls, to each of which the address
// armPath(calls) is that of path.
func armProgram(calls []armCall, path string) []byte {
	length := uint32(4 * len(calls))
	results := armPath(calls) + uint32(len(path)) + 1
	size := results + length - armBase
	words := func(b []byte, w ...uint32) []byte {
		for _, w := range w {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	b := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	b = words(b, 40<<16|2, 1, armBase+armHeaders, 52, 0, 0x05000000) // EM_ARM, ET_EXEC; EABI 5
	b = words(b, 32<<16|52, 1, 0)                                    // one program header
	b = words(b, 1, 0, armBase, armBase, size, size, 7, 4096)        // PT_LOAD, rwx
	b = words(b, armCode[:]...)
	b = words(b, armBase+uint32(armTable), results, length)
	for _, c := range calls {
		b = words(b, c.a, c.b, c.c, c.nr)
	}
	b = words(b, 0, 0, 0, 0)
	b = append(append(b, path...), 0)
	return append(b, make([]byte, length)...)
}

func armPath(calls []armCall) uint32 { return armBase + uint32(armTable) + 16*uint32(len(calls)+1) }

// armRun runs the program and returns what is wrong.
func armRun(name string, calls []armCall) error {
	out, err := exec.Command(name).Output()
	if err != nil {
		return err
	}
	if len(out) != 4*len(calls) {
		return fmt.Errorf("%d results: %x", len(calls), out)
	}
	for i, c := range calls {
		if got := int32(binary.LittleEndian.Uint32(out[4*i:])); got != c.want {
			return fmt.Errorf("%s: result %d, want %d", c.name, got, c.want)
		}
	}
	return nil
}

func armChild(dir string) error {
	file := filepath.Join(dir, "file")
	var before, after unix.Stat_t
	if err := unix.Stat(file, &before); err != nil {
		return err
	}
	const bad = 1 << 30
	atCwd := ^uint32(99)
	calls := make([]armCall, 18)
	path := armPath(calls)
	copy(calls, []armCall{
		{"chown", 182, path, 1234, 1234, 0},
		{"lchown", 16, path, 1234, 1234, 0},
		{"fchown", 95, bad, 1, 1, 0},
		{"chown32", 212, path, 1234, 1234, 0},
		{"lchown32", 198, path, 1234, 1234, 0},
		{"fchown32", 207, bad, 1, 1, 0},
		{"fchownat", 325, atCwd, path, 1234, 0},
		{"sync", 36, 0, 0, 0, 0},
		{"fsync", 118, bad, 0, 0, 0},
		{"fdatasync", 148, bad, 0, 0, 0},
		{"msync", 144, 1, 1, unix.MS_SYNC, 0},
		{"sync_file_range2", 341, bad, 0, 0, 0},
		{"syncfs", 373, bad, 0, 0, 0},
		{"ioctl TIOCSTI", 54, bad, unix.TIOCSTI, 0, -int32(unix.EPERM)},
		{"ioctl TIOCLINUX", 54, bad, 0x541c, 0, -int32(unix.EPERM)},
		{"ioctl TCGETS", 54, bad, unix.TCGETS, 0, -int32(unix.EBADF)},
		{"msync MS_ASYNC", 144, 1, 1, unix.MS_ASYNC, -int32(unix.EINVAL)},
		{"close", 6, bad, 0, 0, -int32(unix.EBADF)},
	})
	free := []armCall{
		{"fsync without a filter", 118, bad, 0, 0, -int32(unix.EBADF)},
		{"ioctl TIOCSTI without a filter", 54, bad, unix.TIOCSTI, 0, -int32(unix.EBADF)},
	}
	unfiltered, filtered := filepath.Join(dir, "unfiltered"), filepath.Join(dir, "filtered")
	if err := os.WriteFile(unfiltered, armProgram(free, ""), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filtered, armProgram(calls, file), 0o755); err != nil {
		return err
	}
	err := armRun(unfiltered, free)
	if errors.Is(err, syscall.ENOEXEC) {
		fmt.Println("the kernel (CONFIG_COMPAT) or the processor has no 32-bit programs")
		os.Exit(77)
	}
	if err != nil {
		return err
	}
	if err := load(Filter{true, true, true}); err != nil {
		return err
	}
	if err := armRun(filtered, calls); err != nil { // started by this very thread
		return err
	}
	if err := unix.Stat(file, &after); err != nil {
		return err
	}
	if after.Uid != before.Uid || after.Gid != before.Gid {
		return errors.New("the owner of the file has changed")
	}
	return nil
}
