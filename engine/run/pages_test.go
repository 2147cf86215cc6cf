//go:build linux

package run

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The program goes on after its pages are given back, and they are its file's: what is
// not, is not given back.
func TestGiveBack(t *testing.T) {
	c := &child{program: programPages()}
	if c.program[0].size == 0 {
		t.Fatal("no pages of the program were found")
	}
	before := resident(t)
	giveBack(c)
	if after := resident(t); after >= before {
		t.Errorf("%d pages of files are resident, %d before", after, before)
	}

	b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	b[0] = 'x'
	if ofFile(pages{uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))}) {
		t.Error("memory of no file is taken for a file's")
	}
	if b[0] != 'x' {
		t.Error("the look has changed the memory")
	}
}

// resident returns how many pages of files this process has mapped, by proc_pid_statm(5).
func resident(t *testing.T) (n int) {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	for _, digit := range bytes.Fields(b)[2] {
		n = n*10 + int(digit-'0')
	}
	return n
}
