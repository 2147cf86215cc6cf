//go:build linux

package run

import (
	"os"
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
	before := present(t, c.program[:])
	giveBack(c)
	if after := present(t, c.program[:]); after >= before {
		t.Errorf("%d pages of the program are there, %d were before", after, before)
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

// present counts the pages of the ranges that are in this process's page table, by
// proc_pid_pagemap(5).
func present(t *testing.T, ranges []pages) (n int) {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := uintptr(os.Getpagesize())
	for _, r := range ranges {
		entries := make([]byte, 8*(r.size/size))
		if _, err := f.ReadAt(entries, int64(8*(r.start/size))); err != nil {
			t.Fatal(err)
		}
		for i := 7; i < len(entries); i += 8 {
			n += int(entries[i] >> 7)
		}
	}
	return n
}
