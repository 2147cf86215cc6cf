package run

// The end of the Go runtime's threads but the first. They wait for work, and where none
// will come they are only in the way of a user namespace that the process itself is
// to enter.

import (
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/rtinit"
)

// firstThread is the one that stays, and calls this: it has the number of the
// process, which without it would look dead.
var firstThread int32

// threadEnd returns the address of a signal handler that ends a thread which is
// asleep. One that runs may hold a lock of the runtime's, and goes on.
func threadEnd() uintptr

// endingThreads makes ready for the end of all threads but this one. After that
// nothing may wait for another goroutine.
func endingThreads() {
	debug.SetGCPercent(-1) // nobody will be left to collect
	firstThread = int32(os.Getpid())
	act := handledBy(threadEnd(), 0)
	setAction(rtinit.Signal, &act)
}

// unlock takes back that the calling goroutine is for its thread alone, which is the
// only one by now. A locked one hands its processor on when its time is up, and waits
// to get it back: there is nobody to do that. So it comes while this cannot happen,
// in a function that is not split, with all signals blocked.
//
//go:nosplit
func unlock() {
	for range 4 { // as often as it has been locked; more is no harm
		runtime.UnlockOSThread()
	}
}

// endOthers asks all threads but the first to end, given the open
// directory of them, and returns how many there are.
//
//go:nosplit
//go:norace
//go:nocheckptr
func endOthers(dir uintptr, buf *[512]byte) (n int) {
	sys(unix.SYS_LSEEK, dir, 0, 0, 0, 0, 0)
	for {
		size, errno := sys(unix.SYS_GETDENTS64, dir, uintptr(unsafe.Pointer(buf)), uintptr(len(buf)), 0, 0, 0)
		if errno != 0 || size == 0 {
			return n
		}
		for off := uintptr(0); off < size; {
			entry := unsafe.Add(unsafe.Pointer(buf), off)
			tid := uintptr(0)
			for name := unsafe.Add(entry, 19); *(*byte)(name) >= '0' && *(*byte)(name) <= '9'; name = unsafe.Add(name, 1) {
				tid = tid*10 + uintptr(*(*byte)(name)-'0')
			}
			if tid != 0 && tid != uintptr(firstThread) {
				n++
				sys(unix.SYS_TGKILL, uintptr(firstThread), tid, rtinit.Signal, 0, 0, 0)
			}
			off += uintptr(*(*uint16)(unsafe.Add(entry, 16)))
		}
	}
}
