package run

// The pages of sbx's own program while the command runs.

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pages is a range of this process's memory, in bytes.
type pages struct{ start, size uintptr }

// programHeader is Elf64_Phdr, elf(5).
type programHeader struct {
	Type, Flags                                   uint32
	Off, Vaddr, Paddr, FileSize, MemSize, Aligned uint64
}

// Of a programHeader's Type and Flags, elf(5).
const (
	ptLoad = 1
	ptPhdr = 6
	pfW    = 2
)

// Of getauxval(3).
const (
	atPhdr  = 3
	atPhnum = 5
)

// programPages returns where the program's file is mapped and cannot be written,
// its code and constants: what becomes of these pages is no loss, they are read
// again when they are touched. Relocated data is not among them, as it is in
// segments that are writable (elf(5), PT_GNU_RELRO). Breakpoints are lost.
func programPages() (found [2]pages) {
	auxv, err := unix.Auxv()
	if err != nil {
		return found
	}
	var at, count, base uintptr
	for _, v := range auxv {
		switch v[0] {
		case atPhdr:
			at = v[1]
		case atPhnum:
			count = v[1]
		}
	}
	if at == 0 {
		return found
	}
	headers := unsafe.Slice(*(**programHeader)(unsafe.Pointer(&at)), count)
	for i := range headers {
		if h := &headers[i]; h.Type == ptPhdr {
			base = at - uintptr(h.Vaddr) // 0 but in a position-independent executable
		}
	}
	n, page := 0, uintptr(os.Getpagesize())
	for i := range headers {
		h := &headers[i]
		p := pages{base + uintptr(h.Vaddr), (uintptr(h.MemSize) + page - 1) &^ (page - 1)}
		switch {
		case h.Type != ptLoad || h.Flags&pfW != 0 || h.FileSize != h.MemSize || p.start%page != 0 || !ofFile(p):
		case n > 0 && found[n-1].start+found[n-1].size == p.start:
			found[n-1].size += p.size // one call, and one flush of what the processors remember
		case n < len(found):
			found[n] = p
			n++
		}
	}
	return found
}

// ofFile reports whether a range, of whole pages and mapped at once, is from a file.
// What a packer has unpacked need not be, and would be lost. Only memory of no file can
// be wiped in a forked child (madvise(2), Linux 4.14), and it is not to be.
func ofFile(p pages) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_MADVISE, p.start, p.size, unix.MADV_WIPEONFORK)
	if errno == 0 {
		unix.RawSyscall(unix.SYS_MADVISE, p.start, p.size, unix.MADV_KEEPONFORK)
	}
	return errno == unix.EINVAL
}

// giveBack takes the program's pages out of this process. When the command ends,
// sbx is to end at once, and taking down thousands of pages would be a good part of
// that; while the command runs there is time. What sbx still needs it touches again.
//
//go:nosplit
//go:norace
//go:nocheckptr
func giveBack(c *child) {
	for i := range c.program {
		if p := &c.program[i]; p.size != 0 {
			sys(unix.SYS_MADVISE, p.start, p.size, unix.MADV_DONTNEED, 0, 0, 0)
		}
	}
}
